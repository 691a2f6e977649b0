/**
 * The file operations of one owned store: each is performed right after its record is durable, by
 * itself where its files are held, and tried again while the disk has no room for it. When it stands
 * on disk a `done` record says so, and only then its files are let go.
 *
 * Nothing can be lost: the journal has the operation, and a checkpoint keeps the journal until it is done.
 */
import { SessionError } from '@sessions/domain';
import { hasErrorCode } from '../files/file-system';
import type { FileOp } from '../journal/codec';
import { performFileOps, type FileOpsPlace } from './perform-file-ops';

/** Pause before a failed operation is tried again. */
const RETRY_MS = 500;

export interface ArchiveOpsOptions extends FileOpsPlace {
  /** Journals that the record's operations are done, and brings the index up to date. */
  readonly onDone: (seq: number, ops: readonly FileOp[]) => Promise<void>;
  /** An operation cannot be performed just now, or all can be again (undefined). */
  readonly onTrouble: (trouble: SessionError | undefined) => void;
  /** The store can do no more. */
  readonly onFailure: (error: SessionError) => void;
}

interface Running {
  /** Resolves at the end, or at the first trouble. */
  readonly tried: Promise<void>;
  /** Resolves at the end, whatever it is. */
  readonly ended: Promise<void>;
}

export class ArchiveOps {
  readonly #options: ArchiveOpsOptions;
  readonly #running = new Set<Promise<void>>();
  readonly #troubles = new Map<number, SessionError>();
  #wake: (() => void)[] = [];
  #ended = false;

  constructor(options: ArchiveOpsOptions) {
    this.#options = options;
  }

  /** Performs the operations of a durable record. */
  run(seq: number, ops: readonly FileOp[]): Running {
    let tried: () => void = () => undefined;
    const firstTry = new Promise<void>((resolve) => {
      tried = resolve;
    });
    const ended = this.#perform(seq, ops, tried).finally(() => {
      this.#running.delete(ended);
      tried();
    });
    this.#running.add(ended);
    return { tried: firstTry, ended };
  }

  /** Resolves when nothing is under way. @throws why one of them cannot be performed just now. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) {
      this.#throwTrouble();
      await Promise.race([Promise.all(this.#running), this.#nextTrouble()]);
    }
    this.#throwTrouble();
  }

  /** What cannot be performed at the next try is left to the journal. */
  end(): void {
    this.#ended = true;
    this.#wakeAll();
  }

  /** Waits for what is under way; call `end` before. */
  async close(): Promise<void> {
    this.end();
    await Promise.all(this.#running);
  }

  async #perform(seq: number, ops: readonly FileOp[], tried: () => void): Promise<void> {
    for (let again = false; ; again = true) {
      try {
        await performFileOps(this.#options, ops, again);
        this.#setTrouble(seq, undefined);
        await this.#options.onDone(seq, ops);
        return;
      } catch (cause) {
        if (cause instanceof SessionError && cause.reason !== 'DAMAGED') {
          this.#options.onFailure(cause);
          return;
        }
        this.#setTrouble(seq, troubleOf(this.#options.layout.dir, cause));
        tried();
        if (this.#ended) return;
        await this.#pause();
      }
    }
  }

  async #pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, RETRY_MS);
      this.#wake.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #setTrouble(seq: number, trouble: SessionError | undefined): void {
    if (trouble === undefined && !this.#troubles.delete(seq)) return;
    if (trouble !== undefined) this.#troubles.set(seq, trouble);
    const [first] = this.#troubles.values();
    this.#options.onTrouble(first);
    for (const wake of this.#troubleWaiters.splice(0)) wake();
  }

  readonly #troubleWaiters: (() => void)[] = [];

  #nextTrouble(): Promise<void> {
    return new Promise((resolve) => this.#troubleWaiters.push(resolve));
  }

  #throwTrouble(): void {
    const [trouble] = this.#troubles.values();
    if (trouble !== undefined) throw trouble;
  }

  #wakeAll(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

function troubleOf(dir: string, cause: unknown): SessionError {
  if (cause instanceof SessionError) return cause;
  const message = `files of ${dir} cannot be set aside: ${cause instanceof Error ? cause.message : String(cause)}`;
  const full = hasErrorCode(cause, 'ENOSPC', 'EDQUOT', 'EFBIG', 'EMLINK');
  const readOnly = hasErrorCode(cause, 'EROFS', 'EACCES', 'EPERM');
  return new SessionError(full ? 'DISK_FULL' : readOnly ? 'READ_ONLY' : 'OUTCOME_UNKNOWN', message, { cause, facts: { path: dir } });
}
