/**
 * Sets bytes aside that could not be read: one copy per distinct content, under a name that says
 * what it was and when. Nothing here is ever removed by the system.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { hasErrorCode } from './file-system';

const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;
const COPY_CHUNK_BYTES = 1024 * 1024;
const HASH_CHARS = 8;

/** `YYYY-MM-DDTHH-MM-SS.mmmZ`, the stamp of archives and of quarantined files. */
export function fileStamp(nowMs: number): string {
  return new Date(nowMs).toISOString().replaceAll(':', '-');
}

/**
 * Copies a file; synchronous, for the worker thread and for command line tools.
 * @returns the copy's path, or the path of an earlier copy with the same content; undefined when
 *   there is no regular file to copy.
 */
export function quarantineCopy(file: string, quarantineDir: string, nowMs: number): string | undefined {
  const source = openRegular(file);
  if (source === undefined) return undefined;
  try {
    fs.mkdirSync(quarantineDir, { recursive: true, mode: DIRECTORY_MODE });
    const hash = hashOf(source).slice(0, HASH_CHARS);
    const prefix = `${path.basename(file)}.corrupt-`;
    const earlier = fs.readdirSync(quarantineDir).find((name) => name.startsWith(prefix) && name.endsWith(`-${hash}`));
    if (earlier !== undefined) return path.join(quarantineDir, earlier);
    const target = path.join(quarantineDir, `${prefix}${fileStamp(nowMs)}-${hash}`);
    copyTo(source, target);
    return target;
  } finally {
    fs.closeSync(source);
  }
}

/**
 * Moves aside what stands in the place of a file and is none: a directory with all that is in it, a
 * link itself and not what it names.
 * @returns where it is now; undefined when a regular file or nothing stands there.
 */
export function quarantineMove(file: string, quarantineDir: string, nowMs: number): string | undefined {
  const stats = fs.lstatSync(file, { throwIfNoEntry: false });
  if (stats === undefined || stats.isFile()) return undefined;
  fs.mkdirSync(quarantineDir, { recursive: true, mode: DIRECTORY_MODE });
  const target = path.join(quarantineDir, `${path.basename(file)}.not-a-file-${fileStamp(nowMs)}`);
  fs.renameSync(file, target);
  return target;
}

/** Keeps bytes that are about to be cut off a file. @returns the file they went to. */
export function quarantineBytes(name: string, bytes: Buffer, quarantineDir: string, nowMs: number): string {
  fs.mkdirSync(quarantineDir, { recursive: true, mode: DIRECTORY_MODE });
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, HASH_CHARS);
  const target = path.join(quarantineDir, `${name}.torn-${fileStamp(nowMs)}-${hash}`);
  const fd = fs.openSync(target, 'wx', FILE_MODE);
  try {
    fs.writeSync(fd, bytes, 0, bytes.length);
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
  return target;
}

function openRegular(file: string): number | undefined {
  try {
    const fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
    if (fs.fstatSync(fd).isFile()) return fd;
    fs.closeSync(fd);
    return undefined;
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT', 'ELOOP', 'EISDIR', 'ENXIO')) return undefined;
    throw error;
  }
}

function hashOf(fd: number): string {
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafe(COPY_CHUNK_BYTES);
  for (let at = 0; ; ) {
    const count = fs.readSync(fd, chunk, 0, chunk.length, at);
    if (count === 0) return hash.digest('hex');
    hash.update(chunk.subarray(0, count));
    at += count;
  }
}

function copyTo(source: number, target: string): void {
  const fd = fs.openSync(target, 'wx', FILE_MODE);
  try {
    const chunk = Buffer.allocUnsafe(COPY_CHUNK_BYTES);
    for (let at = 0; ; ) {
      const count = fs.readSync(source, chunk, 0, chunk.length, at);
      if (count === 0) break;
      for (let done = 0; done < count; ) done += fs.writeSync(fd, chunk, done, count - done);
      at += count;
    }
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
