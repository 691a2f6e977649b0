/** Files that nothing refers to (maintenance §4, step 9; decision 30): archived, not unlinked. */
import { fileAction, type MaintenanceAction } from './actions';
import { isLimit, isOrphan, type FactFile } from './facts';

/** A younger file may be in the making. */
export const TEMP_MIN_AGE_MS = 5 * 60_000;

/**
 * Transcripts, checkpoints and sidecars whose mtime is older than `pruneAfterMs` are archived; prompt
 * blobs of that age and write temps of five minutes, which hold nothing of their own, are unlinked.
 * With the limit off all of it stays.
 */
export function planOrphans(files: readonly FactFile[], pruneAfterMs: number, nowMs: number): readonly MaintenanceAction[] {
  if (!isLimit(pruneAfterMs)) return [];
  return files.flatMap((file) => {
    const ageMs = nowMs - file.mtimeMs;
    const isOld = ageMs > Math.max(pruneAfterMs, TEMP_MIN_AGE_MS);
    if (isOrphan(file)) return isOld ? [fileAction('archive-orphan', 'unreferenced', file)] : [];
    if (file.fileClass === 'orphan-prompt-blob') return isOld ? [fileAction('unlink-blob', 'unreferenced', file)] : [];
    return file.fileClass === 'stale-temp' && ageMs > TEMP_MIN_AGE_MS ? [fileAction('unlink-temp', 'unreferenced', file)] : [];
  });
}
