/**
 * After an unclean stop the session index is checked as a whole, in a thread of its own and beside
 * the store's work. A damaged one is set aside; the store then ends, and its next opening makes a
 * new index from the files. Nothing is lost by it.
 */
import { SessionError } from '@sessions/domain';
import type { FileSystem } from './files/file-system';
import { hasErrorCode } from './files/file-system';
import type { StoreLayout } from './files/layout';
import { IndexWorkerClient } from './index-worker-client';

export interface CheckIndexOptions {
  readonly fs: FileSystem;
  readonly layout: StoreLayout;
  readonly nativeBinding: string | undefined;
  readonly signal: AbortSignal;
  /** Ends the store. */
  readonly onDamage: (error: SessionError) => void;
}

/** @returns true when the index is sound; false also when the check could not be finished. Never throws. */
export async function checkIndexInBackground({ fs, layout, nativeBinding, signal, onDamage }: CheckIndexOptions): Promise<boolean> {
  const checker = new IndexWorkerClient({ onFailure: () => undefined, onTrouble: () => undefined });
  const stop = (): void => void checker.close();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const { ok, detail } = await checker.call('checkFile', { indexFile: layout.indexFile, ...(nativeBinding === undefined ? {} : { nativeBinding }) });
    if (ok || signal.aborted) return ok;
    await setAside(fs, layout.indexFile);
    onDamage(new SessionError('DAMAGED', `the session index is damaged (${detail}); it is made again`, { facts: { agentId: layout.agentId, path: layout.indexFile } }));
  } catch {
    // The thread was ended, or the file went away: nothing is known.
  } finally {
    signal.removeEventListener('abort', stop);
    await checker.close();
  }
  return false;
}

/** Open connections keep the files they have; the names are free for a new index. */
async function setAside(fs: FileSystem, indexFile: string): Promise<void> {
  await fs.rename(indexFile, `${indexFile}.corrupt`);
  for (const suffix of ['-wal', '-shm', '-journal']) {
    await fs.unlink(`${indexFile}${suffix}`).catch((error: unknown) => {
      if (!hasErrorCode(error, 'ENOENT')) throw error;
    });
  }
}
