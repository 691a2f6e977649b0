/**
 * The port to disk. Every byte that the engine reads or writes outside SQLite goes through these
 * few asynchronous calls, all of which run in the thread pool: the event loop never waits for a
 * disk. Tests put a faulty implementation in its place.
 */
import * as fs from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { directoryChain } from '@sessions/domain';
import { errorCodeOf } from './error-code';

/** Identity of a file's content as far as a stat can tell: a change of any part means "look again". */
export interface FileIdentity {
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly inode: bigint;
}

export interface FileSystem {
  open(path: string, flags: number, mode?: number): Promise<number>;
  close(fd: number): Promise<void>;
  /** Reads up to `length` bytes at `position`; resolves to the number read. */
  read(fd: number, buffer: Buffer, offset: number, length: number, position: number): Promise<number>;
  /** Writes all buffers at `position`; resolves when every byte was accepted. */
  writeAll(fd: number, buffers: readonly Buffer[], position: number): Promise<void>;
  fdatasync(fd: number): Promise<void>;
  fsync(fd: number): Promise<void>;
  truncate(fd: number, length: number): Promise<void>;
  size(fd: number): Promise<number>;
  /** Length of an open file, from memory: an fstat of an open descriptor touches no disk. */
  sizeNow(fd: number): number;
  /** Inode of an open file. From memory likewise. */
  inodeNow(fd: number): bigint;
  /**
   * Inode under a name, without following a link; undefined: none. To be asked of names of open files
   * only: those the kernel keeps in memory, so that this touches no disk.
   */
  inodeNamedNow(path: string): bigint | undefined;
  /** Identity of a regular file; undefined when there is none. @throws when something else stands there. */
  identify(path: string): Promise<FileIdentity | undefined>;
  rename(from: string, to: string): Promise<void>;
  /** A second name for a file. @throws EEXIST when something stands under the new name. */
  link(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  mkdir(path: string, mode: number): Promise<void>;
  readdir(path: string): Promise<string[]>;
  /** Makes a directory's entries durable. */
  syncDirectory(path: string): Promise<void>;
}

const open = promisify(fs.open);
const close = promisify(fs.close);
const fdatasync = promisify(fs.fdatasync);
const fsync = promisify(fs.fsync);
const ftruncate = promisify(fs.ftruncate);

/** By callback: every append looks at its transcript's name, and the promises of `fs` cost twice as much. */
function lstat(path: string): Promise<fs.BigIntStats> {
  return new Promise((resolve, reject) => {
    fs.lstat(path, { bigint: true }, (error, stats) => (error ? reject(error) : resolve(stats)));
  });
}

function read(fd: number, buffer: Buffer, offset: number, length: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(fd, buffer, offset, length, position, (error, count) => (error ? reject(error) : resolve(count)));
  });
}

function writev(fd: number, buffers: readonly Buffer[], position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.writev(fd, buffers, position, (error, count) => (error ? reject(error) : resolve(count)));
  });
}

/** At most this many buffers a call: Linux refuses more than IOV_MAX (1024). */
const BUFFERS_PER_CALL_MAX = 1024;

async function writeAll(fd: number, buffers: readonly Buffer[], position: number): Promise<void> {
  let rest = buffers.filter((buffer) => buffer.length > 0);
  let at = position;
  while (rest.length > 0) {
    let written = await writev(fd, rest.slice(0, BUFFERS_PER_CALL_MAX), at);
    if (written === 0) throw Object.assign(new Error('the file system accepted no byte'), { code: 'ENOSPC' });
    at += written;
    let index = 0;
    while (index < rest.length && written >= (rest[index] as Buffer).length) {
      written -= (rest[index] as Buffer).length;
      index += 1;
    }
    rest = rest.slice(index);
    if (written > 0) rest[0] = (rest[0] as Buffer).subarray(written);
  }
}

/** True for errors with one of these `code`s. */
export function hasErrorCode(error: unknown, ...codes: readonly string[]): boolean {
  return codes.includes(errorCodeOf(error) ?? '');
}

export const nodeFileSystem: FileSystem = {
  open: (path, flags, mode) => open(path, flags, mode),
  close,
  read,
  writeAll,
  fdatasync,
  fsync,
  truncate: (fd, length) => ftruncate(fd, length),
  size: (fd) =>
    new Promise((resolve, reject) => fs.fstat(fd, (error, stats) => (error ? reject(error) : resolve(stats.size)))),
  sizeNow: (fd) => fs.fstatSync(fd).size,
  inodeNow: (fd) => fs.fstatSync(fd, { bigint: true }).ino,
  inodeNamedNow: (path) => fs.lstatSync(path, { bigint: true, throwIfNoEntry: false })?.ino,
  async identify(path) {
    try {
      const stats = await lstat(path);
      if (!stats.isFile()) throw Object.assign(new Error(`${path} is not a regular file`), { code: 'ENOTREG' });
      return { size: Number(stats.size), mtimeNs: stats.mtimeNs, inode: stats.ino };
    } catch (error) {
      if (hasErrorCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  },
  rename: (from, to) => fs.promises.rename(from, to),
  link: (from, to) => fs.promises.link(from, to),
  unlink: (path) => fs.promises.unlink(path),
  async mkdir(path, mode) {
    for (const each of directoryChain(resolve(path))) {
      await fs.promises.mkdir(each, { mode }).catch((error: unknown) => {
        if (!hasErrorCode(error, 'EEXIST')) throw error;
      });
    }
    if (!(await fs.promises.stat(path)).isDirectory()) throw Object.assign(new Error(`${path} is no directory`), { code: 'ENOTDIR' });
  },
  readdir: (path) => fs.promises.readdir(path),
  async syncDirectory(path) {
    const fd = await open(path, fs.constants.O_RDONLY);
    try {
      await fsync(fd);
    } finally {
      await close(fd);
    }
  },
};

/** Equal identities; undefined (no file) equals only undefined. */
export function sameIdentity(a: FileIdentity | undefined, b: FileIdentity | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.size === b.size && a.mtimeNs === b.mtimeNs && a.inode === b.inode;
}
