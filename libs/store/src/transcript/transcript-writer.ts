/**
 * Puts acknowledged bytes into one transcript, in order and at their place: one positioned write for
 * everything that follows on, begun at once after a silence and GATHER_MS after the last one otherwise.
 *
 * A foreign program that does not heed the lock may append meanwhile: the file's length is looked at
 * right before each write, ours then follow on its bytes, and the journal is told that they stand
 * elsewhere than their record says. What such a program appends in the instant between that look and
 * the write can be written over. An appending descriptor would close that gap and open a worse one: a
 * fenced owner that wakes up in the middle of a write would repeat its lines behind its successor's,
 * where a positioned write only puts the same bytes in the same place. A write that fails is kept
 * and tried again. What can be lost: nothing, the journal has the bytes.
 */
import { constants } from 'node:fs';
import { SessionError } from '@sessions/domain';
import { hasErrorCode, type FileSystem } from '../files/file-system';
import type { RelocateOp } from '../journal/codec';

/**
 * Least time between two writes to one transcript when nobody waits for them: the lines of a busy
 * session go together. Until then they are in the journal, and a reader of ours hurries them.
 */
const GATHER_MS = 50;
/** Bytes that wait no longer. */
const GATHER_BYTES_MAX = 256 * 1024;
/** Pause before a failed write is tried again. */
const RETRY_WRITE_MS = 500;
const FILE_MODE = 0o600;
const NEWLINE = 0x0a;

/** Acknowledged bytes on their way to the file. */
interface Pending {
  readonly seq: number;
  /** As the journal's record says. */
  readonly offset: number;
  /** How far foreign bytes had moved the file's end when the offset was claimed. */
  readonly shiftAtClaim: number;
  readonly bytes: Buffer;
}

export interface TranscriptWriterOptions {
  readonly fs: FileSystem;
  /** Name inside the store's directory. */
  readonly file: string;
  readonly path: string;
  /** Journals that acknowledged lines stand elsewhere than their record says; resolves when durable. */
  readonly relocate: (op: RelocateOp) => Promise<void>;
  /** A write failed (DISK_FULL, READ_ONLY or other), or all are written again (undefined). */
  readonly onTrouble: (trouble: SessionError | undefined) => void;
  /** Foreign bytes were met: what is known of the file's end no longer holds. */
  readonly onForeignBytes: () => void;
  /** Everything queued is written. */
  readonly onIdle: () => void;
  /** Makes room for one more open descriptor. */
  readonly beforeOpen: () => Promise<void>;
}

export class TranscriptWriter {
  readonly #options: TranscriptWriterOptions;
  /** The shift as it was when each append in the journal was claimed, by its recorded offset. */
  readonly #claims = new Map<number, number>();
  #queue: Pending[] = [];
  #writing: Promise<void> | undefined;
  #fd: number | undefined;
  /** Under way; they never reject here. */
  readonly #syncs = new Set<Promise<void>>();
  /** Bytes that foreign programs have added (or taken) since the file was opened. */
  #shift = 0;
  #queuedBytes = 0;
  #writtenBytes = 0;
  #lastWriteAtMs = Number.NEGATIVE_INFINITY;
  /** Somebody waits for what is queued. */
  #hurried = false;
  #ended = false;
  /** Why the head of the queue could not be written at the last try. */
  #trouble: SessionError | undefined;
  /** Those who wait for the end of the writing under way, or for its trouble. */
  #waiters: (() => void)[] = [];
  /** Ends the pause before the next try. */
  #wake: (() => void) | undefined;

  constructor(options: TranscriptWriterOptions) {
    this.#options = options;
  }

  /** True while appends are on their way, in the journal or to the file. */
  get busy(): boolean {
    return this.#claims.size > 0 || this.#writing !== undefined;
  }

  get isOpen(): boolean {
    return this.#fd !== undefined;
  }

