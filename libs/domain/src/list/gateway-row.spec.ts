import { SessionRow } from '@sessions/contracts';
import { parseEntry } from '../entry/entry';
import type { JsonValue } from '../json';
import { toGatewayRow, type GatewayRowDefaults } from './gateway-row';
import { toSessionRow } from './session-row';

const DEFAULTS: GatewayRowDefaults = { modelProvider: 'openai', model: 'gpt-5', contextTokens: 200_000, thinkingDefault: 'off' };

function gatewayRow(members: Record<string, JsonValue>, key = 'agent:main:main'): Record<string, JsonValue> {
  const entry = parseEntry({ sessionId: '0190aaaa', ...members });
  if (!entry.listed) throw new Error('the entry of this test is not listed');
  return toGatewayRow(toSessionRow(key, entry, { agentId: 'main' }), DEFAULTS);
}

describe('toGatewayRow', () => {
  it('gives a session that was never used the measured members only', () => {
    expect(Object.keys(gatewayRow({ updatedAt: 5 })).sort()).toEqual(
      ['key', 'kind', 'updatedAt', 'sessionId', 'thinkingLevels', 'thinkingOptions', 'thinkingDefault', 'effectiveFastMode', 'effectiveFastModeSource', 'fastAutoOnSeconds', 'totalTokensFresh', 'modelProvider', 'model', 'agentRuntime', 'contextTokens', 'hasActiveRun'].sort(),
    );
    expect(gatewayRow({ updatedAt: 5 })).toMatchObject({ totalTokensFresh: false, hasActiveRun: false, modelProvider: 'openai', model: 'gpt-5', contextTokens: 200_000 });
  });

  it('has updatedAt even where the entry has none', () => expect(gatewayRow({})).toMatchObject({ updatedAt: null }));

  it('gives objects of the entry back as they are stored', () => {
    const stored = { origin: { from: 'telegram:1', extra: { a: [1, null] } }, deliveryContext: { channel: 'telegram', to: '1' }, contextBudgetStatus: { schemaVersion: 1, route: 'fits' }, compactionCheckpoints: [{ checkpointId: 'a' }, { checkpointId: 'b', createdAt: 2, reason: 'manual', summary: 'long', preCompaction: {} }] };
    expect(gatewayRow(stored)).toMatchObject({ origin: stored.origin, deliveryContext: stored.deliveryContext, contextBudgetStatus: stored.contextBudgetStatus, compactionCheckpointCount: 2, latestCompactionCheckpoint: { checkpointId: 'b', createdAt: 2, reason: 'manual' } });
    expect(gatewayRow(stored)['latestCompactionCheckpoint']).not.toHaveProperty('summary');
  });

  it('tells the fast mode of the session from the default', () => {
    expect(gatewayRow({ fastMode: true })).toMatchObject({ fastMode: true, effectiveFastMode: true, effectiveFastModeSource: 'session' });
    expect(gatewayRow({ fastMode: 'auto' })).toMatchObject({ fastMode: 'auto', effectiveFastMode: 'auto', effectiveFastModeSource: 'session' });
    expect(gatewayRow({})).toMatchObject({ effectiveFastMode: false, effectiveFastModeSource: 'default' });
  });

  it('shows the chosen model before the one used last before the default', () => {
    expect(gatewayRow({ modelProvider: 'anthropic', model: 'opus' })).toMatchObject({ modelProvider: 'anthropic', model: 'opus' });
    expect(gatewayRow({ modelProvider: 'anthropic', model: 'opus', providerOverride: 'local', modelOverride: 'tiny' })).toMatchObject({ modelProvider: 'local', model: 'tiny' });
    expect(gatewayRow({ modelOverride: 'tiny' })).toMatchObject({ modelProvider: 'openai', model: 'tiny' });
  });

  it.each([
    [{ model: 'anthropic/c', modelProvider: 'openrouter' }, 'openrouter', 'anthropic/c', 'auto'],
    [{ model: 'anthropic/c' }, 'anthropic', 'c', 'auto'],
    [{ model: 'c', modelProvider: 'claude-cli' }, 'openai', 'c', 'codex'],
    [{ modelOverride: 'a/b', providerOverride: 'openrouter' }, 'openrouter', 'a/b', 'auto'],
    [{ modelOverride: '', model: '' }, 'openai', 'gpt-5', 'codex'],
  ])('shows the model and the runtime of %j', (members, modelProvider, model, runtime) => {
    expect(gatewayRow(members)).toMatchObject({ modelProvider, model, agentRuntime: { id: runtime, source: 'implicit' } });
  });

  it.each([
    ['agent:main:discord:channel:98', {}, 'discord:g-98', 'discord'],
    ['agent:main:discord:channel:99', { displayName: 'D' }, 'D', 'discord'],
    ['agent:main:discord:group:7', { subject: 'My Room' }, 'discord:g-my-room', 'discord'],
    ['agent:main:discord:channel:6', { groupChannel: 'general', space: 'Guild' }, 'discord:guild#general', 'discord'],
    ['agent:main:telegram:group:-5:topic:3', {}, 'telegram:g-5-topic-3', 'telegram'],
    ['agent:main:telegram:group:-6', { label: 'GL' }, 'telegram:g-6', 'telegram'],
    ['agent:main:x', { chatType: 'channel', channel: 'slack', groupChannel: '#ops' }, 'slack:#ops', 'slack'],
    ['agent:main:k2', { chatType: 'channel', channel: 'telegram' }, 'telegram:g-agent-main-k2', 'telegram'],
    ['agent:main:x', { label: 'L', origin: { label: 'O' } }, 'L', undefined],
    ['agent:main:x', { origin: { label: 'Bob', chatType: 'group' } }, 'Bob', undefined],
    ['agent:main:x', { chatType: 'group', subject: 'S' }, undefined, undefined],
    ['agent:main:x', {}, undefined, undefined],
  ])('names %s with %j as measured', (key, members: Record<string, JsonValue>, displayName, channel) => {
    const row = gatewayRow(members, key);
    expect([row['displayName'], row['channel']]).toEqual([displayName, channel]);
  });

  it('calls no count fresh that is none', () => {
    expect(gatewayRow({ totalTokens: -4, totalTokensFresh: true })).toMatchObject({ totalTokensFresh: false });
    expect(gatewayRow({ totalTokens: -4 })).not.toHaveProperty('totalTokens');
    expect(gatewayRow({ totalTokens: 4 })).toMatchObject({ totalTokens: 4, totalTokensFresh: true });
  });

  it('shows a key of an older release under its agent, and the shared keys as they are', () => {
    const shown = (key: string) => toGatewayRow(SessionRow.create({ key, agentId: 'ops' }), DEFAULTS)['key'];
    expect(['main', 'telegram:123', 'global', 'unknown', 'agent:ops:main'].map(shown)).toEqual(['agent:ops:main', 'agent:ops:telegram:123', 'global', 'unknown', 'agent:ops:main']);
  });

  it('lists children only where there are some', () => {
    expect(gatewayRow({})).not.toHaveProperty('childSessions');
    expect(toGatewayRow(SessionRow.create({ key: 'k', childSessionKeys: ['c'] }), DEFAULTS)).toMatchObject({ childSessions: ['c'] });
  });

  it('classifies by the entry and by the key', () => {
    expect(gatewayRow({ chatType: 'channel' })).toMatchObject({ kind: 'group', chatType: 'channel' });
    expect(gatewayRow({ spawnedBy: 'agent:main:main' }, 'agent:main:subagent:x')).toMatchObject({ kind: 'direct' });
  });

  it('names no member with an undefined value', () => {
    expect(Object.values(gatewayRow({}))).not.toContain(undefined);
  });
});
