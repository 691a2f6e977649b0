/**
 * The transcripts of one store that are being written: their open files, their courtesy locks and
 * what an append needs to know of their ends.
 *
 * Bytes reach a transcript after the journal has them, at the offset that the journal's record
 * names, one positioned write a transcript and group; they are synced at checkpoints. What can be
 * lost: nothing, replay writes them again. A write that fails is kept and tried again while the
 * store takes no further mutation.
 */
import { constants } from 'node:fs';
import * as path from 'node:path';
import { SessionError } from '@sessions/domain';
import { hasErrorCode, type FileSystem } from '../files/file-system';
import { acquireTranscriptLock, type LockReport, type TranscriptLock } from '../files/transcript-lock';
import type { RelocateOp } from '../journal/codec';
import type { TranscriptTail } from '../types';

/** Open descriptors of transcripts at one time; above, idle ones are closed. */
export const OPEN_TRANSCRIPTS_MAX = 128;
/** Transcripts whose ends are remembered; above, idle ones are forgotten. */
const KNOWN_TRANSCRIPTS_MAX = 1024;
/** A courtesy lock is given back after this long without a change. */
export const LOCK_IDLE_MS = 250;
/** Pause between two looks while appends on their way to the journal settle. */
const SETTLE_POLL_MS = 5;
/** Pause before a failed transcript write is tried again. */
const RETRY_WRITE_MS = 500;
/** Transcripts synced at one time by a checkpoint. */
const SYNCS_AT_ONCE = 4;
const FILE_MODE = 0o600;
const NEWLINE = 0x0a;

export interface WriteLockSettings {
  readonly acquireTimeoutMs: number;
  readonly staleMs: number;
  readonly maxHoldMs: number;
}

export interface TranscriptFilesOptions {
  readonly fs: FileSystem;
  readonly dir: string;
  readonly epoch: number;
  readonly pid: number;
  readonly startTicks: number | undefined;
  readonly lock: WriteLockSettings;
  readonly nowMs: () => number;
  /** Facts that the index remembers from earlier; may be older than the file. */
  readonly remembered: (file: string) => TranscriptTail | undefined;
  /** Reads the facts from the file, on from `known` where its bytes are unchanged. */
  readonly scan: (file: string, known: TranscriptTail | undefined) => Promise<TranscriptTail>;
  readonly onLockReport: (report: LockReport) => void;
  /** Journals that acknowledged lines stand elsewhere than their record says; resolves when durable. */
  readonly relocate: (op: RelocateOp) => Promise<void>;
  /** A write failed (DISK_FULL, READ_ONLY or other), or all are written again (undefined). */
  readonly onTrouble: (trouble: SessionError | undefined) => void;
}

/** Acknowledged bytes on their way to the file. */
interface Pending {
  readonly seq: number;
  /** As the journal's record says. */
  readonly offset: number;
  /** How far foreign bytes had moved the file's end when the offset was claimed. */
  readonly shiftAtClaim: number;
  readonly bytes: Buffer;
}

interface OpenTranscript {
  readonly file: string;
  readonly path: string;
  fd: number | undefined;
  /** As it is once everything handed out so far is written. */
  tail: TranscriptTail;
  queue: Pending[];
  writing: Promise<void> | undefined;
  lock: TranscriptLock | undefined;
  /** An acquisition or release under way. */
  changingLock: Promise<void> | undefined;
  idleTimer: NodeJS.Timeout | undefined;
  /** Appends handed out but not yet queued for writing. */
  reserved: number;
  /** Bytes that foreign programs have added (or taken) since the file was opened. */
  shift: number;
  /** The shift as it was when each reserved append was claimed, by its recorded offset. */
  readonly claims: Map<number, number>;
  /** Foreign lines came in: the end must be read again before the next append. */
  stale: boolean;
}

export class TranscriptFiles {
  readonly #options: TranscriptFilesOptions;
  readonly #open = new Map<string, OpenTranscript>();
  #touched = new Set<string>();
  #writtenBytes = 0;
  #closed = false;

  constructor(options: TranscriptFilesOptions) {
    this.#options = options;
  }

