import { defaultConfig } from '../config/parse-config';
import type { JsonObject } from '../json';
import { decideFreshness, resetPolicyFor, sessionTimes } from './freshness';
import { resetEntry } from './reset-entry';
import { restoredEntry } from './restore-entry';
import { ZoneClocks } from './zone-clock';

const KEY = 'agent:main:main';
const applied = (entry: JsonObject, patch: { set: JsonObject; clear: readonly string[] }): JsonObject => Object.fromEntries(Object.entries({ ...entry, ...patch.set }).filter(([name]) => !patch.clear.includes(name)));

describe('restoredEntry', () => {
  const nowMs = Date.UTC(2026, 5, 10, 12);
  const entry: JsonObject = { sessionId: 'old', sessionFile: 'old.jsonl', updatedAt: 1, sessionStartedAt: 1, lastInteractionAt: 1, label: 'mine', modelOverride: 'm', plugin: { x: 1 } };
  const back = { sessionId: 'old', sessionFile: 'old.jsonl', nowMs };

  it('undoes a reset, keeps what was chosen, and is fresh for the next message', () => {
    const reset = applied(entry, resetEntry(entry, { key: KEY, reason: 'daily', sessionId: 'new', sessionFile: 'new.jsonl', nowMs: 5 }));
    const restored = applied(reset, restoredEntry({ ...back, kind: 'reset', current: reset }));
    expect(restored).toMatchObject({ sessionId: 'old', sessionFile: 'old.jsonl', previousSessionId: 'new', usageFamilySessionIds: ['old', 'new'], label: 'mine', modelOverride: 'm', plugin: { x: 1 }, totalTokensFresh: false });
    for (const name of ['lastResetReason', 'totalTokens']) expect(restored).not.toHaveProperty(name);
    const policy = resetPolicyFor(defaultConfig().session, KEY);
    expect(decideFreshness(policy, { key: KEY, nowMs: nowMs + 1, times: sessionTimes(restored), occasion: 'message', hasRun: false }, new ZoneClocks(() => 'UTC')).fresh).toBe(true);
  });

  it('takes a deleted row from the manifest, and makes one where nothing was recorded', () => {
    const made = restoredEntry({ ...back, kind: 'deleted', current: undefined, archived: { ...entry, status: 'done', totalTokens: 9, archiveAt: 3 } });
    expect(made.set).toMatchObject({ label: 'mine', plugin: { x: 1 }, updatedAt: nowMs });
    for (const name of ['status', 'totalTokens', 'archiveAt']) expect(made.set).not.toHaveProperty(name);
    expect(restoredEntry({ ...back, kind: 'deleted', current: undefined }).set).toMatchObject({ sessionId: 'old', updatedAt: nowMs });
  });

  it('leaves the session id of a truncated transcript and forgets its counters', () => {
    expect(restoredEntry({ ...back, kind: 'bak', current: { ...entry, totalTokens: 5 } })).toEqual({ set: { updatedAt: nowMs, totalTokensFresh: false }, clear: ['totalTokens'] });
  });
});
