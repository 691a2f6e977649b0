/** Which transcripts were written since their last sync, and the syncs that a checkpoint makes of them. */
import { constants } from 'node:fs';
import * as path from 'node:path';
import { hasErrorCode, type FileSystem } from '../files/file-system';

/** Transcripts synced at one time by a checkpoint. */
const SYNCS_AT_ONCE = 4;

export class TouchedTranscripts {
  /** With the first sequence since the last sync. */
  #firstSeqs = new Map<string, number>();

  add(file: string, seq: number): void {
    this.#firstSeqs.set(file, Math.min(seq, this.#firstSeqs.get(file) ?? seq));
  }

  forget(file: string): void {
    this.#firstSeqs.delete(file);
  }

  /** Hands all of them over; whoever cannot sync one adds it again. */
  take(): Map<string, number> {
    const taken = this.#firstSeqs;
    this.#firstSeqs = new Map();
    return taken;
  }
}

/** @param syncOpen syncs a transcript that is open; undefined: it is not. @throws what a sync threw. */
export async function syncTranscripts(place: { readonly fs: FileSystem; readonly dir: string }, files: readonly string[], syncOpen: (file: string) => Promise<void> | undefined): Promise<void> {
  for (let index = 0; index < files.length; index += SYNCS_AT_ONCE) {
    await Promise.all(files.slice(index, index + SYNCS_AT_ONCE).map((file) => syncOpen(file) ?? syncClosed(place, file)));
  }
}

async function syncClosed({ fs, dir }: { readonly fs: FileSystem; readonly dir: string }, file: string): Promise<void> {
  let fd: number;
  try {
    fd = await fs.open(path.join(dir, file), constants.O_RDWR | constants.O_NOFOLLOW);
  } catch (error) {
    // Somebody removed the transcript: there is nothing to sync, and recovery does not bring it back.
    if (hasErrorCode(error, 'ENOENT')) return;
    throw error;
  }
  try {
    await fs.fdatasync(fd);
  } finally {
    await fs.close(fd);
  }
}
