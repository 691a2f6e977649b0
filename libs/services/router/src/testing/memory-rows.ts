/** Rows and lists of a store in memory. */
import { ListEntriesResponse, SessionRow } from '@sessions/contracts';
import type { EntryFilter, ListEntriesRequest } from '@sessions/contracts';
import { SessionError, isCronRunKey, parseEntry, searchTextOf, toSessionRow } from '@sessions/domain';
import { STORES_NOW_MS, pathOf, textOfLine } from './memory-agent';
import type { MemoryAgent } from './memory-agent';
import type { MemorySession } from './memory-operations';

export function rowOf(agentId: string, key: string, { entry, messages }: MemorySession): SessionRow {
  const parsed = parseEntry(entry);
  if (!parsed.listed) throw new SessionError('INTERNAL', 'the test stored an entry that no list shows');
  return toSessionRow(key, parsed, { agentId, messageCount: messages.length });
}

export const encodedRow = (agentId: string, key: string, session: MemorySession): Buffer =>
  Buffer.from(SessionRow.encode(rowOf(agentId, key, session)).finish());

export function listEntries({ sessions }: MemoryAgent, { agentId, filter, limit = 1000, offset = 0, includeDerivedTitles, includeLastMessage }: ListEntriesRequest): ListEntriesResponse {
  const rows = [...sessions].map(([key, session]) => ({ row: rowOf(agentId, key, session), session })).filter(({ row }) => passes(row, filter));
  rows.sort((a, b) => (b.row.updatedAtMs ?? -1) - (a.row.updatedAtMs ?? -1));
  const page = rows.slice(offset, offset + limit);
  const encodedRows = page.map(({ row, session }) => {
    const [first, last] = [session.messages[0], session.messages.at(-1)];
    if (includeDerivedTitles && first !== undefined) row.derivedTitle = textOfLine(first.line);
    if (includeLastMessage && last !== undefined) row.lastMessagePreview = textOfLine(last.line);
    return Buffer.from(SessionRow.encode(row).finish());
  });
  const nextOffset = offset + page.length;
  const hasMore = nextOffset < rows.length;
  return ListEntriesResponse.create({ encodedRows, totalCount: rows.length, hasMore, nextOffset: hasMore ? nextOffset : undefined, path: pathOf(agentId) });
}

function passes(row: SessionRow, filter: EntryFilter | undefined): boolean {
  if (filter === undefined) return true;
  if (filter.keys.length > 0 && !filter.keys.includes(row.key)) return false;
  if (row.key === 'global' && !filter.includeGlobal) return false;
  if (row.key === 'unknown' && !filter.includeUnknown) return false;
  if (isCronRunKey(row.key) && !filter.includeCronRuns) return false;
  if (filter.label !== undefined && row.label !== filter.label) return false;
  if (filter.spawnedBy !== undefined && row.spawnedBy !== filter.spawnedBy && row.parentSessionKey !== filter.spawnedBy) return false;
  if (filter.activeWithinMs !== undefined && (row.updatedAtMs ?? 0) < STORES_NOW_MS - filter.activeWithinMs) return false;
  return filter.search === undefined || searchTextOf(row).includes(filter.search.toLowerCase());
}
