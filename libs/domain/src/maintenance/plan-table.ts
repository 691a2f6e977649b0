/** A plan as people read it (cli §5, the dry run): every row newest first, then counts by label. */
import { keyRest } from '../keys/key-kind';
import { agedFromMs } from './facts';
import type { MaintenancePlan, RowVerdict } from './plan';

export interface PlanTableRow {
  readonly action: RowVerdict['action'];
  /** Why; for `keep` too. */
  readonly reason: RowVerdict['reason'];
  readonly key: string;
  /** Undefined: the row has no time that makes sense. */
  readonly ageMs: number | undefined;
  readonly model: string | undefined;
  readonly flags: readonly string[];
}

export interface LabelCount {
  readonly label: string;
  readonly kept: number;
  readonly pruned: number;
}

export interface PlanTable {
  readonly rows: readonly PlanTableRow[];
  readonly labels: readonly LabelCount[];
  readonly total: { readonly kept: number; readonly pruned: number };
}

/** Name of rows without a label, as measured. */
export const UNLABELLED = '(unlabeled)';
const CONTROL = /\p{Cc}/gu;
export function planTable(plan: MaintenancePlan, nowMs: number): PlanTable {
  const newestFirst = [...plan.verdicts].sort((left, right) => agedFromMs(right.row, nowMs) - agedFromMs(left.row, nowMs) || (keyRest(left.row.key) < keyRest(right.row.key) ? -1 : 1));
  const byLabel = new Map<string, { kept: number; pruned: number }>();
  for (const verdict of plan.verdicts) {
    const label = verdict.row.label?.replaceAll(CONTROL, '').trim() ?? '';
    const name = label === '' ? UNLABELLED : label;
    const counts = byLabel.get(name) ?? { kept: 0, pruned: 0 };
    counts[isKept(verdict) ? 'kept' : 'pruned'] += 1;
    byLabel.set(name, counts);
  }
  // Each comparison that names a language would look it up anew.
  const alphabet = new Intl.Collator('en');
  const labels = [...byLabel].map(([label, counts]) => ({ label, ...counts })).sort((left, right) => alphabet.compare(left.label, right.label));
  const kept = plan.verdicts.filter(isKept).length;
  return { rows: newestFirst.map((verdict) => tableRow(verdict, nowMs)), labels, total: { kept, pruned: plan.verdicts.length - kept } };
}

/** A repaired row stays. */
function isKept({ action }: RowVerdict): boolean {
  return action === 'keep' || action === 'repair-session-file';
}

function tableRow({ row, action, reason }: RowVerdict, nowMs: number): PlanTableRow {
  const hasTime = row.updatedAtMs !== undefined && Number.isFinite(row.updatedAtMs) && row.updatedAtMs > 0;
  return { action, reason, key: row.key, ageMs: hasTime ? nowMs - (row.updatedAtMs ?? nowMs) : undefined, model: row.model, flags: row.flags ?? [] };
}
