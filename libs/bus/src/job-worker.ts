/**
 * A worker's life around its jobs: so many at a time, reported as in progress while they run, given
 * back when they cannot be done now, and drained at the end.
 *
 * It holds jobs, not work: what a job stands for is in the owner's journal, and a job that is never
 * acknowledged comes again or is published again by the owner. So every doubt ends in giving back.
 * Bounds: `concurrency` jobs; what arrives while draining is held untouched and given back.
 */
import type { Bus, Job, JobConsumer, MessageCodec } from './bus';

/** What became of one delivery. `taken-back`: its time was over before the worker answered. */
export type JobOutcome = 'done' | 'retry' | 'failed' | 'taken-back';

/** `done` acknowledges; `retry` gives the job back for a stable reason. */
export type JobAnswer = { readonly done: true } | { readonly retry: string; readonly afterMs?: number };

export interface JobHandling {
  /** Aborts when the delivery is taken back or the worker stops. */
  readonly signal: AbortSignal;
  /** From 1. */
  readonly delivery: number;
}

export type HandleJob<T> = (value: T, handling: JobHandling) => Promise<JobAnswer>;

/** One delivery's end, for logs and metrics. */
export interface JobEnd<T> {
  readonly outcome: JobOutcome;
  readonly value: T;
  readonly delivery: number;
  readonly durationMs: number;
  /** Of a `retry`. */
  readonly reason?: string;
  /** Of a `failed`. */
  readonly error?: unknown;
}

export interface JobWorkerOptions<T> {
  readonly bus: Bus;
  /** Subject with wildcards, as `Subjects.jobs` makes it. */
  readonly pattern: string;
  readonly codec: MessageCodec<T>;
  /** Jobs at a time, at least 1; as `ConsumeOptions` has it. */
  readonly concurrency: number | (() => number);
  /** How often a running job is reported as in progress. Milliseconds. */
  readonly inProgressMs: number;
  readonly handle: HandleJob<T>;
  readonly onEnd: (end: JobEnd<T>) => void;
}

export interface JobWorker {
  start(): Promise<void>;
  /** Begins no further job; resolves when those under way have ended. */
  drain(): Promise<void>;
  /** Gives back what is left; safe to call again. */
  stop(): Promise<void>;
  /** Jobs under way. */
  readonly running: number;
}

export function createJobWorker<T>(options: JobWorkerOptions<T>): JobWorker {
  const { bus, codec, handle, onEnd, inProgressMs } = options;
  const running = new Set<Promise<void>>();
  let draining = false;
  let consumer: JobConsumer | undefined;

  /** Reports until it is cancelled; a report that fails is tried again with the next. */
  const report = (job: Job<T>): (() => void) => {
    let cancel = (): void => undefined;
    const next = (): void => {
      cancel = bus.clock.startTimer(inProgressMs, () => {
        job.inProgress().catch(() => undefined);
        next();
      });
    };
    next();
    return () => cancel();
  };

  const work = async (job: Job<T>): Promise<void> => {
    const beganAtMs = bus.clock.nowMs();
    const end = (outcome: JobOutcome, more: { reason?: string; error?: unknown } = {}): void =>
      onEnd({ outcome, value: job.value, delivery: job.delivery, durationMs: bus.clock.nowMs() - beganAtMs, ...more });
    const quiet = report(job);
    try {
      const answer = await handle(job.value, { signal: job.signal, delivery: job.delivery });
      if ('done' in answer) return end((await job.ack()) ? 'done' : 'taken-back');
      await job.retry(answer.afterMs);
      end('retry', { reason: answer.retry });
    } catch (error) {
      end(job.signal.aborted ? 'taken-back' : 'failed', { error });
      throw error;
    } finally {
      quiet();
    }
  };

  const take = (job: Job<T>): Promise<void> => {
    // Given back at once it would come straight back to this worker and use up its deliveries.
    if (draining) return takenBack(job);
    const begun = work(job);
    const settled = begun.catch(() => undefined).then(() => void running.delete(settled));
    running.add(settled);
    return begun;
  };

  const stop = async (): Promise<void> => {
    draining = true;
    const ending = consumer;
    consumer = undefined;
    await ending?.stop();
  };

  return {
    async start() {
      draining = false;
      consumer = await bus.jobs.consume(options.pattern, codec, take, { concurrency: options.concurrency });
    },
    async drain() {
      draining = true;
      while (running.size > 0) await Promise.all(running);
      await stop();
    },
    stop,
    get running() {
      return running.size;
    },
  };
}

const takenBack = (job: Job<unknown>): Promise<void> =>
  new Promise((resolve) => {
    if (job.signal.aborted) return resolve();
    job.signal.addEventListener('abort', () => resolve(), { once: true });
  });
