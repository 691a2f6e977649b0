import type { JsonObject } from '../json';
import { importedEntryText } from './import-entry';
import { headerIdOf } from './imported-transcript';

const ID = '0190aaaa-0000-7000-8000-000000000001';
const here = { sessionId: ID, file: `${ID}.jsonl` };

it('keeps every byte where nothing would be untrue', () => {
  const text = `{ "sessionId":"${ID}",\t"updatedAt": 1e3, "big": 12345678901234567890, "x":{"y" : [1.0]}, "sessionFile": "${ID}.jsonl" }`;
  expect(importedEntryText(text, here)).toBe(text);
  expect(importedEntryText('[1, 2.0]', here)).toBe('[1, 2.0]');
});

it('changes the members that would be untrue, and no other byte', () => {
  const text = `{"sessionId":"${ID}","sessionFile":"/home/a/.openclaw/agents/main/sessions/${ID}.jsonl","status":"running","big":12345678901234567890,"pendingCompaction":{"a":1},"openRuns":[{"runId":"r"}],"openDeliveries":[{"deliveryId":"d"}],"childClaims":[{"key":"k","at":1}],"yieldedTurns":[{"runId":"r"}],"yieldingRun":"r"}`;
  expect(importedEntryText(text, here)).toBe(`{"sessionId":"${ID}","sessionFile":"${ID}.jsonl","status":"killed","big":12345678901234567890,"abortedLastRun":true}`);
});

it('gives an id that was taken another one, in either format', () => {
  expect(JSON.parse(importedEntryText(`{"sessionId":"a","updatedAt":1}`, here))).toEqual({ sessionId: ID, updatedAt: 1, importedTranscript: { sessionId: ID, headerId: 'a' } });
  expect(JSON.parse(importedEntryText(`{"uuid":"a","n":1.50}`, { sessionId: 'b', file: 'b-topic-7.jsonl' }))).toEqual({ uuid: 'b', n: 1.5, sessionFile: 'b-topic-7.jsonl', importedTranscript: { sessionId: 'b', headerId: 'a' } });
  expect(JSON.parse(importedEntryText(`{"sessionId":"a"}`, { sessionId: 'b', file: null }))).toEqual({ sessionId: 'b' });
});

it('says what the header of a transcript calls it, over further hosts too, and not of the next transcript', () => {
  const once = importedEntryText(`{"sessionId":"a"}`, { sessionId: 'b', file: 'b.jsonl' });
  expect(importedEntryText(once, { sessionId: 'b', file: 'b.jsonl' })).toBe(once);
  const twice = JSON.parse(importedEntryText(once, { sessionId: 'c', file: 'c.jsonl' })) as JsonObject;
  expect(headerIdOf(twice, 'c')).toBe('a');
  expect(headerIdOf(twice, 'd')).toBeUndefined();
  const afterReset = JSON.stringify({ ...twice, sessionId: 'd' });
  expect(headerIdOf(JSON.parse(importedEntryText(afterReset, { sessionId: 'e', file: 'e.jsonl' })) as JsonObject, 'e')).toBe('d');
});

it('brings no rights and no pointers of the other host', () => {
  const granting = {
    spawnedBy: 'agent:main:main', subagentRole: 'orchestrator', subagentControlScope: 'children', spawnMode: 'session', threadBinding: { threadId: '7' }, boundSession: { sessionKey: 'agent:main:subagent:x', boundAt: 1 }, cleanup: 'delete', archiveAt: 1,
    attachments: { relDir: '.openclaw/attachments/0190aaaa-0000-7000-8000-00000000000f' }, spawnedWorkspaceDir: '/etc', spawnedCwd: '/', execHost: 'gateway', execSecurity: 'full', execAsk: 'off', execNode: 'n',
    authProfileOverride: 'root', skillsSnapshot: { prompt: 'p' }, acp: { id: 'x' }, cliSessionIds: { a: 'b' }, claudeCliSessionId: 'c', sendPolicy: 'allow', elevatedLevel: 'full',
  };
  const kept = { sessionId: ID, updatedAt: 1, label: 'kept', spawnDepth: 2, parentSessionKey: 'agent:main:main', inheritedToolDeny: ['exec'], modelOverride: 'm', groupActivation: 'always', deliveryContext: { channel: 'telegram', to: '1' } };
  expect(JSON.parse(importedEntryText(JSON.stringify({ ...kept, ...granting }), here))).toEqual(kept);
  // The values that take away stay.
  const narrowed = JSON.stringify({ ...kept, sendPolicy: 'deny', elevatedLevel: 'off' });
  expect(importedEntryText(narrowed, here)).toBe(narrowed);
  // Entries without a session of their own grant nothing either.
  expect(JSON.parse(importedEntryText(JSON.stringify({ updatedAt: 1, sendPolicy: 'allow', spawnedBy: 'x' }), { sessionId: null, file: null }))).toEqual({ updatedAt: 1 });
});

it('names no transcript before its own, and its own by the names that it has here', () => {
  const checkpoint = (checkpointId: string, before: Record<string, string>, after: Record<string, string>) => ({ checkpointId, sessionId: after['sessionId'], summary: checkpointId, preCompaction: before, postCompaction: after });
  const own = { sessionId: 'b', sessionFile: '2026-06-01T09-00-00-000Z_b.jsonl', leafId: 'l' };
  const entry = {
    sessionId: 'b', updatedAt: 1, sessionFile: own.sessionFile, previousSessionId: 'a', usageFamilyKey: 'agent:main:main', usageFamilySessionIds: ['a', 'b'],
    compactionCheckpoints: [checkpoint('rotated', { sessionId: 'a', sessionFile: 'a.jsonl' }, own), checkpoint('grown', own, own), checkpoint('old', { sessionId: 'x', sessionFile: 'b.checkpoint.1.jsonl' }, own)],
  };
  const mine = { sessionId: ID, sessionFile: `${ID}.jsonl`, leafId: 'l' };
  expect(JSON.parse(importedEntryText(JSON.stringify(entry), here))).toEqual({
    sessionId: ID, updatedAt: 1, importedTranscript: { sessionId: ID, headerId: 'b' }, sessionFile: `${ID}.jsonl`,
    compactionCheckpoints: [{ ...checkpoint('grown', mine, mine) }, checkpoint('old', { sessionId: 'x', sessionFile: 'b.checkpoint.1.jsonl' }, own)],
  });
  expect(JSON.parse(importedEntryText(JSON.stringify({ ...entry, compactionCheckpoints: entry.compactionCheckpoints.slice(0, 1) }), here))).not.toHaveProperty('compactionCheckpoints');
});
