/**
 * The main thread's side of the index worker: typed calls, and the one feed of acknowledged changes.
 *
 * One `apply` is in flight at a time; what arrives meanwhile is gathered, several changes of one
 * entry becoming one. It goes at most every FEED_INTERVAL_MS unless somebody waits for a sequence, and
 * less often while applying takes more than a tenth of the time: a page is then written once for the
 * messages of half a second, not once for each of twenty a second.
 */
import * as path from 'node:path';
import { Worker } from 'node:worker_threads';
import { SessionError, isReason } from '@sessions/domain';
import { GatheredChanges } from './session-index/gathered-changes';
import type { IndexChange, WorkerCallName, WorkerCalls, WorkerReply } from './session-index/worker-protocol';

/** Least time between two index transactions when nobody waits: several changes of a busy session become one. */
export const FEED_INTERVAL_MS = 50;
/** The same where applying takes long. */
export const FEED_INTERVAL_MAX_MS = 500;
/** So many times the last transaction's length lie between two. */
const FEED_REST = 9;
/** So many different changes are no longer gathered for longer than FEED_INTERVAL_MS: who lists would wait for them. */
const GATHERED_MAX = 1024;
/** Bytes of texts waiting for the worker; above, mutations wait. */
export const FEED_BYTES_MAX = 64 * 1024 * 1024;

/** Pause before changes are offered again to an index without room. */
const RETRY_APPLY_MS = 500;

/**
 * Young objects of the thread: each holds an entry's bytes outside the heap, and they are freed only
 * when this space is full, so a larger one is tens of MiB of memory in every checkpoint.
 */
const WORKER_YOUNG_MIB = 2;

interface Waiting {
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: Error) => void;
}

export interface IndexWorkerOptions {
  /** Called once when the thread dies or an apply fails: the index must be opened anew. */
  readonly onFailure: (error: Error) => void;
  /** The index cannot take changes just now (full or read-only disk); undefined: it can again. */
  readonly onTrouble: (trouble: SessionError | undefined) => void;
}

interface SeqWaiter {
  readonly seq: number;
  readonly waiting: Waiting;
}

/** The worker's file: beside this one when built or bundled, in `dist` when run from source. */
function workerFile(): string {
  const fromSource = __filename.endsWith('.ts');
  return path.join(__dirname, fromSource ? '../dist/index-worker.js' : 'index-worker.js');
}

