import { SessionRow } from '@sessions/contracts';
import { parseEntry } from '../entry/entry';
import type { JsonValue } from '../json';
import { searchTextOf, toSessionRow } from './session-row';

function rowOf(value: unknown, facts: { messageCount?: number } = {}): SessionRow {
  const entry = parseEntry(value);
  if (!entry.listed) throw new Error('the entry of this test is not listed');
  return toSessionRow('agent:main:main', entry, { agentId: 'main', ...facts });
}
const native = (members: Record<string, JsonValue>): SessionRow => rowOf({ sessionId: '0190aaaa', ...members });

describe('toSessionRow', () => {
  it('survives the wire', () => {
    const row = native({ updatedAt: 1_780_300_805_000, totalTokens: -5, estimatedCostUsd: 0.25, origin: { from: 'ä' }, spawnDepth: 2, systemSent: false, lastThreadId: 42, fastMode: true });
    expect(SessionRow.decode(SessionRow.encode(row).finish())).toEqual(row);
    expect(row).toMatchObject({ lastThreadId: '42', fastMode: 'true', systemSent: false, totalTokens: -5 });
  });

  it('reads legacy names where the present ones are absent', () => {
    expect(native({ provider: 'telegram', lastProvider: 'slack', room: '#a' })).toMatchObject({ channel: 'telegram', lastChannel: 'slack', groupChannel: '#a' });
    expect(native({ provider: 'telegram', channel: 'discord' })).toMatchObject({ channel: 'discord' });
  });

  it('has the chat type of the entry, never that of its origin (measured)', () => {
    expect(native({ origin: { chatType: 'group' } }).chatType).toBeUndefined();
    expect(native({ chatType: 'direct', origin: { chatType: 'group' } }).chatType).toBe('direct');
  });

  it('leaves out members of another type and numbers that the wire cannot hold', () => {
    const row = native({ label: 7, systemSent: 'yes', totalTokens: '9', inputTokens: 1e300, spawnDepth: 2 ** 40, origin: 'x', compactionCheckpoints: {} });
    for (const name of ['label', 'systemSent', 'totalTokens', 'inputTokens', 'spawnDepth', 'originJson', 'compactionCheckpointCount'] as const) expect(row[name]).toBeUndefined();
    expect(SessionRow.decode(SessionRow.encode(row).finish())).toEqual(row);
  });

  it('says that a turn is under way or waits, and without one nothing', () => {
    const withRuns = (...states: string[]): JsonValue => states.map((state) => ({ state, acceptedAt: 1, request: { runId: 'r' } }));
    expect(native({ openRuns: withRuns('running') }).hasActiveRun).toBe(true);
    expect(native({ openRuns: withRuns('over', 'queued') }).hasActiveRun).toBe(true);
    for (const openRuns of [withRuns('over'), [], 'x', null]) expect(native({ status: 'running', openRuns }).hasActiveRun).toBeUndefined();
  });

  it('reads the simple format as what it stands for', () => {
    const row = rowOf({ uuid: '0b6c', created: '2026-04-02T07:30:00Z', lastActive: '2026-04-09T16:12:40Z', messageCount: 5, state: { model: 'anthropic/claude-sonnet-4', modelOverride: 'openai/gpt-5', activationMode: 'mention', lastCompaction: '2026-04-03T00:00:00Z' } });
    expect(row).toMatchObject({ sessionId: '0b6c', sessionStartedAtMs: Date.UTC(2026, 3, 2, 7, 30), updatedAtMs: Date.UTC(2026, 3, 9, 16, 12, 40), lastInteractionAtMs: Date.UTC(2026, 3, 9, 16, 12, 40), messageCount: 5, modelProvider: 'anthropic', model: 'claude-sonnet-4', providerOverride: 'openai', modelOverride: 'gpt-5', groupActivation: 'mention', lastCompactionAtMs: Date.UTC(2026, 3, 3) });
  });

  it('believes a count of the transcript before one that is stored', () => {
    expect(rowOf({ uuid: 'a', messageCount: 5 }, { messageCount: 7 }).messageCount).toBe(7);
    expect(rowOf({ uuid: 'a', messageCount: 5 }).messageCount).toBe(5);
  });
});

describe('searchTextOf', () => {
  it('holds what a search looks through, in lower case', () => {
    expect(searchTextOf(native({ displayName: 'A', label: 'B', subject: 'C', modelProvider: 'P', model: 'M', lastTo: 'hidden' }))).toBe('a\nb\nc\n0190aaaa\nagent:main:main\np/m');
  });

  it('holds the chosen model beside the one used last, and the name that came with the messages', () => {
    const text = searchTextOf(native({ providerOverride: 'openai', modelOverride: 'gpt-5', modelProvider: 'P', model: 'M', origin: { label: 'Bob' } }));
    expect(text.split('\n')).toEqual(['bob', '0190aaaa', 'agent:main:main', 'openai/gpt-5', 'p/m']);
  });
});
