/** Archives whose retention is over leave the disk (maintenance §6, step 8): the one step that unlinks. */
import { fileAction, type MaintenanceAction } from './actions';
import { isLimit, type FactFile } from './facts';

/** Between the announcement of the first unlinking of a store and the unlinking itself. */
export const UNLINK_NOTICE_MS = 24 * 3_600_000;

/** Nothing set aside is unlinked sooner, however short a retention is: every removal can be undone. */
export const ARCHIVE_MIN_AGE_MS = 3_600_000;

export interface ArchiveLimits {
  readonly pruneAfterMs: number;
  readonly resetArchiveRetentionMs: number;
}

/**
 * Archives past retention, by the stamp in their name; one without a stamp stays. `.reset` and `.bak`
 * go by `resetArchiveRetention`, `.deleted` by `pruneAfter`; a retention of 0 keeps all of them.
 */
export function planArchives(files: readonly FactFile[], limits: ArchiveLimits, nowMs: number): readonly MaintenanceAction[] {
  return files.filter((file) => isOver(file, limits, nowMs)).map((file) => fileAction('unlink-archive', 'retention-over', file));
}

function isOver(file: FactFile, { pruneAfterMs, resetArchiveRetentionMs }: ArchiveLimits, nowMs: number): boolean {
  if (!isLimit(resetArchiveRetentionMs) || file.stampAtMs === undefined || !Number.isFinite(file.stampAtMs)) return false;
  const ageMs = nowMs - file.stampAtMs;
  if (ageMs < ARCHIVE_MIN_AGE_MS) return false;
  if (file.fileClass === 'archive-deleted') return isLimit(pruneAfterMs) && ageMs > pruneAfterMs;
  return (file.fileClass === 'archive-reset' || file.fileClass === 'archive-bak') && ageMs > resetArchiveRetentionMs;
}

/**
 * Whether archives may be unlinked now. A person who asks does not wait; an automatic run waits out
 * the notice, and a notice from the future has not begun.
 */
export function mayUnlink(asker: 'person' | 'automatic', announcedAtMs: number | undefined, nowMs: number): boolean {
  if (asker === 'person') return true;
  return announcedAtMs !== undefined && Number.isFinite(announcedAtMs) && nowMs - announcedAtMs >= UNLINK_NOTICE_MS;
}
