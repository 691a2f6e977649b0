/**
 * Feeds a sessions file to the scanner from an open descriptor: asynchronously on a thread that
 * serves requests, synchronously inside a worker thread, where blocking harms nobody.
 */
import { readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { SessionsFileScanner, type ScannedEntry, type ScannerOptions, type ScanSummary } from './scanner';

/** Bytes read at a time. */
export const SCAN_CHUNK_BYTES = 1024 * 1024;

export interface ScanSessionsFileOptions {
  /** Bytes read at a time, at least 1; SCAN_CHUNK_BYTES when absent. */
  readonly chunkBytes?: number;
}

/**
 * Yields the entries of the file from its start, whatever the descriptor's own position.
 * The generator's return value tells an empty file from an empty object.
 * @throws STORE_UNREADABLE as SessionsFileScanner does; entries before the damage have been yielded then.
 */
export async function* scanSessionsFile(
  handle: FileHandle,
  options: ScanSessionsFileOptions = {},
): AsyncGenerator<ScannedEntry, ScanSummary, undefined> {
  const scanner = new SessionsFileScanner();
  const chunk = Buffer.allocUnsafe(options.chunkBytes ?? SCAN_CHUNK_BYTES);
  for (let position = 0; ; ) {
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, position);
    if (bytesRead === 0) return scanner.end();
    position += bytesRead;
    const entries: ScannedEntry[] = [];
    let damage: { readonly error: unknown } | undefined;
    try {
      scanner.push(chunk.subarray(0, bytesRead), (entry) => entries.push(entry));
    } catch (error) {
      damage = { error };
    }
    yield* entries;
    if (damage) throw damage.error;
  }
}

/**
 * The same for a worker thread: calls `onEntry` for each entry and returns when the file ends.
 * @throws STORE_UNREADABLE as SessionsFileScanner does, and whatever `onEntry` throws.
 */
export function scanSessionsFileSync(
  fd: number,
  onEntry: (entry: ScannedEntry) => void,
  options: ScanSessionsFileOptions & ScannerOptions = {},
): ScanSummary {
  const scanner = new SessionsFileScanner(options);
  const chunk = Buffer.allocUnsafe(options.chunkBytes ?? SCAN_CHUNK_BYTES);
  for (let position = 0; ; ) {
    const bytesRead = readSync(fd, chunk, 0, chunk.length, position);
    if (bytesRead === 0) return scanner.end();
    position += bytesRead;
    scanner.push(chunk.subarray(0, bytesRead), onEntry);
  }
}
