/**
 * Writes the trajectories of one store: `<transcript>.trajectory.jsonl`, and the pointer that says where
 * it stands. Best effort: nothing is synced, a line that a power cut tore is passed over by readers, and
 * what cannot be written is the caller's to count.
 *
 * A trajectory is held while it is written, as it is while it is set aside: an archive never gets another
 * byte, and a session that left gets no new trajectory.
 * Bounds: FILE_BYTES_MAX a file; of a larger one the newest KEPT_BYTES stay, behind `trace.truncated`.
 */
import { constants } from 'node:fs';
import * as path from 'node:path';
import type { AgentStore } from '../agent-store';
import type { HeldFiles } from '../archive/held-files';
import { nodeFileSystem, type FileSystem } from '../files/file-system';
import { byteSourceOf } from '../transcript/byte-source';
import { eventLine, type NotedRun, type TrajectoryNote } from './event-line';

export const FILE_BYTES_MAX = 10 * 1024 * 1024;
export const KEPT_BYTES = 5 * 1024 * 1024;
/** Files whose end is remembered; of others it is read again. */
const REMEMBERED_MAX = 256;
/** Attempts whose notes are told apart from repeated ones, in one file. */
const ATTEMPTS_MAX = 16;
/** Holds the longest line and the one before it. */
const END_BYTES = 520 * 1024;
const COPY_BYTES = 256 * 1024;
const POINTER_BYTES_MAX = 64 * 1024;
/** Behind the name of a relocated trajectory while a shorter one is written. */
export const RELOCATED_TEMP_SUFFIX = '.tmp';
const READ_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
const NEWLINE = 0x0a;
const SUFFIX = '.jsonl';
const SAFE_NAME_MAX = 120;

export interface TrajectoryTarget {
  /** Transcript's name inside the store's directory. */
  readonly file: string;
  readonly sessionId: string;
}

export interface TrajectoryWriterOptions {
  readonly store: Pick<AgentStore, 'withHeld' | 'layout'>;
  /** Absolute directory in which all trajectories stand instead, one file a session id. */
  readonly directory?: string | undefined;
  readonly nowMs: () => number;
  readonly fs?: FileSystem;
  /** Default: FILE_BYTES_MAX and KEPT_BYTES. */
  readonly bytesMax?: number;
  readonly bytesKept?: number;
}

/** How a file ends. */
interface End {
  bytes: number;
  sourceSeq: number;
  /** Its last line is whole. */
  isWhole: boolean;
  /** Last note of each attempt that wrote lately. */
  readonly noted: Map<string, number>;
}

export class TrajectoryWriter {
  readonly #options: TrajectoryWriterOptions;
  readonly #fs: FileSystem;
  readonly #ends = new Map<string, End>();

  constructor(options: TrajectoryWriterOptions) {
    this.#options = options;
    this.#fs = options.fs ?? nodeFileSystem;
  }

