/**
 * Which sessions stay although a limit would take them, and why (decision 5: a bound that protected
 * sessions exceed is reported, not enforced). Counted by the strongest protection of each.
 */
import { agedFromMs, isOlder, oldestRows, type FactRow, type Protection, type StoreTotals } from './facts';

/** `age`: older than `pruneAfter`. `count`: protected rows alone reach `maxEntries`. `size`: they alone are larger than `maxDiskBytes`. */
export type Bound = 'age' | 'count' | 'size';

export interface BoundException {
  readonly bound: Bound;
  readonly protection: Protection;
  readonly rowCount: number;
  /** Some of them, oldest first: at most EXCEPTION_KEYS_MAX, none without a usable time. */
  readonly keys: readonly string[];
}

/** Sessions that an exception names; the others are counted. */
export const EXCEPTION_KEYS_MAX = 5;

export interface ExceptionsRequest {
  readonly protectedRows: NonNullable<StoreTotals['protectedRows']>;
  /** Rows that stay: of the protected ones at least the oldest of each protection. */
  readonly left: readonly FactRow[];
  /** Protected rows that were asked for by name, and go. */
  readonly gone: readonly FactRow[];
  readonly pruneAfterMs: number;
  /** Bounds that are not kept although nothing more may go. */
  readonly unmet: ReadonlySet<'count' | 'size'>;
  readonly nowMs: number;
}

/** By bound, then by protection, strongest first; none that is about no row. */
export function exceptionsOf({ protectedRows, left, gone, pruneAfterMs, unmet, nowMs }: ExceptionsRequest): readonly BoundException[] {
  const hasTime = (row: FactRow): boolean => agedFromMs(row, nowMs) < nowMs;
  const oldest = oldestRows(left.filter((row) => row.protections.length > 0 && hasTime(row)), nowMs);
  const isAged = (row: FactRow): boolean => isOlder(row, pruneAfterMs, nowMs);
  const about = (bound: Bound): BoundException[] =>
    protectedRows.flatMap(({ protection, rowCount, overAgeCount }) => {
      const concerns = (row: FactRow): boolean => row.protections[0] === protection && (bound !== 'age' || isAged(row));
      const count = (bound === 'age' ? overAgeCount : rowCount) - gone.filter(concerns).length;
      return count <= 0 ? [] : [{ bound, protection, rowCount: count, keys: oldest.filter(concerns).slice(0, EXCEPTION_KEYS_MAX).map(({ key }) => key) }];
    });
  return [...about('age'), ...(unmet.has('count') ? about('count') : []), ...(unmet.has('size') ? about('size') : [])];
}