export class IndexWorkerClient {
  readonly #worker: Worker;
  readonly #calls = new Map<number, Waiting>();
  readonly #seqWaiters: SeqWaiter[] = [];
  /** Those who want to know but wait for no answer, in the order of their sequences. */
  readonly #followers: SeqWaiter[] = [];
  readonly #options: IndexWorkerOptions;
  #nextId = 1;
  #feed = new GatheredChanges();
  #feedSeq = 0;
  #appliedSeq = 0;
  #feeding = false;
  #lastFeedAtMs = 0;
  #lastFeedTookMs = 0;
  #feedTimer: NodeJS.Timeout | undefined;
  #roomWaiters: (() => void)[] = [];
  #failure: Error | undefined;
  /** Why the index could not take changes at the last try. */
  #trouble: SessionError | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: IndexWorkerOptions) {
    this.#options = options;
    this.#worker = new Worker(workerFile(), { name: 'session-index', resourceLimits: { maxYoungGenerationSizeMb: WORKER_YOUNG_MIB } });
    this.#worker.unref();
    this.#worker.on('message', (message: WorkerReply) => this.#settle(message));
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', (code) => this.#ended(code));
  }

  /** Last sequence that queries see. */
  get appliedSeq(): number {
    return this.#appliedSeq;
  }

  call<Name extends WorkerCallName>(name: Name, request: WorkerCalls[Name]['request']): Promise<WorkerCalls[Name]['reply']> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve: resolve as (reply: unknown) => void, reject });
      this.#worker.postMessage({ id, name, request });
    });
  }

  /** Tells the client where the index stands after opening. */
  startAt(appliedSeq: number): void {
    this.#appliedSeq = appliedSeq;
    this.#feedSeq = appliedSeq;
  }

  /** Hands acknowledged changes over; they are visible to queries once `appliedSeq` reaches `seq`. */
  push(changes: readonly IndexChange[], seq: number): void {
    for (const change of changes) this.#feed.add(change);
    this.#feedSeq = Math.max(this.#feedSeq, seq);
    this.#schedule(false);
  }

  /**
   * Resolves when queries see everything up to `seq`.
   * @throws the failure of the index; DISK_FULL or READ_ONLY while it cannot take changes.
   */
  reached(seq: number): Promise<void> {
    if (this.#appliedSeq >= seq) return Promise.resolve();
    const refusal = this.#failure ?? this.#trouble;
    if (refusal !== undefined) return Promise.reject(refusal);
    return new Promise<void>((resolve, reject) => {
      this.#seqWaiters.push({ seq, waiting: { resolve: () => resolve(), reject } });
      this.#schedule(true);
    });
  }

  /**
   * As `reached`, for those whom no caller waits for: changes go on being gathered. To be called with
   * sequences that never decrease. @throws the failure of the index.
   */
  applied(seq: number): Promise<void> {
    if (this.#appliedSeq >= seq) return Promise.resolve();
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise<void>((resolve, reject) => {
      this.#followers.push({ seq, waiting: { resolve: () => resolve(), reject } });
    });
  }

  /** Resolves when the feed may take more. */
  async room(): Promise<void> {
    if (this.#feed.textLength < FEED_BYTES_MAX) return;
    await new Promise<void>((resolve) => this.#roomWaiters.push(resolve));
  }

  /**
   * Ends the thread; a second call waits for the first. What is still asked by then is refused.
   * @param sound false: the index is looked at again as a whole after the next opening.
   */
  close(sound = true): Promise<void> {
    this.#closed ??= this.#close(sound);
    return this.#closed;
  }

  async #close(sound: boolean): Promise<void> {
    clearTimeout(this.#feedTimer);
    if (this.#failure === undefined) {
      await this.call('close', { sound }).catch(() => undefined);
      this.#failure ??= closedError();
    }
    await this.#worker.terminate();
    this.#refuseAll(this.#failure);
  }

  #schedule(now: boolean): void {
    if (this.#feeding || this.#failure !== undefined || this.#feedSeq <= this.#appliedSeq) return;
    const waitMs = this.#lastFeedAtMs + this.#intervalMs() - performance.now();
    if (now || waitMs <= 0) {
      clearTimeout(this.#feedTimer);
      this.#feedTimer = undefined;
      void this.#sendFeed();
      return;
    }
    // What has become too much to be gathered for long is looked at again before a long wait is over.
    this.#feedTimer ??= setTimeout(() => {
      this.#feedTimer = undefined;
      this.#schedule(false);
    }, Math.min(waitMs, FEED_INTERVAL_MS)).unref();
  }

  #intervalMs(): number {
    const restMs = this.#feed.count > GATHERED_MAX ? 0 : Math.min(this.#lastFeedTookMs * FEED_REST, FEED_INTERVAL_MAX_MS);
    return Math.max(FEED_INTERVAL_MS, restMs);
  }

  async #sendFeed(): Promise<void> {
    this.#feeding = true;
    const changes = this.#feed.take();
    const seq = this.#feedSeq;
    const room = this.#roomWaiters;
    this.#roomWaiters = [];
    for (const resolve of room) resolve();
    this.#lastFeedAtMs = performance.now();
    try {
      const { appliedSeq } = await this.#applyUntilThereIsRoom(changes, seq);
      this.#appliedSeq = appliedSeq;
      this.#lastFeedTookMs = performance.now() - this.#lastFeedAtMs;
    } catch (error) {
      this.#fail(error as Error);
      return;
    } finally {
      this.#feeding = false;
    }
    this.#releaseWaiters();
    this.#schedule(this.#seqWaiters.length > 0);
  }

  /** A full disk is no failure of the index: it waits for room, and those who wait for it are told. */
  async #applyUntilThereIsRoom(changes: readonly IndexChange[], appliedSeq: number): Promise<{ appliedSeq: number }> {
    for (;;) {
      try {
        const reply = await this.call('apply', { changes, appliedSeq });
        if (this.#trouble !== undefined) this.#options.onTrouble(undefined);
        this.#trouble = undefined;
        return reply;
      } catch (error) {
        if (!(error instanceof SessionError) || (error.reason !== 'DISK_FULL' && error.reason !== 'READ_ONLY')) throw error;
        this.#trouble = error;
        this.#options.onTrouble(error);
        for (const { waiting } of this.#seqWaiters.splice(0)) waiting.reject(error);
        await new Promise((resolve) => setTimeout(resolve, RETRY_APPLY_MS));
        if (this.#failure !== undefined) throw this.#failure;
      }
    }
  }

  #releaseWaiters(): void {
    for (let index = this.#seqWaiters.length - 1; index >= 0; index -= 1) {
      const waiter = this.#seqWaiters[index] as SeqWaiter;
      if (waiter.seq > this.#appliedSeq) continue;
      this.#seqWaiters.splice(index, 1);
      waiter.waiting.resolve(undefined);
    }
    const behind = this.#followers.findIndex((follower) => follower.seq > this.#appliedSeq);
    for (const { waiting } of this.#followers.splice(0, behind === -1 ? this.#followers.length : behind)) waiting.resolve(undefined);
  }

  #settle(message: WorkerReply): void {
    const waiting = this.#calls.get(message.id);
    this.#calls.delete(message.id);
    if (message.error === undefined) {
      waiting?.resolve(message.reply);
      return;
    }
    const { reason, message: text, facts, hint } = message.error;
    const known = isReason(reason) ? reason : 'INTERNAL';
    waiting?.reject(new SessionError(known, text, { facts, ...(hint === undefined ? {} : { hint }) }));
  }

  /** A thread that was asked to end may be gone before its answer is heard: that is no failure. */
  #ended(code: number): void {
    if (this.#closed === undefined) {
      this.#fail(new Error(`the session index worker ended with code ${code}`));
      return;
    }
    this.#failure ??= closedError();
    this.#refuseAll(this.#failure);
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#refuseAll(error);
    this.#options.onFailure(error);
  }

  /** Nobody waits for a thread that answers no more. */
  #refuseAll(error: Error): void {
    for (const waiting of this.#calls.values()) waiting.reject(error);
    this.#calls.clear();
    for (const { waiting } of [...this.#seqWaiters.splice(0), ...this.#followers.splice(0)]) waiting.reject(error);
    for (const resolve of this.#roomWaiters.splice(0)) resolve();
  }
}

function closedError(): Error {
  return new Error('the session index is closed');
}
