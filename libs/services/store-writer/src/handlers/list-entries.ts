/** ListEntries: rows newest first, as the index has them encoded; decoded only where a filter or a text needs it. */
import { EntryFilter, ListEntriesResponse, SessionRow, type ListEntriesRequest } from '@sessions/contracts';
import { cliRowKind, isInChannel, SessionError, storedSpellings } from '@sessions/domain';
import { LIST_ANSWER_BYTES } from '@sessions/bus';
import { VISIBILITY, type AgentStore, type ListPage, type ListQuery, type Visibility } from '@sessions/store';
import type { OwnedAgent } from '../owned-agent';
import { withChildSessions } from './child-sessions';
import { withoutBulky } from './entry-json';
import { rowTexts } from './row-texts';
import { sessionEntry } from './stored-session';

/** Rows of one answer. */
export const LIST_LIMIT_MAX = 1000;
/** Keys that one filter may name. */
export const FILTER_KEYS_MAX = 1000;
/** @throws VALIDATION for a limit, an offset or too many keys, UNSUPPORTED for an order */
export function listEntries(agent: OwnedAgent, request: ListEntriesRequest): Promise<ListEntriesResponse> {
  const { limit, offset } = checked(request);
  const filter = request.filter ?? EntryFilter.create({});
  const empty = (): ListEntriesResponse => ListEntriesResponse.create({ path: agent.deps.sessionsFile() });
  return agent.read(async (store, open) => {
    const query = queryOf(filter, agent.deps.clock.nowMs());
    const passes = rowTest(filter);
    const wanted = request.countOnly ? 0 : limit;
    const page = passes === undefined ? await store.list({ ...query, offset, limit: wanted }) : await scan(store, filter, { query, passes, offset, limit: wanted });
    const answer = ListEntriesResponse.create({
      epoch: store.epoch,
      storeSeq: open.seq,
      totalCount: page.totalCount,
      path: store.layout.sessionsFile,
      warnings: [...page.warnings],
    });
    let bytes = 0;
    const wantsTexts = request.includeDerivedTitles || request.includeLastMessage;
    for (const encoded of await withChildSessions(store, page.encodedRows, agent.deps.clock.nowMs())) {
      // Not waited for where there is nothing to wait for: a plain list copies rows and nothing else.
      const row = wantsTexts ? await rowTexts(store, encoded, request) : encoded;
      const entryJson = request.full ? await entryOf(store, encoded) : undefined;
      bytes += row.length + (entryJson?.length ?? 0);
      if (bytes > LIST_ANSWER_BYTES && answer.encodedRows.length > 0) break;
      answer.encodedRows.push(Buffer.isBuffer(row) ? row : Buffer.from(row));
      if (entryJson !== undefined) answer.entriesJson.push(entryJson);
    }
    const nextOffset = offset + answer.encodedRows.length;
    answer.hasMore = !request.countOnly && nextOffset < page.totalCount;
    answer.nextOffset = answer.hasMore ? nextOffset : undefined;
    return answer;
  }, empty);
}

function checked({ sort, limit = LIST_LIMIT_MAX, offset = 0, filter }: ListEntriesRequest): { readonly limit: number; readonly offset: number } {
  if (sort !== '' && sort !== 'updated_desc') throw new SessionError('UNSUPPORTED', `rows come newest first; the order ${JSON.stringify(sort.slice(0, 32))} is not served`);
  if (!Number.isInteger(limit) || limit < 1) throw new SessionError('VALIDATION', 'limit must be at least 1');
  if (!Number.isInteger(offset) || offset < 0) throw new SessionError('VALIDATION', 'offset must be 0 or more');
  if ((filter?.keys.length ?? 0) > FILTER_KEYS_MAX) throw new SessionError('VALIDATION', `a filter names at most ${String(FILTER_KEYS_MAX)} keys`);
  return { limit: Math.min(limit, LIST_LIMIT_MAX), offset };
}

type IndexedQuery = Omit<ListQuery, 'offset' | 'limit'>;
type RowTest = (row: SessionRow) => boolean;

