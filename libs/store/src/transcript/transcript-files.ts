/**
 * The transcripts of one store that are being written: their courtesy locks, what an append needs
 * to know of their ends, and which of them a checkpoint has to sync. The bytes themselves go
 * through a `TranscriptWriter` each, after the journal has them.
 */
import * as path from 'node:path';
import { SessionError } from '@sessions/domain';
import type { FileSystem } from '../files/file-system';
import { assertStandingDirectory } from '../files/real-directories';
import { acquireTranscriptLock, type LockReport, type TranscriptLock, type WriteLockSettings } from '../files/transcript-lock';
import type { RelocateOp } from '../journal/codec';
import type { TranscriptTail } from '../types';
import { identifyTranscript } from './identify-transcript';
import { TouchedTranscripts, syncTranscripts } from './touched-transcripts';
import { TranscriptHolds } from './transcript-holds';
import { TranscriptWriter } from './transcript-writer';

/** Open descriptors of transcripts at one time; above, idle ones are closed. */
export const OPEN_TRANSCRIPTS_MAX = 128;
/** Transcripts whose ends are remembered; above, idle ones are forgotten. */
const KNOWN_TRANSCRIPTS_MAX = 1024;
/** A courtesy lock is given back after this long without a change. */
export const LOCK_IDLE_MS = 250;
/** Pause between two looks while appends on their way to the journal settle. */
const SETTLE_POLL_MS = 5;

const NO_TRANSCRIPT: TranscriptTail = { kind: 'none', leafId: null, messages: 0, exchanges: 0, bytes: 0 };

export interface TranscriptFilesOptions {
  readonly fs: FileSystem;
  readonly dir: string;
  /** The store's own directory. */
  readonly ownDir: string;
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
  /** A transcript has lost bytes that it had. */
  readonly onLoss: (path: string, bytes: number) => void;
  readonly relocate: (op: RelocateOp) => Promise<void>;
  /** The disk under the transcripts has no room just now, or has it again (undefined). */
  readonly onTrouble: (trouble: SessionError | undefined) => void;
}

/** What a checkpoint finds of the transcripts. */
export interface SettledTranscripts {
  /** To be synced: everything acknowledged so far is in them. */
  readonly files: readonly string[];
  /** From this sequence on the journal is all that some transcript has of its lines; undefined: all have theirs. */
  readonly heldFromSeq: number | undefined;
}

interface OpenTranscript {
  readonly file: string;
  readonly path: string;
  readonly writer: TranscriptWriter;
  /** As it is once everything handed out so far is written. */
  tail: TranscriptTail;
  lock: TranscriptLock | undefined;
  /** An acquisition, a release or a second look under way. */
  change: Promise<void> | undefined;
  idleTimer: NodeJS.Timeout | undefined;
  /** Foreign lines came in: the end must be read again before the next append. */
  stale: boolean;
}

export class TranscriptFiles {
  readonly #options: TranscriptFilesOptions;
  readonly #open = new Map<string, OpenTranscript>();
  readonly #holds = new TranscriptHolds();
  readonly #touched = new TouchedTranscripts();
  /** Transcripts that could not be written at their last try. */
  readonly #troubles = new Map<string, SessionError>();
  #forgottenBytes = 0;
  #closed = false;
  #ended = false;

  constructor(options: TranscriptFilesOptions) {
    this.#options = options;
  }

