import { SessionError } from '@sessions/domain';
import type { FileSystem } from '../files/file-system';

/** Positioned reads of one open file; a FileHandle is one. */
export interface ByteSource {
  read(buffer: Buffer, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>;
}

/** A descriptor of the port to disk as a byte source. */
export function byteSourceOf(fs: FileSystem, fd: number): ByteSource {
  return {
    async read(buffer, offset, length, position) {
      return { bytesRead: await fs.read(fd, buffer, offset, length, position) };
    },
  };
}

/**
 * Reads exactly `length` bytes at `position` into a fresh buffer.
 * @throws DAMAGED when the file ends earlier: somebody has cut it while it was being read.
 */
export async function readExactly(source: ByteSource, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await source.read(buffer, done, length - done, position + done);
    if (bytesRead === 0) {
      throw new SessionError('DAMAGED', `the transcript ends at byte ${position + done}, before byte ${position + length} that it had`, {
        facts: { offset: position + done },
      });
    }
    done += bytesRead;
  }
  return buffer;
}
