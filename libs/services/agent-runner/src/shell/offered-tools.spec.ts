import { configOf } from '../testing/runner-house';
import { offeredTools } from './offered-tools';

const names = (settings: object, more: { readonly sessionKey?: string; readonly entry?: object; readonly deniedTools?: readonly string[] } = {}): string[] =>
  offeredTools({ config: configOf(settings), agentId: 'main', sessionKey: more.sessionKey ?? 'agent:main:main', entry: (more.entry ?? {}) as never, deniedTools: more.deniedTools ?? [] }).map(({ name }) => name);

describe('the tools that a run is offered', () => {
  it('are all session tools, less what configuration and the run deny', () => {
    expect(names({})).toEqual(expect.arrayContaining(['session_status', 'sessions_send', 'sessions_spawn', 'sessions_yield']));
    expect(names({ tools: { profile: 'messaging' } }).sort()).toEqual(['session_status', 'sessions_history', 'sessions_list', 'sessions_send']);
    expect(names({ tools: { deny: ['sessions_*'] } })).toEqual(['session_status', 'subagents', 'agents_list']);
    expect(names({}, { deniedTools: ['sessions_send'] })).not.toContain('sessions_send');
    expect(names({}, { entry: { inheritedToolAllow: ['sessions_list'] } })).toEqual(['sessions_list']);
    expect(names({}, { entry: { inheritedToolDeny: ['session*'] } })).toEqual(['subagents', 'agents_list']);
  });

  it('are none for a sub-agent, and those of an orchestrator where it may spawn', () => {
    const child = { sessionKey: 'agent:main:subagent:0190aaaa-0000-7000-8000-00000000000a', entry: { spawnedBy: 'agent:main:main', spawnDepth: 1 } };
    expect(names({}, child)).toEqual([]);
    expect(names({ agents: { defaults: { subagents: { maxSpawnDepth: 2 } } } }, child).sort()).toEqual(['sessions_history', 'sessions_list', 'sessions_spawn', 'subagents']);
  });
});