  /**
   * @param isPresent asked while the file is held: whether the session still has this transcript.
   * @returns false when it has not, with nothing written.
   * @throws what a write throws, and what `withHeld` throws.
   */
  append({ file, sessionId }: TrajectoryTarget, run: NotedRun, notes: readonly TrajectoryNote[], isPresent: () => Promise<boolean>): Promise<boolean> {
    const base = file.endsWith(SUFFIX) ? file.slice(0, -SUFFIX.length) : file;
    const [beside, pointer] = [`${base}.trajectory.jsonl`, `${base}.trajectory-path.json`];
    const requests = [beside, pointer].map((name) => ({ file: name, nameOnly: true }));
    return this.#options.store.withHeld(requests, async (held) => {
      if (!(await isPresent())) return false;
      const { directory, store } = this.#options;
      const target = directory === undefined ? path.join(store.layout.dir, beside) : path.join(directory, relocatedName(sessionId));
      if (directory !== undefined) await this.#fs.mkdir(directory, DIRECTORY_MODE);
      await this.#point(held, pointer, sessionId, target);
      await this.#write(held, target, run, notes);
      return true;
    });
  }

  /** Says where it stands; of the same words nothing is written. */
  async #point(held: HeldFiles, pointer: string, sessionId: string, target: string): Promise<void> {
    const text = Buffer.from(`${JSON.stringify({ traceSchema: 'openclaw-trajectory-pointer', schemaVersion: 1, sessionId, runtimeFile: target }, null, 2)}\n`, 'utf8');
    const found = held.get(pointer).found;
    const place = path.join(this.#options.store.layout.dir, pointer);
    if (found?.bytes === text.length && found.bytes <= POINTER_BYTES_MAX && (await this.#read(place, 0, found.bytes)).equals(text)) return;
    await this.#withFile(place, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, (fd) => this.#fs.writeAll(fd, [text], 0));
  }

  async #write(held: HeldFiles, target: string, run: NotedRun, notes: readonly TrajectoryNote[]): Promise<void> {
    const { bytesMax = FILE_BYTES_MAX } = this.#options;
    const end = await this.#endOf(target);
    const fresh = notes.filter(({ attempt, seq }) => seq > (end.noted.get(attemptName(run, attempt)) ?? 0));
    if (fresh.length === 0) return;
    const lines = fresh.map((note, at) => eventLine(note, run, end.sourceSeq + 1 + at));
    const pieces = end.isWhole ? lines : [Buffer.from('\n'), ...lines];
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
    this.#ends.delete(target);
    if (end.bytes + bytes > bytesMax) await this.#renew(held, target, { end, run, lines });
    else {
      await this.#withFile(target, constants.O_WRONLY | constants.O_CREAT, (fd) => this.#fs.writeAll(fd, pieces, end.bytes));
      end.bytes += bytes;
    }
    end.sourceSeq += fresh.length;
    end.isWhole = true;
    for (const { attempt, seq } of fresh) {
      const name = attemptName(run, attempt);
      end.noted.delete(name);
      end.noted.set(name, seq);
    }
    dropOldest(end.noted, ATTEMPTS_MAX);
    this.#ends.set(target, end);
    dropOldest(this.#ends, REMEMBERED_MAX);
  }

  /** What is remembered of it counts while the file is as long as it was left. */
  async #endOf(target: string): Promise<End> {
    const found = await this.#fs.identify(target);
    if (found === undefined) return { bytes: 0, sourceSeq: 0, isWhole: true, noted: new Map() };
    const known = this.#ends.get(target);
    if (known?.bytes === found.size) return known;
    const tail = await this.#read(target, Math.max(0, found.size - END_BYTES), found.size);
    return { bytes: found.size, sourceSeq: lastSourceSeq(tail), isWhole: tail.length === 0 || tail.at(-1) === NEWLINE, noted: new Map() };
  }

  /** A new file of the newest lines takes its place; whoever reads the old one reads it to its end. */
  async #renew(held: HeldFiles, target: string, { end, run, lines }: { readonly end: End; readonly run: NotedRun; readonly lines: readonly Buffer[] }): Promise<void> {
    const { directory, store, nowMs, bytesKept = KEPT_BYTES, bytesMax = FILE_BYTES_MAX } = this.#options;
    const start = await this.#lineFrom(target, Math.max(0, end.bytes - bytesKept), end.bytes);
    const note = { type: 'trace.truncated', atMs: nowMs(), seq: 0, attempt: 0, data: { reason: 'trajectory-file-size-limit', limitBytes: bytesMax, droppedBytes: start } };
    const first = eventLine(note, run, 0);
    const rest = Buffer.concat(end.isWhole ? lines : [Buffer.from('\n'), ...lines]);
    const bytes = end.bytes - start;
    const name = path.basename(target);
    const temp = directory === undefined ? await this.#withFile(target, READ_FLAGS, async (fd) => {
      const pieces = [{ text: first.toString('utf8') }, { source: byteSourceOf(this.#fs, fd), offset: start, bytes }, { text: rest.toString('utf8') }];
      return path.join(store.layout.ownDir, (await held.stage(pieces)).name);
    }) : path.join(directory, `${name}${RELOCATED_TEMP_SUFFIX}`);
    if (directory !== undefined) await this.#copy(target, temp, { first, start, bytes, rest });
    await this.#fs.rename(temp, target);
    end.bytes = first.length + bytes + rest.length;
  }

  /** Beside a trajectory that stands on another disk, perhaps. */
  async #copy(from: string, to: string, { first, start, bytes, rest }: { readonly first: Buffer; readonly start: number; readonly bytes: number; readonly rest: Buffer }): Promise<void> {
    await this.#withFile(to, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, async (fd) => {
      await this.#fs.writeAll(fd, [first], 0);
      for (let at = 0; at < bytes; at += COPY_BYTES) await this.#fs.writeAll(fd, [await this.#read(from, start + at, start + Math.min(bytes, at + COPY_BYTES))], first.length + at);
      await this.#fs.writeAll(fd, [rest], first.length + bytes);
    });
  }

  /** Offset of the first line that begins behind `from`. */
  async #lineFrom(target: string, from: number, to: number): Promise<number> {
    for (let at = from; at < to; at += COPY_BYTES) {
      const newline = (await this.#read(target, at, Math.min(to, at + COPY_BYTES))).indexOf(NEWLINE);
      if (newline !== -1) return at + newline + 1;
    }
    return to;
  }

  async #read(file: string, start: number, end: number): Promise<Buffer> {
    return this.#withFile(file, READ_FLAGS, async (fd) => {
      const bytes = Buffer.alloc(end - start);
      let done = 0;
      while (done < bytes.length) {
        const read = await this.#fs.read(fd, bytes, done, bytes.length - done, start + done);
        if (read === 0) break;
        done += read;
      }
      return bytes.subarray(0, done);
    });
  }

  async #withFile<T>(file: string, flags: number, use: (fd: number) => Promise<T>): Promise<T> {
    const fd = await this.#fs.open(file, flags | constants.O_NOFOLLOW, FILE_MODE);
    try {
      return await use(fd);
    } finally {
      await this.#fs.close(fd);
    }
  }
}

/** Name of a session's trajectory in a directory of their own. */
function relocatedName(sessionId: string): string {
  const safe = sessionId.replaceAll(/[^A-Za-z0-9_-]/gu, '_').slice(0, SAFE_NAME_MAX);
  return `${/[A-Za-z0-9]/u.test(safe) ? safe : 'session'}${SUFFIX}`;
}

function attemptName({ runId }: NotedRun, attempt: number): string {
  return `${String(attempt)} ${runId}`;
}

/** Of the last whole line that has one; 0: none has. */
function lastSourceSeq(tail: Buffer): number {
  for (const line of tail.toString('utf8').split('\n').reverse()) {
    try {
      const { sourceSeq, seq } = JSON.parse(line) as { readonly sourceSeq?: unknown; readonly seq?: unknown };
      for (const found of [sourceSeq, seq]) if (typeof found === 'number' && Number.isSafeInteger(found)) return found;
    } catch {
      // Torn, or the end of a line that began further ahead.
    }
  }
  return 0;
}

function dropOldest<V>(map: Map<string, V>, max: number): void {
  for (const [name] of map) {
    if (map.size <= max) return;
    map.delete(name);
  }
}
