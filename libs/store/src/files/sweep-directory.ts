/**
 * Clears what dead processes left in a store's directory: our temp files and courtesy locks whose
 * maker is gone, and temp files of the sessions file that are older than five minutes. Runs beside the
 * store's work, in batches, since the directory holds a file a session; whatever it misses waits for
 * the next start.
 */
import * as fs from 'node:fs';
import { hostname } from 'node:os';
import * as path from 'node:path';
import type { FileSystem } from './file-system';
import { isTempFileName, type StoreLayout } from './layout';
import type { OwnerRecord } from './owner-file';
import { isProcessAlive } from './process-identity';
import { removeDeadTranscriptLock, type LockReport } from './transcript-lock';

/** Temp files older than this belong to nobody. */
const TEMP_FILE_MS = 5 * 60_000;
const LOCK_SUFFIX = '.jsonl.lock';

export interface SweepOptions {
  readonly fs: FileSystem;
  readonly layout: StoreLayout;
  readonly epoch: number;
  /** Who had the store before. */
  readonly former: OwnerRecord | undefined;
  readonly nowMs: () => number;
  readonly onLockReport: (report: LockReport) => void;
  /** Ends the sweep early. */
  readonly signal: AbortSignal;
}

/** Never throws: a file that cannot be removed now is looked at again at the next start. */
export async function sweepDirectory({ fs: disk, layout, epoch, former, nowMs, onLockReport, signal }: SweepOptions): Promise<void> {
  const base = path.basename(layout.sessionsFile);
  if (signal.aborted) return;
  await sweepOwnDirectory(layout).catch(() => undefined);
  try {
    for await (const { name } of await fs.promises.opendir(layout.dir)) {
      if (signal.aborted) return;
      const file = path.join(layout.dir, name);
      if (name.endsWith(LOCK_SUFFIX)) await removeDeadTranscriptLock(file, { fs: disk, epoch, nowMs, onReport: onLockReport });
      else if (name.startsWith(`${base}.`) && isTempFileName(name)) await removeOldTempFile(file, nowMs(), former);
    }
  } catch {
    // The directory went away, or an entry of it cannot be read: nothing depends on the sweep.
  }
}

/**
 * Takes from a former owner that may still be alive what it could put in the place of the sessions
 * file: one that was stopped between its last look at the fence and the renaming wakes up to find its
 * snapshot gone. A temp file that it makes later meets the fence first. Costs a look at every name of
 * the directory, and only where the former owner is not known to be dead.
 */
export async function disarmFormerOwner({ fs: disk, layout, former }: Pick<SweepOptions, 'fs' | 'layout' | 'former'>): Promise<void> {
  if (former === undefined || (former.host === hostname() && !isProcessAlive(former.pid, former.startTicks))) return;
  const prefix = `${path.basename(layout.sessionsFile)}.`;
  for (const name of await disk.readdir(layout.dir)) {
    if (!name.startsWith(prefix) || !isTempFileName(name) || pidOfTempFile(name) !== former.pid) continue;
    await fs.promises.rm(path.join(layout.dir, name), { force: true });
  }
}

/** In the store's own directory every temp file is ours: those of dead processes go at once. */
async function sweepOwnDirectory(layout: StoreLayout): Promise<void> {
  for await (const { name } of await fs.promises.opendir(layout.ownDir)) {
    const pid = isTempFileName(name) ? pidOfTempFile(name) : undefined;
    if (pid !== undefined && !isProcessAlive(pid)) await fs.promises.rm(path.join(layout.ownDir, name), { force: true });
  }
}

/**
 * Beside the sessions file other programs have temp files of the same form. Until its age says that
 * nobody wants it, one goes only when it is the former owner's, whom we succeed.
 */
async function removeOldTempFile(file: string, nowMs: number, former: OwnerRecord | undefined): Promise<void> {
  const stats = await fs.promises.lstat(file).catch(() => undefined);
  if (stats?.isFile() !== true) return;
  const isOld = nowMs - stats.mtimeMs > TEMP_FILE_MS;
  const isFormers = former !== undefined && pidOfTempFile(file) === former.pid && former.host === hostname() && !isProcessAlive(former.pid, former.startTicks);
  if (isOld || isFormers) await fs.promises.rm(file, { force: true });
}

/** `<name>.<pid>.<uuid>.tmp`; other programs may leave the pid out. */
function pidOfTempFile(file: string): number | undefined {
  const pid = /\.(\d+)\.[0-9a-f-]{36}\.tmp$/.exec(file)?.[1];
  return pid === undefined ? undefined : Number(pid);
}
