/** What plans are made from, of an entry that is read beside its index or without one. */
import { ROW_FLAGS } from '@sessions/domain';
import { importColumns } from '../session-index/entry-columns';
import type { OrderedRow } from '../session-index/index-reader';

/** A row without its place. */
export type FactRow = Omit<OrderedRow, 'id'>;

/** @param value of the entry, parsed. @param entryBytes its share of `sessions.json` */
export function factRowOf(key: string, value: unknown, entryBytes: number): FactRow {
  const { sessionId, file, updatedAt, sortAt, label, facts } = importColumns(key, value);
  return { key, entryBytes, sessionId, file, updatedAt, sortAt, ...facts, label };
}

/** Whether somebody should hear of it: its removal was announced, or a message of it waits. */
export function isWaiting({ flags, removalAnnouncedAtMs }: FactRow): boolean {
  return removalAnnouncedAtMs !== null || (flags & ROW_FLAGS.undelivered) !== 0;
}
