/**
 * Rows of a store, newest first: read only, nothing made or changed.
 *
 * A store that cannot be read is never an empty one (decision on unreadable stores): what comes
 * from a copy carries a warning, and where there is none the reader throws STORE_UNREADABLE.
 */
import { decodeListRow } from './decode-list-row';
import { readStore } from './read-store';
import type { StoreChoice } from './select-stores';
import type { SessionRow } from '@sessions/contracts';
import { VISIBILITY } from '@sessions/store';
import type * as V8 from 'node:v8';

export interface RowsQuery {
  /** Only entries whose `updatedAt` is a time not before this; epoch ms. Null: all. */
  readonly activeSinceMs: number | null;
  /** Entries at most. Null: all. */
  readonly limit: number | null;
  /** The members of each row; those that a listing shows when absent. */
  readonly decode?: (encoded: Uint8Array) => SessionRow;
}

export interface RowsPage {
  /** Newest `updatedAt` first, ties in store order; only those that a listing shows. */
  readonly rows: readonly SessionRow[];
  /** How many the query matches, before the limit. */
  readonly totalCount: number;
  /** Why the rows do not come from `sessions.json`; undefined when they do. */
  readonly warning: string | undefined;
}

/** The command line shows what the gateway hides: reserved keys and single cron runs. */
const SHOWN = [VISIBILITY.listed, VISIBILITY.global, VISIBILITY.unknown, VISIBILITY.cronRun];

/** Below so many rows a process ends before optimised code has paid for its making. */
const OPTIMISED_ABOVE_ROWS = 500;

/**
 * A hundred rows are just enough for V8 to think a loop hot: making fast code of it costs a listing
 * more than all of its rows.
 */
function forgoOptimising(): void {
  const { setFlagsFromString } = module.require('node:v8') as typeof V8;
  setFlagsFromString('--no-opt');
}

/** @throws STORE_UNREADABLE */
export function readRows(choice: StoreChoice, { activeSinceMs, limit, decode = decodeListRow }: RowsQuery): Promise<RowsPage> {
  return readStore(choice, (reader) => {
    const page = reader.list({
      visibilities: SHOWN,
      ...(activeSinceMs !== null && { updatedSinceMs: activeSinceMs }),
      limit: limit ?? Number.MAX_SAFE_INTEGER,
    });
    if (reader.source === 'index' && page.encodedRows.length > 1 && page.encodedRows.length <= OPTIMISED_ABOVE_ROWS) forgoOptimising();
    return { rows: page.encodedRows.map(decode), totalCount: page.totalCount, warning: reader.warning };
  });
}