  /** Syncs the open file, which stays open until that is done. @returns undefined while the file is closed */
  sync(): Promise<void> | undefined {
    if (this.#fd === undefined) return undefined;
    const syncing = this.#options.fs.fdatasync(this.#fd);
    const ended = syncing.catch(() => undefined).finally(() => this.#syncs.delete(ended));
    this.#syncs.add(ended);
    return syncing;
  }

  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  /** An append at this offset goes to the journal; `push` follows when it is durable. */
  claim(offset: number): void {
    this.#claims.set(offset, this.#shift);
  }

  /** Queues acknowledged bytes. */
  push(seq: number, offset: number, bytes: Buffer): void {
    const shiftAtClaim = this.#claims.get(offset) ?? this.#shift;
    this.#claims.delete(offset);
    this.#queue.push({ seq, offset, shiftAtClaim, bytes });
    this.#queuedBytes += bytes.length;
    if (this.#queuedBytes >= GATHER_BYTES_MAX) this.#hurry();
    this.#writing ??= this.#drain();
  }

  /**
   * Resolves when everything pushed so far is in the file.
   * @throws DISK_FULL, READ_ONLY or another trouble while it cannot be written: nobody waits for a
   *   disk to get room; SHUTTING_DOWN when it never will be by this writer.
   */
  async settled(): Promise<void> {
    this.#hurry();
    const writing = this.#writing;
    while (writing !== undefined && this.#writing === writing) {
      if (this.#trouble !== undefined) throw this.#trouble;
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
    if (this.#ended && this.#queue.length > 0) throw this.#trouble ?? new SessionError('SHUTTING_DOWN', `${this.#options.path} is not written any more`);
  }

  /** Ends the gathering of lines; a pause after a failed write goes on. */
  #hurry(): void {
    if (this.#writing === undefined) return;
    this.#hurried = true;
    if (this.#trouble === undefined) this.#wake?.();
  }

  /** What cannot be written at the next try is left to the journal, and nobody waits for it. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async closeFile(): Promise<void> {
    const fd = this.#fd;
    this.#fd = undefined;
    // A sync of a closed descriptor fails, or is one of whatever was opened since.
    await Promise.all(this.#syncs);
    if (fd !== undefined) await this.#options.fs.close(fd);
  }

  /** Writes what it can once more and closes the file. */
  async close(): Promise<void> {
    this.end();
    await this.#writing;
    await this.closeFile();
  }

  async #drain(): Promise<void> {
    await this.#gather();
    while (this.#queue.length > 0) {
      const batch = takeContiguous(this.#queue);
      try {
        await this.#write(batch);
        this.#lastWriteAtMs = performance.now();
        this.#setTrouble(undefined);
      } catch (error) {
        this.#queue.unshift(...batch);
        this.#setTrouble(writeTrouble(this.#options.path, error));
        if (this.#ended) break;
        await this.#pause(RETRY_WRITE_MS);
      }
    }
    this.#writing = undefined;
    this.#hurried = false;
    this.#wakeWaiters();
    this.#options.onIdle();
  }

  #setTrouble(trouble: SessionError | undefined): void {
    if (trouble !== undefined || this.#trouble !== undefined) this.#options.onTrouble(trouble);
    this.#trouble = trouble;
    if (trouble !== undefined) this.#wakeWaiters();
  }

  #wakeWaiters(): void {
    for (const wake of this.#waiters.splice(0)) wake();
  }

  /**
   * Begins a turn of the event loop later: the lines of one group go to their transcripts while the
   * next group is being synced, and so cost those who wait for it nothing.
   */
  async #gather(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    const waitMs = this.#lastWriteAtMs + GATHER_MS - performance.now();
    if (waitMs > 0 && !this.#hurried && !this.#ended && this.#queuedBytes < GATHER_BYTES_MAX) await this.#pause(waitMs);
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }

  async #write(batch: readonly Pending[]): Promise<void> {
    const { fs, file, relocate } = this.#options;
    const fd = await this.#openFile();
    const first = batch[0] as Pending;
    const expected = first.offset + this.#shift - first.shiftAtClaim;
    await this.#followForeignBytes(fd, expected, batch);
    for (const { seq, offset, shiftAtClaim } of batch) {
      const moved = this.#shift - shiftAtClaim;
      if (moved !== 0) await relocate({ op: 'relocate', seq, file, fromOffset: offset, offset: offset + moved });
    }
    const bytes = batch.map((pending) => pending.bytes);
    await fs.writeAll(fd, bytes, first.offset + this.#shift - first.shiftAtClaim);
    for (const piece of bytes) {
      this.#writtenBytes += piece.length;
      this.#queuedBytes -= piece.length;
    }
  }

  async #openFile(): Promise<number> {
    const { fs, path, beforeOpen } = this.#options;
    // Somebody moved, removed or replaced the file: what stands under its name is where lines go.
    if (this.#fd !== undefined && fs.inodeNamedNow(path) !== fs.inodeNow(this.#fd)) await this.closeFile();
    if (this.#fd === undefined) {
      // Refuses what is no regular file.
      await fs.identify(path);
      await beforeOpen();
      this.#fd = await fs.open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, FILE_MODE);
    }
    return this.#fd;
  }

  async #followForeignBytes(fd: number, expected: number, batch: readonly Pending[]): Promise<void> {
    const found = this.#options.fs.sizeNow(fd);
    if (found === expected) return;
    // A write of ours that failed half-way leaves a longer file too.
    if (found > expected && (await this.#isOurPrefix(fd, expected, found, batch))) return;
    this.#shift += found + (await this.#endLine(fd, found)) - expected;
    this.#options.onForeignBytes();
  }

  /** True when what stands behind `from` is the beginning of the batch. */
  async #isOurPrefix(fd: number, from: number, to: number, batch: readonly Pending[]): Promise<boolean> {
    const ours = Buffer.concat(batch.map((pending) => pending.bytes));
    if (to - from > ours.length) return false;
    const found = Buffer.allocUnsafe(to - from);
    const count = await this.#options.fs.read(fd, found, 0, found.length, from);
    return count === found.length && ours.subarray(0, found.length).equals(found);
  }

  /** Ends a foreign line that has no newline yet. @returns how many bytes that took. */
  async #endLine(fd: number, end: number): Promise<number> {
    const last = Buffer.alloc(1);
    if (end === 0 || (await this.#options.fs.read(fd, last, 0, 1, end - 1)) === 0 || last[0] === NEWLINE) return 0;
    await this.#options.fs.writeAll(fd, [Buffer.from('\n')], end);
    return 1;
  }
}

/** The queue's head, as long as each follows on the one before in place and in shift. */
function takeContiguous(queue: Pending[]): Pending[] {
  const { shiftAtClaim, offset, bytes } = queue[0] as Pending;
  let count = 1;
  let end = offset + bytes.length;
  for (;;) {
    const next = queue[count];
    if (next === undefined || next.offset !== end || next.shiftAtClaim !== shiftAtClaim) return queue.splice(0, count);
    end += next.bytes.length;
    count += 1;
  }
}

function writeTrouble(file: string, cause: unknown): SessionError {
  const message = `${file} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`;
  if (hasErrorCode(cause, 'ENOTREG', 'ELOOP', 'EISDIR')) return new SessionError('DAMAGED', message, { cause, facts: { path: file }, hint: 'move away what stands there; the lines follow by themselves' });
  const full = hasErrorCode(cause, 'ENOSPC', 'EDQUOT', 'EFBIG');
  const readOnly = hasErrorCode(cause, 'EROFS', 'EACCES', 'EPERM');
  return new SessionError(full ? 'DISK_FULL' : readOnly ? 'READ_ONLY' : 'OUTCOME_UNKNOWN', message, { cause, facts: { path: file } });
}