  /** Bytes handed to `write` since the store was opened. */
  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  /** The end of a transcript whose lock is held; undefined: call `prepare` first. */
  ready(file: string): TranscriptTail | undefined {
    const transcript = this.#open.get(file);
    const isReady = transcript?.lock !== undefined && transcript.changingLock === undefined && !transcript.stale;
    return isReady ? transcript.tail : undefined;
  }

  /**
   * Takes the courtesy lock and learns where the transcript ends.
   * @throws SESSION_LOCKED when a living foreign program holds it too long.
   */
  async prepare(file: string): Promise<void> {
    const known = this.#open.get(file);
    if (known?.changingLock !== undefined) {
      await known.changingLock;
      return;
    }
    if (known?.lock !== undefined) {
      if (known.stale) await this.#readAgain(known);
      return;
    }
    const transcript = known ?? this.#remember(file);
    const change = this.#takeLock(transcript).finally(() => {
      transcript.changingLock = undefined;
    });
    transcript.changingLock = change;
    try {
      await change;
    } catch (error) {
      if (known === undefined) this.#open.delete(file);
      throw error;
    }
  }

  /** Claims the place of an append; `write` must follow unless the store fails. @returns its offset. */
  reserve(file: string, bytes: number, next: Omit<TranscriptTail, 'bytes'>): number {
    const transcript = this.#open.get(file);
    if (transcript?.lock === undefined) throw new Error(`transcript ${file} is not prepared`);
    const offset = transcript.tail.bytes;
    transcript.tail = { ...next, bytes: offset + bytes };
    transcript.reserved += 1;
    transcript.claims.set(offset, transcript.shift);
    clearTimeout(transcript.idleTimer);
    return offset;
  }

  /** Queues acknowledged bytes for their place. */
  write(file: string, seq: number, offset: number, bytes: Buffer): void {
    const transcript = this.#open.get(file);
    if (transcript === undefined) throw new Error(`transcript ${file} is not open`);
    transcript.reserved -= 1;
    const shiftAtClaim = transcript.claims.get(offset) ?? transcript.shift;
    transcript.claims.delete(offset);
    transcript.queue.push({ seq, offset, shiftAtClaim, bytes });
    this.#touched.add(file);
    transcript.writing ??= this.#drain(transcript);
  }

  /** Resolves when everything acknowledged so far for this transcript is in the file. */
  async settled(file: string): Promise<void> {
    await this.#open.get(file)?.writing;
  }

  /** Syncs every transcript written since the last call. @throws what a sync threw; all count as touched again then. */
  async syncTouched(): Promise<void> {
    const touched = [...this.#touched];
    this.#touched = new Set();
    try {
      await Promise.all([...this.#open.values()].map((transcript) => transcript.writing));
      for (let index = 0; index < touched.length; index += SYNCS_AT_ONCE) {
        await Promise.all(touched.slice(index, index + SYNCS_AT_ONCE).map((file) => this.#sync(file)));
      }
    } catch (error) {
      for (const file of touched) this.#touched.add(file);
      throw error;
    }
  }

  /** Waits for writes, frees all locks and closes all files. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const transcript of this.#open.values()) {
      clearTimeout(transcript.idleTimer);
      await transcript.writing?.catch(() => undefined);
      await transcript.changingLock?.catch(() => undefined);
      await transcript.lock?.release().catch(() => undefined);
      if (transcript.fd !== undefined) await this.#options.fs.close(transcript.fd);
    }
    this.#open.clear();
  }

  #remember(file: string): OpenTranscript {
    this.#forgetIdle();
    const transcript: OpenTranscript = {
      file,
      path: path.join(this.#options.dir, file),
      fd: undefined,
      tail: this.#options.remembered(file) ?? { kind: 'none', leafId: null, messages: 0, exchanges: 0, bytes: 0 },
      queue: [],
      writing: undefined,
      lock: undefined,
      changingLock: undefined,
      idleTimer: undefined,
      reserved: 0,
      shift: 0,
      claims: new Map(),
      stale: false,
    };
    this.#open.set(file, transcript);
    return transcript;
  }

  async #takeLock(transcript: OpenTranscript): Promise<void> {
    const { fs, epoch, pid, startTicks, lock, nowMs, onLockReport } = this.#options;
    const held = await acquireTranscriptLock(transcript.path, {
      fs,
      pid,
      startTicks,
      epoch,
      ...lock,
      nowMs,
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      onReport: onLockReport,
    });
    try {
      transcript.tail = await this.#currentTail(transcript);
    } catch (error) {
      await held.release();
      throw error;
    }
    transcript.lock = held;
    this.#restartIdleTimer(transcript);
  }

  /** Waits until our own lines are in the file, then reads where it ends. */
  async #readAgain(transcript: OpenTranscript): Promise<void> {
    const change = (async () => {
      while (transcript.reserved > 0 || transcript.writing !== undefined) {
        await (transcript.writing ?? new Promise((resolve) => setTimeout(resolve, SETTLE_POLL_MS)));
      }
      transcript.tail = await this.#options.scan(transcript.file, undefined);
      transcript.stale = false;
    })().finally(() => {
      transcript.changingLock = undefined;
    });
    transcript.changingLock = change;
    await change;
  }

  /** What we know, if the file still has that length; else what the file says. */
  async #currentTail(transcript: OpenTranscript): Promise<TranscriptTail> {
    await transcript.writing;
    const found = await this.#options.fs.identify(transcript.path);
    if (found === undefined) return { kind: 'none', leafId: null, messages: 0, exchanges: 0, bytes: 0 };
    if (transcript.tail.kind !== 'none' && found.size === transcript.tail.bytes) return transcript.tail;
    const known = transcript.tail.kind !== 'none' && found.size > transcript.tail.bytes ? transcript.tail : undefined;
    return this.#options.scan(transcript.file, known);
  }

  #restartIdleTimer(transcript: OpenTranscript): void {
    clearTimeout(transcript.idleTimer);
    if (this.#closed) return;
    transcript.idleTimer = setTimeout(() => this.#releaseIdle(transcript), LOCK_IDLE_MS).unref();
  }

  #releaseIdle(transcript: OpenTranscript): void {
    const busy = transcript.reserved > 0 || transcript.writing !== undefined || transcript.changingLock !== undefined;
    if (busy || transcript.lock === undefined || this.#closed) {
      if (busy) this.#restartIdleTimer(transcript);
      return;
    }
    const { lock } = transcript;
    transcript.lock = undefined;
    transcript.changingLock = lock.release().catch(() => undefined).finally(() => {
      transcript.changingLock = undefined;
    });
  }

  /** One write a turn: everything queued that follows on, at its offset. */
  async #drain(transcript: OpenTranscript): Promise<void> {
    let troubled = false;
    while (transcript.queue.length > 0) {
      const batch = takeContiguous(transcript.queue);
      try {
        await this.#writeBatch(transcript, batch);
        for (const pending of batch) this.#writtenBytes += pending.bytes.length;
        if (troubled) this.#options.onTrouble(undefined);
        troubled = false;
      } catch (error) {
        troubled = true;
        transcript.queue.unshift(...batch);
        this.#options.onTrouble(writeTrouble(transcript.path, error));
        if (this.#closed) break;
        await new Promise((resolve) => setTimeout(resolve, RETRY_WRITE_MS));
      }
    }
    transcript.writing = undefined;
    this.#restartIdleTimer(transcript);
  }

  /** Foreign bytes that came in between are never overwritten: ours follow on them. */
  async #writeBatch(transcript: OpenTranscript, batch: readonly Pending[]): Promise<void> {
    const { fs } = this.#options;
    const first = batch[0] as Pending;
    if (transcript.fd !== undefined && fs.linksNow(transcript.fd) === 0) {
      await fs.close(transcript.fd);
      transcript.fd = undefined;
    }
    transcript.fd ??= await this.#openFile(transcript);
    const expected = first.offset + transcript.shift - first.shiftAtClaim;
    const found = fs.sizeNow(transcript.fd);
    // A write of ours that failed half-way leaves a longer file too.
    if (found !== expected && !(found > expected && (await this.#isOurPrefix(transcript.fd, expected, found, batch)))) {
      const newlines = await this.#endLine(transcript.fd, found);
      transcript.shift += found + newlines - expected;
      transcript.stale = true;
    }
    for (const pending of batch) {
      const moved = transcript.shift - pending.shiftAtClaim;
      if (moved === 0) continue;
      await this.#options.relocate({ op: 'relocate', seq: pending.seq, file: transcript.file, fromOffset: pending.offset, offset: pending.offset + moved });
    }
    const at = first.offset + transcript.shift - first.shiftAtClaim;
    await fs.writeAll(transcript.fd, batch.map((pending) => pending.bytes), at);
  }

  /** Ends a foreign line that has no newline yet. @returns how many bytes that took. */
  async #endLine(fd: number, end: number): Promise<number> {
    const last = Buffer.alloc(1);
    if (end === 0 || (await this.#options.fs.read(fd, last, 0, 1, end - 1)) === 0 || last[0] === NEWLINE) return 0;
    await this.#options.fs.writeAll(fd, [Buffer.from('\n')], end);
    return 1;
  }

  /** True when what stands behind `from` is the beginning of the batch: a write of ours that was cut short. */
  async #isOurPrefix(fd: number, from: number, to: number, batch: readonly Pending[]): Promise<boolean> {
    const ours = Buffer.concat(batch.map((pending) => pending.bytes));
    if (to - from > ours.length) return false;
    const found = Buffer.allocUnsafe(to - from);
    const count = await this.#options.fs.read(fd, found, 0, found.length, from);
    return count === found.length && ours.subarray(0, found.length).equals(found);
  }

  async #openFile(transcript: OpenTranscript): Promise<number> {
    await this.#closeIdleFiles();
    return this.#options.fs.open(transcript.path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, FILE_MODE);
  }

  async #sync(file: string): Promise<void> {
    const open = this.#open.get(file)?.fd;
    if (open !== undefined) {
      await this.#options.fs.fdatasync(open);
      return;
    }
    let fd: number;
    try {
      fd = await this.#options.fs.open(path.join(this.#options.dir, file), constants.O_RDWR | constants.O_NOFOLLOW);
    } catch (error) {
      // Somebody removed the transcript: there is nothing to sync, and recovery does not bring it back.
      if (hasErrorCode(error, 'ENOENT')) return;
      throw error;
    }
    try {
      await this.#options.fs.fdatasync(fd);
    } finally {
      await this.#options.fs.close(fd);
    }
  }

  #isIdle(transcript: OpenTranscript): boolean {
    return transcript.reserved === 0 && transcript.writing === undefined && transcript.changingLock === undefined && transcript.lock === undefined;
  }

  async #closeIdleFiles(): Promise<void> {
    const withFile = [...this.#open.values()].filter((transcript) => transcript.fd !== undefined);
    let excess = withFile.length + 1 - OPEN_TRANSCRIPTS_MAX;
    for (const transcript of withFile) {
      if (excess <= 0) return;
      if (!this.#isIdle(transcript)) continue;
      const fd = transcript.fd as number;
      transcript.fd = undefined;
      excess -= 1;
      await this.#options.fs.close(fd);
    }
  }

  #forgetIdle(): void {
    if (this.#open.size < KNOWN_TRANSCRIPTS_MAX) return;
    for (const transcript of this.#open.values()) {
      if (!this.#isIdle(transcript) || transcript.fd !== undefined) continue;
      this.#open.delete(transcript.file);
      if (this.#open.size < KNOWN_TRANSCRIPTS_MAX) return;
    }
  }
}

/** The queue's head, as long as each follows on the one before in place and in shift. */
function takeContiguous(queue: Pending[]): Pending[] {
  let count = 1;
  const { shiftAtClaim } = queue[0] as Pending;
  let end = (queue[0] as Pending).offset + (queue[0] as Pending).bytes.length;
  while (count < queue.length && (queue[count] as Pending).offset === end && (queue[count] as Pending).shiftAtClaim === shiftAtClaim) {
    end += (queue[count] as Pending).bytes.length;
    count += 1;
  }
  return queue.splice(0, count);
}

function writeTrouble(file: string, cause: unknown): SessionError {
  const message = `${file} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`;
  const reason = hasErrorCode(cause, 'ENOSPC', 'EDQUOT', 'EFBIG') ? 'DISK_FULL' : hasErrorCode(cause, 'EROFS', 'EACCES', 'EPERM') ? 'READ_ONLY' : 'OUTCOME_UNKNOWN';
  return new SessionError(reason, message, { cause, facts: { path: file } });
}
