import { createHash } from 'node:crypto';
import type { ByteSource } from '../transcript/byte-source';

const CHUNK_BYTES = 1024 * 1024;

/** Whether a file begins with the bytes of this hash. */
export async function hasSameStart(source: ByteSource, fileBytes: number, { bytes, sha256 }: { readonly bytes: number; readonly sha256: string }): Promise<boolean> {
  if (fileBytes < bytes) return false;
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let at = 0; at < bytes; ) {
    const { bytesRead } = await source.read(chunk, 0, Math.min(chunk.length, bytes - at), at);
    if (bytesRead === 0) return false;
    hash.update(chunk.subarray(0, bytesRead));
    at += bytesRead;
  }
  return hash.digest('hex') === sha256;
}
