/** Selection and order of lists, for rows that do not come out of SQL in order. Pure. */
import type { EntryColumns } from './entry-columns';
import type { ListQuery } from './index-reader';
import { VISIBILITY } from './schema';

/** Columns that a query of lists looks at. */
export type ListColumns = Omit<EntryColumns, 'row' | 'facts'>;

export interface RankedRow {
  readonly key: string;
  readonly sortAt: number;
  /** Place in the store: ties of time keep it. */
  readonly order: number;
  /** Encoded SessionRow. */
  readonly encoded: Uint8Array;
}

export function newestFirst(a: RankedRow, b: RankedRow): number {
  return b.sortAt - a.sortAt || a.order - b.order;
}

/** Whether an entry is among those that a query asks for, its page apart. */
export function matchesQuery(columns: ListColumns, query: ListQuery): boolean {
  if (!(query.visibilities ?? [VISIBILITY.listed]).includes(columns.visibility)) return false;
  if (query.updatedSinceMs !== undefined && (columns.updatedAt === null || columns.updatedAt < query.updatedSinceMs)) return false;
  if (query.label !== undefined && columns.label !== query.label) return false;
  return query.spawnedBy === undefined || columns.spawnedBy === query.spawnedBy || columns.parentKey === query.spawnedBy;
}
