import { SessionRow } from '@sessions/contracts';
import { parseConfig, type SessionConfig } from '../config/parse-config';
import { asAgentId } from '../ids';
import { toCliRow, type CliRow } from './cli-row';

const NOW_MS = Date.UTC(2026, 5, 15, 12);
const MAIN = asAgentId('main');

function configOf(raw: unknown): SessionConfig {
  const result = parseConfig(raw);
  if (!result.ok) throw new Error('the configuration of this test is wrong');
  return result.config;
}

const config = configOf({
  agents: { defaults: { model: { primary: 'openai/gpt-5' } }, list: [{ id: 'main' }, { id: 'ops', model: { primary: 'anthropic/claude-sonnet-4-5' }, contextTokens: 9000 }] },
});
const cliRow = (members: Partial<SessionRow>): CliRow => toCliRow(SessionRow.create({ key: 'agent:main:main', agentId: 'main', ...members }), { config, agentId: MAIN, nowMs: NOW_MS });

describe('toCliRow', () => {
  it('gives a bare entry its defaults, in the measured order', () => {
    expect(JSON.stringify(cliRow({ sessionId: 's1', updatedAtMs: NOW_MS - 1500 }))).toBe(
      JSON.stringify({ key: 'agent:main:main', updatedAt: NOW_MS - 1500, ageMs: 1500, sessionId: 's1', totalTokens: null, totalTokensFresh: false, model: 'gpt-5', modelProvider: 'openai', contextTokens: 200_000, agentId: 'main', acpRuntime: false, agentRuntime: { id: 'codex', source: 'implicit' }, kind: 'direct' }),
    );
  });

  it('names members in the measured order, ours last', () => {
    const row = cliRow({ status: 'done', label: 'l', displayName: 'd', channel: 'c', messageCount: 2, sessionId: 's', systemSent: true, abortedLastRun: false, thinkingLevel: 'high', verboseLevel: 'on', traceLevel: 'on', reasoningLevel: 'on', elevatedLevel: 'on', responseUsage: 'full', groupActivation: 'always', inputTokens: 1, outputTokens: 2, providerOverride: 'p', modelOverride: 'm' });
    expect(Object.keys(row).join(' ')).toBe(
      'key updatedAt ageMs sessionId systemSent abortedLastRun thinkingLevel verboseLevel traceLevel reasoningLevel elevatedLevel responseUsage groupActivation inputTokens outputTokens totalTokens totalTokensFresh model modelProvider providerOverride modelOverride contextTokens agentId acpRuntime agentRuntime kind messageCount label displayName channel status',
    );
  });

  it.each([
    [undefined, null, null],
    [0, 0, null],
    [NOW_MS + 600_000, NOW_MS + 600_000, -600_000],
  ])('shows an updatedAt of %p', (updatedAtMs, updatedAt, ageMs) => expect(cliRow({ updatedAtMs })).toMatchObject({ updatedAt, ageMs }));

  it.each([
    [{}, null, false],
    [{ totalTokens: 5 }, 5, true],
    [{ totalTokens: 0, totalTokensFresh: true }, 0, true],
    [{ totalTokens: 5, totalTokensFresh: false }, 5, false],
    [{ totalTokens: -1, totalTokensFresh: true }, null, false],
  ])('counts %p', (members, totalTokens, totalTokensFresh) => expect(cliRow(members)).toMatchObject({ totalTokens, totalTokensFresh }));

  it.each([
    [{ modelOverride: 'm', providerOverride: 'p', model: 'x', modelProvider: 'y' }, 'p', 'm'],
    [{ modelOverride: 'p/m' }, 'p', 'm'],
    [{ modelOverride: 'm' }, 'openai', 'm'],
    [{ modelOverride: '', model: 'x', modelProvider: 'y' }, 'y', 'x'],
    [{ model: 'y/x' }, 'y', 'x'],
    [{ model: 'a/b', modelProvider: 'router' }, 'a', 'b'],
    [{ modelOverride: 'a/b', providerOverride: 'router' }, 'a', 'b'],
    [{ modelOverride: 'c', providerOverride: 'claude-cli' }, 'claude-cli', 'c'],
    [{ model: 'c', modelProvider: 'codex-cli' }, 'codex-cli', 'c'],
    [{ model: 'm', modelProvider: '' }, 'openai', 'm'],
    [{ model: 'sonnet', modelProvider: 'claude-cli' }, 'openai', 'sonnet'],
    [{ modelProvider: 'y' }, 'openai', 'gpt-5'],
  ])('shows the model of %p', (members, modelProvider, model) => expect(cliRow(members)).toMatchObject({ modelProvider, model }));

  it('goes by the agent that the key names', () => {
    expect(cliRow({ key: 'agent:ops:main' })).toMatchObject({ agentId: 'ops', model: 'claude-sonnet-4-5', modelProvider: 'anthropic', contextTokens: 9000, agentRuntime: { id: 'auto' } });
    for (const key of ['plain', 'agent:ops:', 'agent::x', 'agent:No Id:x']) expect(cliRow({ key })).toMatchObject({ agentId: 'main' });
  });

  it('names the runtime by the provider, in any case', () => {
    expect(cliRow({ key: 'agent:OPS:main', model: 'c', modelProvider: 'OpenAI' })).toMatchObject({ agentId: 'ops', modelProvider: 'OpenAI', agentRuntime: { id: 'codex', source: 'implicit' } });
    expect(cliRow({ model: 'c', modelProvider: 'openai-codex' })).toMatchObject({ agentRuntime: { id: 'auto' } });
  });

  it('keeps a stored window, 0 included, and falls back for a negative one', () => {
    expect(cliRow({ contextTokens: 0 }).contextTokens).toBe(0);
    expect(cliRow({ contextTokens: -1 }).contextTokens).toBe(200_000);
  });

  it('names no model where none is configured', () => {
    expect(toCliRow(SessionRow.create({ key: 'k' }), { config: configOf({}), agentId: MAIN, nowMs: NOW_MS })).toMatchObject({ model: null, modelProvider: null, agentRuntime: { id: 'auto' } });
  });

  it('tells spawned, cron and group rows', () => {
    expect(cliRow({ spawnedBy: 'agent:main:main' }).kind).toBe('spawn-child');
    expect(cliRow({ key: 'agent:main:cron:j', spawnedBy: 'x' }).kind).toBe('cron');
    expect(cliRow({ chatType: 'group' }).kind).toBe('group');
  });
});
