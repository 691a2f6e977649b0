/**
 * Replaces a small file as a whole: temp file in the same directory, fsync, rename, fsync of the
 * directory. A reader sees the old bytes or the new ones; after a power cut one of the two is there.
 */
import { constants } from 'node:fs';
import * as path from 'node:path';
import type { FileSystem } from './file-system';

const FILE_MODE = 0o600;

/** @param suffix makes the temp name unique, e.g. pid and a UUID. */
export async function replaceFile(fs: FileSystem, file: string, bytes: Buffer, suffix: string): Promise<void> {
  const temp = `${file}.${suffix}.tmp`;
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const fd = await fs.open(temp, flags, FILE_MODE);
  try {
    try {
      await fs.writeAll(fd, [bytes], 0);
      await fs.fsync(fd);
    } finally {
      await fs.close(fd);
    }
    await fs.rename(temp, file);
  } catch (error) {
    await fs.unlink(temp).catch(() => undefined);
    throw error;
  }
  await fs.syncDirectory(path.dirname(file));
}
