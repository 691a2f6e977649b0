/** What a plan asks the owner to do, in batches that one mutation can hold. */
import { bytesOf, type FactFile, type FactRow } from './facts';

export type RowActionKind = 'retire-dm-scope' | 'repair-session-file' | 'prune-missing' | 'prune-model-run' | 'prune-cron-run' | 'prune-stale' | 'cap-overflow' | 'archive-subagent' | 'evict-budget';
export type FileActionKind = 'unlink-archive' | 'archive-orphan' | 'unlink-blob' | 'unlink-temp';
/** What is only noted and told. */
export type AnnouncementKind = 'announce-removal' | 'announce-bounds' | 'announce-unlink';
export type ActionKind = RowActionKind | FileActionKind | AnnouncementKind;

/** Why an action is planned: a stable word for reports, never text of a conversation. */
export type ActionReason =
  | 'dm-scope-main'
  | 'file-name-wrong'
  | 'transcript-missing'
  | 'transcript-empty'
  | 'no-session-id'
  | 'probe-expired'
  | 'cron-retention'
  | 'older-than-limit'
  | 'over-max-entries'
  | 'archive-due'
  | 'over-budget'
  | 'retention-over'
  | 'unreferenced';

/** One step for the owner; it is skipped when what it expects is no longer so. */
export interface MaintenanceAction {
  readonly kind: ActionKind;
  readonly reason: ActionReason;
  readonly key?: string;
  /** File inside the sessions directory; for a repair the name that is right. */
  readonly file?: string;
  readonly expectedSessionId?: string;
  /** Absent: the row has none. */
  readonly expectedUpdatedAtMs?: number;
  readonly expectedSizeBytes?: number;
  readonly expectedMtimeMs?: number;
  /** What it archives or frees, as planned. */
  readonly bytes: number;
  /** Of an announcement: the earliest time of what it announces. */
  readonly notBeforeMs?: number;
  /** Of `announce-bounds`. */
  readonly sessionsCount?: number;
  /** Of `announce-unlink`. */
  readonly filesCount?: number;
}

/** Actions of one `ApplyMaintenance` (contracts §2). */
export const BATCH_ACTIONS_MAX = 200;

export function rowAction(kind: RowActionKind, reason: ActionReason, row: FactRow): MaintenanceAction {
  return {
    kind,
    reason,
    key: row.key,
    ...(kind === 'repair-session-file' && row.foundFile !== undefined ? { file: row.foundFile } : {}),
    ...(row.sessionId === undefined ? {} : { expectedSessionId: row.sessionId }),
    ...(row.updatedAtMs === undefined ? {} : { expectedUpdatedAtMs: row.updatedAtMs }),
    bytes: kind === 'repair-session-file' ? 0 : bytesOf(row.bytes),
  };
}

export function fileAction(kind: FileActionKind, reason: ActionReason, file: FactFile): MaintenanceAction {
  return { kind, reason, file: file.name, expectedSizeBytes: file.sizeBytes, expectedMtimeMs: file.mtimeMs, bytes: bytesOf(file.sizeBytes) };
}

/** Slices of at most `BATCH_ACTIONS_MAX`, in order. */
export function* actionBatches(actions: readonly MaintenanceAction[], actionsMax = BATCH_ACTIONS_MAX): Generator<readonly MaintenanceAction[]> {
  for (let at = 0; at < actions.length; at += actionsMax) yield actions.slice(at, at + actionsMax);
}
