import type { JsonObject } from '../json';
import { parseStoreFile } from '../maintenance/store-files';
import { sessionOfSuccessor, successorFileName } from './entry-file';
import { rotationOf, successorOf } from './rotate-entry';

const AT = Date.UTC(2026, 5, 1, 9, 0, 1, 7);
const checkpoint = (before: string, after: string): JsonObject => ({ checkpointId: `${before}>${after}`, preCompaction: { sessionId: before, sessionFile: `${before}.jsonl` }, postCompaction: { sessionId: after } });

it('names a successor after its beginning and its id, and reads the id back from all that is named after it', () => {
  const id = '0190aaaa-0000-7000-8000-000000000001';
  const file = successorFileName(id, AT);
  expect(file).toBe(`2026-06-01T09-00-01-007Z_${id}.jsonl`);
  expect(sessionOfSuccessor(file.slice(0, -'.jsonl'.length))).toBe(id);
  expect(sessionOfSuccessor(id)).toBeUndefined();
  expect(sessionOfSuccessor('2026-06-01T09-00-01-007Z_../x')).toBeUndefined();
  const base = file.slice(0, -'.jsonl'.length);
  for (const name of [file, `${base}.trajectory.jsonl`, `${base}.trajectory-path.json`, `${file}.reset.2026-06-01T09-00-00.000Z`, `${base}.checkpoint.${id}.jsonl`]) expect(parseStoreFile(name)?.sessionIds).toContain(id);
});

it('moves the entry and the work that is open in it', () => {
  const entry = { sessionId: 'a', openRuns: [{ runId: 'r', sessionId: 'a' }, { runId: 'q', sessionId: 'x' }], yieldedTurns: [], openApprovals: [{ sessionId: 'a' }], usageFamilySessionIds: ['0', 'a'] };
  expect(rotationOf(entry, { key: 'k', before: 'a', sessionId: 'b', sessionFile: 'b.jsonl' })).toEqual({
    sessionId: 'b',
    sessionFile: 'b.jsonl',
    usageFamilyKey: 'k',
    usageFamilySessionIds: ['0', 'a', 'b'],
    openRuns: [{ runId: 'r', sessionId: 'b' }, { runId: 'q', sessionId: 'x' }],
    openApprovals: [{ sessionId: 'b' }],
  });
});

it('knows the transcripts that the present one goes on from, and no others', () => {
  const entry = { sessionId: 'c', compactionCheckpoints: [checkpoint('z', 'y'), checkpoint('a', 'a'), checkpoint('a', 'b'), checkpoint('b', 'c')] };
  expect(successorOf(entry, 'a')?.map(({ file }) => file)).toEqual(['a.jsonl', 'b.jsonl']);
  expect(successorOf(entry, 'b')).toEqual([{ sessionId: 'b', file: 'b.jsonl' }]);
  for (const other of ['c', 'z', 'nobody']) expect(successorOf(entry, other)).toBeUndefined();
  expect(successorOf({ sessionId: 'c' }, 'b')).toBeUndefined();
  // Of a store that somebody wrote by hand: no end, and no answer.
  expect(successorOf({ sessionId: 'c', compactionCheckpoints: [checkpoint('a', 'b'), checkpoint('b', 'a')] }, 'a')).toBeUndefined();
});