/** The part of a filter that the index answers. */
function queryOf(filter: EntryFilter, nowMs: number): IndexedQuery {
  const visibilities: Visibility[] = [VISIBILITY.listed];
  if (filter.includeGlobal) visibilities.push(VISIBILITY.global);
  if (filter.includeUnknown) visibilities.push(VISIBILITY.unknown);
  if (filter.includeCronRuns) visibilities.push(VISIBILITY.cronRun);
  return {
    visibilities,
    ...(filter.activeWithinMs === undefined ? {} : { updatedSinceMs: nowMs - filter.activeWithinMs }),
    ...(filter.label === undefined ? {} : { label: filter.label }),
    ...(filter.spawnedBy === undefined ? {} : { spawnedBy: filter.spawnedBy }),
    ...(filter.search === undefined || filter.search === '' ? {} : { search: filter.search }),
  };
}

/** The part that only the row tells; undefined: nothing is left to ask. */
function rowTest({ keys, keyPrefix, kinds, status, channel }: EntryFilter): RowTest | undefined {
  const tests: RowTest[] = [];
  if (keys.length > 0) {
    const spellings = new Set<string>(keys.flatMap((key) => storedSpellings(key)));
    tests.push((row) => spellings.has(row.key));
  }
  if (keyPrefix !== undefined && keyPrefix !== '') tests.push((row) => row.key.startsWith(keyPrefix));
  if (kinds.length > 0) tests.push((row) => kinds.includes(cliRowKind(row.key, { chatType: row.chatType, spawnedBy: row.spawnedBy })));
  if (status !== undefined) tests.push((row) => row.status === status);
  if (channel !== undefined) tests.push((row) => isInChannel(row, channel));
  return tests.length === 0 ? undefined : (row) => tests.every((test) => test(row));
}

interface Scan {
  readonly query: IndexedQuery;
  readonly passes: RowTest;
  readonly offset: number;
  readonly limit: number;
}

/** Walks the rows that the index finds, a page at a time, and keeps those that pass. */
async function scan(store: AgentStore, filter: EntryFilter, { query, passes, offset, limit }: Scan): Promise<ListPage> {
  const encodedRows: Uint8Array[] = [];
  let totalCount = 0;
  let warnings: readonly string[] = [];
  const take = (encoded: Uint8Array): void => {
    if (!passes(SessionRow.decode(encoded))) return;
    if (totalCount >= offset && encodedRows.length < limit) encodedRows.push(encoded);
    totalCount += 1;
  };
  if (isKeyLookup(filter)) {
    for (const encoded of await rowsOfKeys(store, filter)) take(encoded);
    return { encodedRows, totalCount, warnings: (await store.list({ limit: 0 })).warnings };
  }
  for (let at = 0; ; at += LIST_LIMIT_MAX) {
    const page = await store.list({ ...query, offset: at, limit: LIST_LIMIT_MAX });
    warnings = page.warnings;
    for (const encoded of page.encodedRows) take(encoded);
    if (at + LIST_LIMIT_MAX >= page.totalCount) return { encodedRows, totalCount, warnings };
    // Other requests have their turn between pages.
    await new Promise(setImmediate);
  }
}

/** Keys with no other filter of the index are looked up one by one. */
function isKeyLookup({ keys, search, label, spawnedBy, activeWithinMs }: EntryFilter): boolean {
  return keys.length > 0 && (search ?? '') === '' && label === undefined && spawnedBy === undefined && activeWithinMs === undefined;
}

async function rowsOfKeys(store: AgentStore, { keys, includeGlobal, includeUnknown, includeCronRuns }: EntryFilter): Promise<readonly Uint8Array[]> {
  const rows = new Map<string, { readonly encoded: Uint8Array; readonly updatedAtMs: number }>();
  for (const key of new Set(keys.flatMap((given) => storedSpellings(given)))) {
    const entry = await sessionEntry(store, { key });
    if (entry === undefined) continue;
    const row = SessionRow.decode(entry.encodedRow);
    const kind = cliRowKind(row.key, { chatType: row.chatType, spawnedBy: row.spawnedBy });
    const isCronRun = kind === 'cron' && row.key.includes(':run:');
    if ((kind === 'global' && !includeGlobal) || (kind === 'unknown' && !includeUnknown) || (isCronRun && !includeCronRuns)) continue;
    rows.set(entry.key, { encoded: entry.encodedRow, updatedAtMs: row.updatedAtMs ?? 0 });
  }
  return [...rows.values()].sort((a, b) => b.updatedAtMs - a.updatedAtMs).map((row) => row.encoded);
}

async function entryOf(store: AgentStore, encodedRow: Uint8Array): Promise<Buffer> {
  const entry = await store.entry({ key: SessionRow.decode(encodedRow).key });
  if (entry === undefined) return Buffer.from('{}');
  return withoutBulky(entry.text);
}