  /** Bytes handed to `write` since the store was opened. */
  get writtenBytes(): number {
    return [...this.#open.values()].reduce((sum, { writer }) => sum + writer.writtenBytes, this.#forgottenBytes);
  }

  /**
   * The end of a transcript whose lock is held; undefined: call `prepare` first.
   * @throws why this one cannot be written just now; its neighbours go on.
   */
  ready(file: string): TranscriptTail | undefined {
    if (this.#holds.has(file)) return undefined;
    const trouble = this.#troubles.get(file);
    if (trouble !== undefined) throw trouble;
    const transcript = this.#open.get(file);
    const isReady = transcript?.lock !== undefined && transcript.change === undefined && !transcript.stale;
    return isReady ? transcript.tail : undefined;
  }

  /**
   * Takes the courtesy lock and learns where the transcript ends.
   * @throws SESSION_LOCKED when a living foreign program holds it too long; DAMAGED when no regular file stands there.
   */
  async prepare(file: string): Promise<void> {
    while (this.#holds.has(file)) await this.#holds.ended(file);
    await this.#prepare(file);
  }

  /**
   * Keeps appends off a transcript until `letGo`: those on their way are written first, later ones
   * wait in `prepare`. One at a time; a second caller waits for the first.
   * @returns where the file ends. @throws as `prepare`, and why its lines cannot be written.
   */
  async hold(file: string): Promise<TranscriptTail> {
    await this.#holds.begin(file);
    try {
      // A lock that is being given back is taken again.
      while (this.#open.get(file)?.lock === undefined) await this.#prepare(file);
      const transcript = this.#open.get(file) as OpenTranscript;
      await transcript.change;
      await this.#quiet(transcript);
      transcript.tail = transcript.stale ? await this.#options.scan(file, undefined) : await this.#currentTail(transcript);
      transcript.stale = false;
      await transcript.writer.closeFile();
      return transcript.tail;
    } catch (error) {
      await this.letGo(file, false);
      throw error;
    }
  }

  /** @param changed the name stands for another file, or none: everything known of it is forgotten. */
  async letGo(file: string, changed: boolean): Promise<void> {
    const transcript = this.#open.get(file);
    if (changed && transcript !== undefined) {
      clearTimeout(transcript.idleTimer);
      await transcript.writer.close();
      await transcript.lock?.release().catch(() => undefined);
      this.#forgottenBytes += transcript.writer.writtenBytes;
      this.#open.delete(file);
      this.#touched.forget(file);
    } else if (transcript !== undefined) this.#restartIdleTimer(transcript);
    this.#holds.end(file);
  }

  async #prepare(file: string): Promise<void> {
    const known = this.#open.get(file);
    if (known?.change !== undefined) return known.change;
    if (known?.lock !== undefined && !known.stale) return;
    const transcript = known ?? this.#remember(file);
    const work = transcript.lock === undefined ? this.#takeLock(transcript) : this.#readAgain(transcript);
    transcript.change = work.finally(() => {
      transcript.change = undefined;
    });
    try {
      await transcript.change;
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
    transcript.writer.claim(offset);
    clearTimeout(transcript.idleTimer);
    return offset;
  }

  /** Queues acknowledged bytes for their place. */
  write(file: string, seq: number, offset: number, bytes: Buffer): void {
    const transcript = this.#open.get(file);
    if (transcript === undefined) throw new Error(`transcript ${file} is not open`);
    this.#touched.add(file, seq);
    transcript.writer.push(seq, offset, bytes);
  }

  /** Queues lines that recovery read from the journal and could not write. */
  resume(file: string, lines: readonly { readonly seq: number; readonly offset: number; readonly bytes: Buffer }[]): void {
    const transcript = this.#open.get(file) ?? this.#remember(file);
    for (const { seq, offset, bytes } of lines) {
      this.#touched.add(file, seq);
      transcript.writer.push(seq, offset, bytes);
    }
  }

  /** Resolves when everything acknowledged so far for this transcript is in the file. */
  async settled(file: string): Promise<void> {
    await this.#open.get(file)?.writer.settled();
  }

  /**
   * Resolves when everything acknowledged so far is in its transcript, but for those that cannot be
   * written by themselves: their lines stay in the journal.
   * @throws DISK_FULL when there is no room; all count as touched again then
   */
  async settleTouched(): Promise<SettledTranscripts> {
    const touched = this.#touched.take();
    const stuck = new Set<string>();
    try {
      await Promise.all(
        [...this.#open.values()].map(async ({ file, writer }) => {
          try {
            await writer.settled();
          } catch (error) {
            if (!concernsOneFile(error)) throw error;
            stuck.add(file);
          }
        }),
      );
    } catch (error) {
      for (const [file, seq] of touched) this.#touched.add(file, seq);
      throw error;
    }
    let heldFromSeq: number | undefined;
    for (const file of stuck) {
      const seq = touched.get(file);
      if (seq === undefined) continue;
      this.#touched.add(file, seq);
      touched.delete(file);
      heldFromSeq = Math.min(seq, heldFromSeq ?? seq);
    }
    return { files: [...touched.keys()], heldFromSeq };
  }

  /** Resolves when what was acknowledged for any transcript is in its file, but for those that cannot be written now. */
  async allSettled(): Promise<void> {
    await Promise.allSettled([...this.#open.values()].map(({ writer }) => writer.settled()));
  }

  /** Syncs transcripts. @throws what a sync threw: the store has ended then. */
  async sync(files: readonly string[]): Promise<void> {
    await syncTranscripts(this.#options, files, (file) => this.#open.get(file)?.writer.sync());
  }

  /** The journal takes no more: appends on their way to it never come, and nobody waits for them or for a failing write. */
  end(): void {
    this.#ended = true;
    for (const { writer } of this.#open.values()) writer.end();
  }

  /** Waits for writes, frees all locks and closes all files. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#ended = true;
    for (const transcript of this.#open.values()) {
      clearTimeout(transcript.idleTimer);
      await transcript.writer.close();
      await transcript.change?.catch(() => undefined);
      await transcript.lock?.release().catch(() => undefined);
    }
    this.#open.clear();
  }

  #remember(file: string): OpenTranscript {
    this.#forgetIdle();
    const { fs, dir, relocate, remembered } = this.#options;
    const fullPath = path.join(dir, file);
    const transcript: OpenTranscript = {
      file,
      path: fullPath,
      writer: new TranscriptWriter({
        fs,
        file,
        path: fullPath,
        relocate,
        onTrouble: (trouble) => this.#noteTrouble(file, trouble),
        onForeignBytes: () => {
          transcript.stale = true;
        },
        onIdle: () => this.#restartIdleTimer(transcript),
        beforeOpen: () => this.#closeIdleFiles(),
      }),
      tail: remembered(file) ?? NO_TRANSCRIPT,
      lock: undefined,
      change: undefined,
      idleTimer: undefined,
      stale: false,
    };
    this.#open.set(file, transcript);
    return transcript;
  }

  #noteTrouble(file: string, trouble: SessionError | undefined): void {
    if (trouble === undefined) this.#troubles.delete(file);
    else this.#troubles.set(file, trouble);
    this.#options.onTrouble([...this.#troubles.values()].find(({ reason }) => reason === 'DISK_FULL'));
  }

  async #takeLock(transcript: OpenTranscript): Promise<void> {
    const { fs, ownDir, epoch, pid, startTicks, lock, nowMs, onLockReport } = this.#options;
    const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
    // Before the lock file is made beside the transcript.
    await assertStandingDirectory(path.dirname(transcript.path));
    const held = await acquireTranscriptLock(transcript.path, { fs, tempDir: ownDir, pid, startTicks, epoch, ...lock, nowMs, sleep, onReport: onLockReport });
    try {
      transcript.tail = await this.#currentTail(transcript);
      transcript.stale = false;
    } catch (error) {
      await held.release();
      throw error;
    }
    transcript.lock = held;
    this.#restartIdleTimer(transcript);
  }

  /** Waits until our own lines are in the file, then reads where it ends. */
  async #readAgain(transcript: OpenTranscript): Promise<void> {
    await this.#quiet(transcript);
    transcript.tail = await this.#options.scan(transcript.file, undefined);
    transcript.stale = false;
  }

  /** Nothing is on its way to the file, in the journal or out of it. */
  async #quiet(transcript: OpenTranscript): Promise<void> {
    while (transcript.writer.busy) {
      if (this.#ended) throw new SessionError('SHUTTING_DOWN', `${transcript.path} is not written any more`);
      await transcript.writer.settled();
      if (transcript.writer.busy) await new Promise((resolve) => setTimeout(resolve, SETTLE_POLL_MS));
    }
  }

  /** What we know, if the file still has that length; else what the file says. */
  async #currentTail(transcript: OpenTranscript): Promise<TranscriptTail> {
    await transcript.writer.settled();
    const found = await identifyTranscript(this.#options.fs, transcript.path);
    const { tail } = transcript;
    const lost = tail.bytes - (found?.size ?? 0);
    if (tail.kind !== 'none' && lost > 0) this.#options.onLoss(transcript.path, lost);
    if (found === undefined) return NO_TRANSCRIPT;
    if (tail.kind !== 'none' && found.size === tail.bytes) return tail;
    return this.#options.scan(transcript.file, tail.kind !== 'none' && found.size > tail.bytes ? tail : undefined);
  }

  #restartIdleTimer(transcript: OpenTranscript): void {
    clearTimeout(transcript.idleTimer);
    if (this.#closed) return;
    transcript.idleTimer = setTimeout(() => this.#releaseIdle(transcript), LOCK_IDLE_MS).unref();
  }

  #releaseIdle(transcript: OpenTranscript): void {
    const { lock } = transcript;
    if (lock === undefined || this.#closed) return;
    if (transcript.writer.busy || transcript.change !== undefined || this.#holds.has(transcript.file)) {
      this.#restartIdleTimer(transcript);
      return;
    }
    transcript.lock = undefined;
    const release = lock.release().catch(() => undefined);
    transcript.change = release.finally(() => {
      transcript.change = undefined;
    });
  }

  #isIdle({ writer, change, lock }: OpenTranscript): boolean {
    return !writer.busy && change === undefined && lock === undefined;
  }

  async #closeIdleFiles(): Promise<void> {
    const withFile = [...this.#open.values()].filter(({ writer }) => writer.isOpen);
    let excess = withFile.length + 1 - OPEN_TRANSCRIPTS_MAX;
    for (const transcript of withFile) {
      if (excess <= 0) return;
      if (!this.#isIdle(transcript)) continue;
      excess -= 1;
      await transcript.writer.closeFile();
    }
  }

  #forgetIdle(): void {
    if (this.#open.size < KNOWN_TRANSCRIPTS_MAX) return;
    for (const transcript of this.#open.values()) {
      if (!this.#isIdle(transcript) || transcript.writer.isOpen) continue;
      this.#forgottenBytes += transcript.writer.writtenBytes;
      this.#open.delete(transcript.file);
      if (this.#open.size < KNOWN_TRANSCRIPTS_MAX) return;
    }
  }
}

/** A file that is read-only, damaged or fails by itself; a disk without room and the end concern all. */
function concernsOneFile(error: unknown): boolean {
  return error instanceof SessionError && error.reason !== 'DISK_FULL' && error.reason !== 'SHUTTING_DOWN';
}
