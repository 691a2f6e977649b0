/**
 * Clears what dead processes left in a store's directory: temp files of the sessions file whose
 * process is gone or that are older than five minutes, and courtesy locks whose holder is gone. Runs beside the store's work, in
 * batches, since the directory holds a file a session; whatever it misses waits for the next start.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { FileSystem } from './file-system';
import { isTempFileName, type StoreLayout } from './layout';
import { isProcessAlive } from './process-identity';
import { removeDeadTranscriptLock, type LockReport } from './transcript-lock';

/** Temp files older than this belong to nobody. */
const TEMP_FILE_MS = 5 * 60_000;
const LOCK_SUFFIX = '.jsonl.lock';

export interface SweepOptions {
  readonly fs: FileSystem;
  readonly layout: StoreLayout;
  readonly epoch: number;
  readonly nowMs: () => number;
  readonly onLockReport: (report: LockReport) => void;
  /** Ends the sweep early. */
  readonly signal: AbortSignal;
}

/** Never throws: a file that cannot be removed now is looked at again at the next start. */
export async function sweepDirectory({ fs: disk, layout, epoch, nowMs, onLockReport, signal }: SweepOptions): Promise<void> {
  const base = path.basename(layout.sessionsFile);
  try {
    for await (const { name } of await fs.promises.opendir(layout.dir)) {
      if (signal.aborted) return;
      const file = path.join(layout.dir, name);
      if (name.endsWith(LOCK_SUFFIX)) await removeDeadTranscriptLock(file, { fs: disk, epoch, nowMs, onReport: onLockReport });
      else if (name.startsWith(`${base}.`) && isTempFileName(name)) await removeOldTempFile(file, nowMs());
    }
  } catch {
    // The directory went away, or an entry of it cannot be read: nothing depends on the sweep.
  }
}

async function removeOldTempFile(file: string, nowMs: number): Promise<void> {
  const stats = await fs.promises.lstat(file).catch(() => undefined);
  const isOld = stats !== undefined && nowMs - stats.mtimeMs > TEMP_FILE_MS;
  if (stats?.isFile() === true && (isOld || isOfDeadProcess(file))) await fs.promises.rm(file, { force: true });
}

/** `sessions.json.<pid>.<uuid>.tmp`: names of other programs may lack the pid, and wait for their age. */
function isOfDeadProcess(file: string): boolean {
  const pid = /\.(\d+)\.[0-9a-f-]{36}\.tmp$/.exec(file)?.[1];
  return pid !== undefined && !isProcessAlive(Number(pid));
}
