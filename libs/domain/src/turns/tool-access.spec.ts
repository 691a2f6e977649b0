import { SESSION_TOOL_NAMES } from './tool-definitions';
import { toolsFor, type ToolAccess } from './tool-access';

const names = (access: Partial<ToolAccess>): readonly string[] => toolsFor({ isSubagent: false, spawnDepth: 0, maxSpawnDepth: 1, ...access }).map(({ name }) => name);
const child = (access: Partial<ToolAccess> = {}): readonly string[] => names({ isSubagent: true, spawnDepth: 1, ...access });

describe('toolsFor', () => {
  it('gives a session all tools, and profiles what they name', () => {
    expect(names({})).toEqual(SESSION_TOOL_NAMES);
    expect(names({ profile: 'coding' })).toEqual(SESSION_TOOL_NAMES);
    expect(names({ profile: 'messaging' })).toEqual(['session_status', 'sessions_list', 'sessions_history', 'sessions_send']);
    expect(names({ profile: 'minimal' })).toEqual(['session_status']);
    expect(names({ profile: 'toString' })).toEqual(['session_status']);
  });

  it('narrows by allow and deny, deny first', () => {
    expect(names({ allow: ['sessions_*'], deny: ['sessions_spawn', 'sessions_yield'] })).toEqual(['sessions_list', 'sessions_history', 'sessions_send']);
    expect(names({ deny: ['group:sessions'] })).toEqual([]);
    expect(names({ allow: ['read'] })).toEqual([]);
    expect(names({ profile: 'messaging', allow: ['sessions_spawn'] })).toEqual([]);
    expect(names({ profile: 'messaging', alsoAllow: ['agents_list'] })).toContain('agents_list');
    expect(names({ alsoAllow: ['agents_list'], deny: ['agents_list'] })).not.toContain('agents_list');
  });

  it('gives a sub-agent none, unless it may spawn', () => {
    expect(child()).toEqual([]);
    expect(child({ maxSpawnDepth: 2 })).toEqual(['sessions_list', 'sessions_history', 'sessions_spawn', 'subagents']);
    expect(child({ maxSpawnDepth: 2, spawnDepth: 2 })).toEqual([]);
    expect(child({ maxSpawnDepth: 2, deny: ['sessions_spawn'] })).not.toContain('sessions_spawn');
  });

  it('lets configuration give a sub-agent tools of the profile, never spawning beyond the depth', () => {
    expect(child({ childAllow: ['sessions_*'] })).toEqual(['sessions_list', 'sessions_history', 'sessions_send', 'sessions_yield']);
    expect(child({ childAllow: ['sessions_*'], childDeny: ['sessions_send'] })).not.toContain('sessions_send');
    expect(child({ childAllow: ['subagents', 'sessions_list'], profile: 'messaging' })).toEqual(['sessions_list']);
    expect(child({ childAllow: ['*'], maxSpawnDepth: 3 })).toContain('sessions_spawn');
  });
});
