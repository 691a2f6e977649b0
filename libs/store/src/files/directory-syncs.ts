/**
 * Syncs of directories, shared by all who ask for the same one while an earlier one is under way: a
 * directory's entries are durable after one sync, however many were made before it began.
 */
import { believeSync } from './believe-sync';
import type { FileSystem } from './file-system';
import { SharedRounds } from './shared-rounds';

const byFileSystem = new WeakMap<FileSystem, SharedRounds<undefined>>();

/** @throws OUTCOME_UNKNOWN */
export function syncDirectoryTogether(fs: FileSystem, directory: string): Promise<void> {
  let rounds = byFileSystem.get(fs);
  if (rounds === undefined) {
    rounds = new SharedRounds((folder) => believeSync(folder, fs.syncDirectory(folder)));
    byFileSystem.set(fs, rounds);
  }
  return rounds.take(directory, undefined);
}
