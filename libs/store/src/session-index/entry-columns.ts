/**
 * What the index keeps of one entry: narrow columns for filters and order, the text that a search
 * looks through, and the list row ready-made as protobuf.
 */
import { SessionRow } from '@sessions/contracts';
import { isCronRunKey, parseEntry, toSessionRow } from '@sessions/domain';
import { VISIBILITY, type Visibility } from './schema';

export interface EntryColumns {
  readonly visibility: Visibility;
  /** Epoch milliseconds; null when the entry has none. */
  readonly updatedAt: number | null;
  /** Order of lists: `updatedAt`, with 0 where it is missing. */
  readonly sortAt: number;
  readonly sessionId: string | null;
  /** Transcript's file name inside the store's directory. */
  readonly file: string | null;
  readonly label: string | null;
  readonly spawnedBy: string | null;
  readonly parentKey: string | null;
  readonly status: string | null;
  /** Lower-cased; searched as a substring. */
  readonly search: string;
  readonly row: Buffer;
}
export { SessionRow, isCronRunKey, parseEntry, toSessionRow, VISIBILITY };
