/** Length and SHA-256 of a file, read once in small chunks: other work goes on between them. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { hasErrorCode, type FileSystem } from '../files/file-system';

const CHUNK_BYTES = 256 * 1024;

export interface FileHash {
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** @throws ENOENT and what else opening or reading a file throws; ELOOP for a link. */
export async function hashOf(fs: FileSystem, file: string): Promise<FileHash> {
  const fd = await fs.open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const hash = createHash('sha256');
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    let bytes = 0;
    for (;;) {
      const count = await fs.read(fd, chunk, 0, chunk.length, bytes);
      if (count === 0) return { bytes, sha256: hash.digest('hex') };
      hash.update(chunk.subarray(0, count));
      bytes += count;
    }
  } finally {
    await fs.close(fd);
  }
}

/** False as well for what is no regular file or is not there. */
export async function hasContent(fs: FileSystem, file: string, expected: FileHash): Promise<boolean> {
  try {
    if ((await fs.identify(file))?.size !== expected.bytes) return false;
    return (await hashOf(fs, file)).sha256 === expected.sha256;
  } catch (error) {
    if (hasErrorCode(error, 'ENOTREG', 'ENOENT', 'ELOOP', 'EISDIR')) return false;
    throw error;
  }
}
