/**
 * Substring search over the index, in slices of rows, so that the worker serves its other messages
 * in between. A substring has no index in SQLite; the cost is bounded by the slice, not the store.
 */
import type Database from 'better-sqlite3';
import { SessionRow } from '@sessions/contracts';
import { isInChannel } from '@sessions/domain';
import type { SearchReply, SearchRequest } from './worker-protocol';

const ROWS_PER_SLICE = 5000;

interface Candidate {
  readonly id: number;
  readonly sort_at: number;
  readonly hit: number;
}

/** Ids of matching rows in list order. @param breathe resolves after other messages had their turn. */
export async function searchSessions(db: Database.Database, request: SearchRequest, breathe: () => Promise<void>): Promise<SearchReply> {
  const wanted = request.visibilities.map(Number).join(', ');
  const conditions = [`s.visibility IN (${wanted})`];
  const values: (string | number)[] = [];
  if (request.updatedSinceMs !== undefined) {
    conditions.push('s.updated_at >= ?');
    values.push(request.updatedSinceMs);
  }
  if (request.updatedBeforeMs !== undefined) {
    conditions.push('s.updated_at < ?');
    values.push(request.updatedBeforeMs);
  }
  if (request.label !== undefined) {
    conditions.push('s.label = ?');
    values.push(request.label);
  }
  if (request.spawnedBy !== undefined) {
    conditions.push('(s.spawned_by = ? OR s.parent_key = ?)');
    values.push(request.spawnedBy, request.spawnedBy);
  }
  const slice = db.prepare(
    `SELECT s.id, s.sort_at, (${conditions.join(' AND ')}) AND instr(s.search, ?) > 0 AS hit
     FROM session s WHERE s.id > ? ORDER BY s.id LIMIT ${ROWS_PER_SLICE}`,
  );
  const rowOf = db.prepare('SELECT row FROM session WHERE id = ?').pluck();
  const isAsked = (id: number): boolean => request.channel === undefined || isInChannel(SessionRow.decode((rowOf.get(id) as Uint8Array | null) ?? new Uint8Array()), request.channel);
  const needle = request.text.toLowerCase();
  const hits: Candidate[] = [];
  for (let lastId = 0; ; ) {
    const rows = slice.all(...values, needle, lastId) as Candidate[];
    for (const row of rows) if (row.hit === 1 && isAsked(row.id)) hits.push(row);
    const last = rows[rows.length - 1];
    if (last === undefined || rows.length < ROWS_PER_SLICE) break;
    lastId = last.id;
    await breathe();
  }
  hits.sort((a, b) => b.sort_at - a.sort_at || a.id - b.id);
  return { ids: hits.slice(request.offset, request.offset + request.limit).map((hit) => hit.id), totalCount: hits.length };
}
