/** Generators of stores as a planner sees them. */
import fc from 'fast-check';
import { PROTECTIONS, isOlder, type FactFile, type FactRow, type ProtectedRows, type StoreFacts } from '../maintenance/facts';
import { maintenanceFacts, rowProtections } from '../maintenance/maintenance-facts';

/** The time of every generated store. */
export const FACTS_NOW_MS = Date.UTC(2026, 5, 15, 12);
const DAY_MS = 86_400_000;

const rests: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('main', 'telegram:direct:1', 'telegram:group:5', 'slack:channel:c', 'telegram:work:direct:7:topic:2', 'hook:x', 'cron:job'),
  fc.nat(40).map((id) => `telegram:direct:${String(id)}`),
  fc.nat(40).map((id) => `subagent:${String(id)}`),
  fc.uuid().map((id) => `explicit:model-run-${id}`),
  fc.nat(40).map((id) => `cron:job:run:${String(id)}`),
  fc.nat(40).map((id) => `discord:group:1:thread:${String(id)}`),
);

const rows: fc.Arbitrary<FactRow> = fc
  .record({
    rest: rests,
    ageMs: fc.option(fc.integer({ min: -DAY_MS, max: 90 * DAY_MS }), { freq: 10, nil: undefined }),
    bytes: fc.nat(5_000),
    entryBytes: fc.nat(300),
    sessionId: fc.option(fc.uuid(), { freq: 20, nil: undefined }),
    transcriptState: fc.constantFrom(...(['present', 'present', 'present', 'missing', 'header-only', 'unreadable', 'misplaced', undefined] as const)),
    busy: fc.constantFrom(...(['', '', '', '', 'run', 'undelivered', 'held'] as const)),
    chatType: fc.constantFrom(...(['direct', 'direct', 'group', undefined] as const)),
  })
  .map(({ rest, ageMs, bytes, entryBytes, sessionId, transcriptState, busy, chatType }) => {
    const key = `agent:main:${rest}`;
    const updatedAtMs = ageMs === undefined ? undefined : FACTS_NOW_MS - ageMs;
    const entry = { sessionId: 's', ...(updatedAtMs === undefined ? {} : { updatedAt: updatedAtMs }), ...(chatType === undefined ? {} : { chatType }), ...(busy === 'run' ? { status: 'running' } : {}), ...(busy === 'undelivered' ? { pendingFinalDelivery: true } : {}) };
    return {
      key,
      protections: rowProtections(key, maintenanceFacts(key, entry), { nowMs: FACTS_NOW_MS, isHeld: busy === 'held', named: [] }),
      bytes,
      entryBytes,
      ...(updatedAtMs === undefined ? {} : { updatedAtMs }),
      ...(sessionId === undefined ? {} : { sessionId }),
      ...(transcriptState === undefined ? {} : { transcriptState }),
      ...(transcriptState === 'misplaced' ? { foundFile: 'found.jsonl' } : {}),
    };
  });

const files: fc.Arbitrary<FactFile> = fc
  .record({
    name: fc.uuid(),
    fileClass: fc.constantFrom(...(['archive-reset', 'archive-deleted', 'archive-bak', 'orphan-transcript', 'orphan-checkpoint', 'orphan-trajectory', 'orphan-prompt-blob', 'stale-temp'] as const)),
    sizeBytes: fc.nat(5_000),
    ageMs: fc.oneof(fc.integer({ min: -DAY_MS, max: 90 * DAY_MS }), fc.integer({ min: 0, max: 7_200_000 })),
  })
  .map(({ name, fileClass, sizeBytes, ageMs }) => {
    const atMs = FACTS_NOW_MS - ageMs;
    return { name, fileClass, sizeBytes, mtimeMs: atMs, ...(fileClass.startsWith('archive-') ? { stampAtMs: atMs } : {}) };
  });

/** The totals of rows and files, where all of them are given. @param pruneAfterMs what rows are over age by; 0: none is. */
export function factsOf(given: readonly FactRow[], found: readonly FactFile[] = [], otherBytes = 0, { pruneAfterMs = 30 * DAY_MS, nowMs = FACTS_NOW_MS } = {}): StoreFacts {
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  return {
    totals: {
      rowCount: given.length,
      protectedRowCount: given.filter((row) => row.protections.length > 0).length,
      protectedRows: PROTECTIONS.flatMap((protection): ProtectedRows[] => {
        const kept = given.filter((row) => row.protections[0] === protection);
        return kept.length === 0 ? [] : [{ protection, rowCount: kept.length, overAgeCount: kept.filter((row) => isOlder(row, pruneAfterMs, nowMs)).length }];
      }),
      totalBytes: otherBytes + sum(given.map((row) => row.bytes + (row.entryBytes ?? 0))) + sum(found.map((file) => file.sizeBytes)),
      fileCount: given.length + found.length,
    },
    rows: given,
    files: found,
  };
}

/** Stores of up to 60 rows and 30 files, every row and file of them given. */
export const storeFacts: fc.Arbitrary<StoreFacts> = fc
  .record({ rows: fc.uniqueArray(rows, { maxLength: 60, selector: (row) => row.key }), files: fc.uniqueArray(files, { maxLength: 30, selector: (file) => file.name }) })
  .map((store) => factsOf(store.rows, store.files));
