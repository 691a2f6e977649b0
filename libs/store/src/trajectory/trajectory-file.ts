/**
 * The trajectory of a session: where it is, its last events, and what is appended to it. Read in
 * chunks, from the end or onwards from a place, so a long one costs what is shown of it.
 * Bounds: CHUNK_BYTES at a time, LINE_BYTES_MAX a line (longer ones are passed over).
 */
import { isJsonObject, isSessionId } from '@sessions/domain';
import type { JsonObject } from '@sessions/domain';
import { closeSync, fstatSync, lstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';

const CHUNK_BYTES = 64 * 1024;
export const LINE_BYTES_MAX = 1024 * 1024;
const POINTER_BYTES_MAX = 64 * 1024;
const NEWLINE = 0x0a;
/** `traceSchema` of each line. */
export const TRAJECTORY_SCHEMA = 'openclaw-trajectory';

export interface TrajectoryEvent {
  readonly type: string;
  /** Epoch milliseconds. */
  readonly atMs: number;
  readonly sessionId: string;
  /** Ordinal in its source, to know it again; undefined: none is given. */
  readonly seq: number | undefined;
  readonly line: JsonObject;
}

/** How far a file has been read. */
export interface TrajectoryPlace {
  readonly path: string;
  readonly inode: number;
  readonly mtimeMs: number;
  /** Behind the last whole line that was read. */
  readonly offset: number;
}

export interface TrajectoryOwner {
  /** Directory of the store. */
  readonly directory: string;
  readonly sessionId: string;
  /** Transcript's name inside the directory; null: none. */
  readonly file: string | null;
}

/** Path of a session's trajectory, followed over its pointer; undefined: there is none. */
export function trajectoryPath({ directory, sessionId, file }: TrajectoryOwner): string | undefined {
  if (!isSessionId(sessionId)) return undefined;
  const own = file?.endsWith('.jsonl') === true ? [join(directory, file.slice(0, -'.jsonl'.length))] : [];
  const bases = [...new Set([...own, join(directory, own[0] === undefined ? '' : dirname(file ?? ''), sessionId)])];
  const candidates = bases.flatMap((base) => [pointedFrom(`${base}.trajectory-path.json`, sessionId), `${base}.trajectory.jsonl`]);
  return candidates.find((path) => path !== undefined && isRegular(path));
}

/** A pointer counts only for the session that it names. */
function pointedFrom(pointer: string, sessionId: string): string | undefined {
  try {
    const found = lstatSync(pointer);
    if (!found.isFile() || found.size > POINTER_BYTES_MAX) return undefined;
    const value: unknown = JSON.parse(readFileSync(pointer, 'utf8'));
    if (!isJsonObject(value) || value['sessionId'] !== sessionId) return undefined;
    const { runtimeFile } = value;
    return typeof runtimeFile === 'string' && isAbsolute(runtimeFile) && basename(runtimeFile).endsWith('.jsonl') ? runtimeFile : undefined;
  } catch {
    // Missing or damaged: the file beside the transcript is looked for.
    return undefined;
  }
}

function isRegular(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/** The last events of a file, oldest first, and the place behind its last whole line. */
export function readLastEvents(path: string, count: number): { readonly events: TrajectoryEvent[]; readonly place: TrajectoryPlace } {
  return withFile(path, (file, { size, ino, mtimeMs }) => {
    const events: TrajectoryEvent[] = [];
    let offset: number | undefined;
    /** From the beginning of what was read to the end of a line; its first line may begin further ahead. */
    let block = Buffer.alloc(0);
    for (let start = size; start > 0 && (offset === undefined || events.length < count); ) {
      const end = start;
      start = Math.max(0, end - CHUNK_BYTES);
      block = Buffer.concat([readRange(file, start, end), block]);
      if (offset === undefined) {
        // An unfinished last line is read once it is whole.
        const last = block.lastIndexOf(NEWLINE);
        if (last === -1) continue;
        offset = start + last + 1;
        block = block.subarray(0, last);
      }
      while (events.length < count) {
        const newline = block.lastIndexOf(NEWLINE);
        if (newline === -1 && start > 0) break;
        const event = toEvent(block.subarray(newline + 1));
        if (event !== undefined) events.push(event);
        if (newline === -1) break;
        block = block.subarray(0, newline);
      }
      // The end of a line that is too long: what is left of it is no JSON and is passed over.
      if (block.length > LINE_BYTES_MAX) block = Buffer.alloc(0);
    }
    return { events: events.reverse(), place: { path, inode: ino, mtimeMs, offset: offset ?? 0 } };
  });
}

/** Whole lines behind a place; from the beginning where the file is another one, shorter, or written anew. */
export function readAppended(path: string, before: TrajectoryPlace | undefined): { readonly events: TrajectoryEvent[]; readonly place: TrajectoryPlace } {
  return withFile(path, (file, { size, ino, mtimeMs }) => {
    const isSame = before !== undefined && before.path === path && before.inode === ino && size >= before.offset && !(size === before.offset && mtimeMs !== before.mtimeMs);
    let offset = isSame ? before.offset : 0;
    const events: TrajectoryEvent[] = [];
    let rest = Buffer.alloc(0);
    let position = offset;
    while (position < size) {
      const bytes = Buffer.concat([rest, readRange(file, position, Math.min(size, position + CHUNK_BYTES))]);
      position = Math.min(size, position + CHUNK_BYTES);
      let start = 0;
      for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, start)) {
        const event = toEvent(bytes.subarray(start, at));
        if (event !== undefined) events.push(event);
        start = at + 1;
      }
      offset += start;
      rest = Buffer.from(bytes.subarray(start));
      if (rest.length > LINE_BYTES_MAX) {
        offset += rest.length;
        rest = Buffer.alloc(0);
      }
    }
    return { events, place: { path, inode: ino, mtimeMs, offset } };
  });
}

function withFile<T>(path: string, read: (file: number, stats: { readonly size: number; readonly ino: number; readonly mtimeMs: number }) => T): T {
  const file = openSync(path, 'r');
  try {
    return read(file, fstatSync(file));
  } finally {
    closeSync(file);
  }
}

function readRange(file: number, start: number, end: number): Buffer {
  const bytes = Buffer.alloc(end - start);
  let done = 0;
  while (done < bytes.length) {
    const read = readSync(file, bytes, done, bytes.length - done, start + done);
    if (read === 0) break;
    done += read;
  }
  return bytes.subarray(0, done);
}

/** Undefined for a line that is no event of the schema. */
function toEvent(bytes: Buffer): TrajectoryEvent | undefined {
  if (bytes.length === 0 || bytes.length > LINE_BYTES_MAX) return undefined;
  try {
    const line: unknown = JSON.parse(bytes.toString('utf8'));
    if (!isJsonObject(line) || line['traceSchema'] !== TRAJECTORY_SCHEMA) return undefined;
    const { type, ts, sessionId, sourceSeq, seq } = line;
    const atMs = typeof ts === 'number' ? ts : typeof ts === 'string' ? Date.parse(ts) : Number.NaN;
    if (typeof type !== 'string' || typeof sessionId !== 'string' || !Number.isFinite(atMs)) return undefined;
    return { type, atMs, sessionId, seq: typeof sourceSeq === 'number' ? sourceSeq : typeof seq === 'number' ? seq : undefined, line };
  } catch {
    return undefined;
  }
}
