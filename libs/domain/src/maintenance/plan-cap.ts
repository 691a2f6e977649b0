import { rowAction, type MaintenanceAction } from './actions';
import { isLimit, oldestRows, type FactRow } from './facts';
import { isFree } from './protection';

export interface CapPlan {
  readonly actions: readonly MaintenanceAction[];
  /** Protected rows alone reach the bound: it is reported, not enforced. */
  readonly capUnmet: boolean;
}

/**
 * Rows beyond `maxEntries`, oldest first (decision 28). Protected rows count; the newest of the others
 * fill the rest. Exactly the bound remains, no slack.
 * @param rows what is left; candidates suffice, when the oldest free ones beyond the bound are in it.
 * @param counts of all rows that are left.
 */
export function planCap(rows: readonly FactRow[], maxEntries: number, counts: { readonly rows: number; readonly protectedRows: number }, nowMs: number): CapPlan {
  const over = counts.rows - maxEntries;
  if (!isLimit(maxEntries) || over <= 0) return { actions: [], capUnmet: false };
  if (counts.protectedRows >= maxEntries) return { actions: [], capUnmet: true };
  const oldest = oldestRows(rows.filter(isFree), nowMs).slice(0, over);
  return { actions: oldest.map((row) => rowAction('cap-overflow', 'over-max-entries', row)), capUnmet: false };
}
