/** How files change that stay: written aside, synced, and renamed, so that none is half of it under a name that counts. */
import { createHash, randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { NameTest } from '@sessions/domain';
import { hasErrorCode } from '../files/file-system';
import { lineNames } from './about-subject';
import { CHUNK_BYTES, type Needles } from './needles';
import { openRegular } from './store-tree';

/** As many bytes as before: offsets, counts and the shape of each line stay. @returns names overwritten */
export function overwrite(file: string, needles: Needles): number {
  const fd = needles.isEmpty ? undefined : openRegular(file, fs.constants.O_RDONLY);
  if (fd === undefined) return 0;
  try {
    const found = needles.findInFile(fd);
    if (found.length === 0) return 0;
    replaceWith(file, (out) => {
      for (const [at, chunk] of chunksOf(fd, needles.overlap)) {
        needles.overwriteIn(chunk.bytes, !chunk.isLast);
        fs.writeSync(out, chunk.bytes, 0, chunk.keep, at);
      }
    });
    return found.length;
  } finally {
    fs.closeSync(fd);
  }
}

/** Outside of the store, where its owner may not write: the scan says then that something is left. */
export function overwriteWhereAllowed(file: string, needles: Needles): number {
  try {
    return overwrite(file, needles);
  } catch (error) {
    if (hasErrorCode(error, 'EACCES', 'EPERM', 'EROFS')) return 0;
    throw error;
  }
}

/** Pieces that overlap: `keep` bytes of each are final, the rest comes again. */
function* chunksOf(fd: number, overlap: number): Generator<[position: number, chunk: { bytes: Buffer; keep: number; isLast: boolean }]> {
  const { size } = fs.fstatSync(fd);
  let carried: Buffer = Buffer.alloc(0);
  for (let position = 0; position < size; ) {
    const wanted = Math.min(CHUNK_BYTES + overlap, size - position);
    const bytes = Buffer.alloc(wanted);
    for (let done = carried.copy(bytes); done < wanted; ) {
      const count = fs.readSync(fd, bytes, done, wanted - done, position + done);
      if (count === 0) throw new Error(`a file of ${size} bytes ends at ${position + done}`);
      done += count;
    }
    const isLast = position + wanted === size;
    const keep = isLast ? wanted : wanted - overlap;
    yield [position, { bytes, keep, isLast }];
    // Changed by the reader of this piece: a name that lies across the border is overwritten already.
    carried = Buffer.from(bytes.subarray(keep));
    position += keep;
  }
}

export function dropLines(file: string, about: NameTest): number {
  let dropped = 0;
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  const kept = lines.filter((line) => {
    const isAbout = line !== '' && lineNames(line, about);
    if (isAbout) dropped += 1;
    return !isAbout;
  });
  if (dropped > 0) replaceWith(file, (out) => fs.writeSync(out, Buffer.from(kept.join('\n'), 'utf8')));
  return dropped;
}

export function hashOf(file: string): string | undefined {
  const fd = openRegular(file, fs.constants.O_RDONLY);
  if (fd === undefined) return undefined;
  try {
    const hash = createHash('sha256');
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (let count = fs.readSync(fd, chunk); count > 0; count = fs.readSync(fd, chunk)) hash.update(chunk.subarray(0, count));
    return hash.digest('hex');
  } finally {
    fs.closeSync(fd);
  }
}

/** Written beside, synced, renamed; mode and times stay, so nothing takes the file for newer than it is. */
export function replaceWith(file: string, write: (fd: number) => void): void {
  const { mode, atime, mtime } = fs.lstatSync(file);
  const temp = `${file}.${process.pid}.${randomUUID()}.tmp`;
  const fd = fs.openSync(temp, 'wx', mode);
  try {
    write(fd);
    fs.futimesSync(fd, atime, mtime);
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
  fs.renameSync(temp, file);
  syncFolder(path.dirname(file));
}

export function syncFolder(folder: string): void {
  const fd = fs.openSync(folder, fs.constants.O_RDONLY);
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
