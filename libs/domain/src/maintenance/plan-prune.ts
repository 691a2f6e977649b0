/** Rows that are too old: by the limit of the store, or by one of their own kind. */
import { isCronRunKey, keyRest } from '../keys/key-kind';
import { rowAction, type MaintenanceAction } from './actions';
import { isLimit, isOlder, type FactRow } from './facts';
import { isFree } from './protection';

/** Strictly older than `pruneAfterMs`; 0 is off. */
export function planPrune(rows: readonly FactRow[], pruneAfterMs: number, nowMs: number): readonly MaintenanceAction[] {
  return rows.filter((row) => isFree(row) && isOlder(row, pruneAfterMs, nowMs)).map((row) => rowAction('prune-stale', 'older-than-limit', row));
}

const MODEL_RUN = /^explicit:model-run-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** Probes of models are worth nothing after a day. */
export const MODEL_RUN_MAX_AGE_MS = 24 * 3_600_000;

export function isModelRunKey(key: string): boolean {
  return MODEL_RUN.test(keyRest(key));
}

/** Probes of models, once a store has more rows than it may. @param rowCount rows that are left. */
export function planModelRuns(rows: readonly FactRow[], maxEntries: number, rowCount: number, nowMs: number): readonly MaintenanceAction[] {
  if (!isLimit(maxEntries) || rowCount <= maxEntries) return [];
  return rows.filter((row) => isModelRunKey(row.key) && isFree(row) && isOlder(row, MODEL_RUN_MAX_AGE_MS, nowMs)).map((row) => rowAction('prune-model-run', 'probe-expired', row));
}

/** Rows of isolated cron runs past `cron.sessionRetention` (decision 42); the job's own row stays. */
export function planCronRuns(rows: readonly FactRow[], retentionMs: number, nowMs: number): readonly MaintenanceAction[] {
  return rows.filter((row) => isCronRunKey(row.key) && isFree(row) && isOlder(row, retentionMs, nowMs)).map((row) => rowAction('prune-cron-run', 'cron-retention', row));
}
