/**
 * When a store's checkpoints run by themselves: soon after a mutation in small stores, spaced by
 * duration and bytes in large ones, at once when the journal has grown long, and again some time
 * after one that failed. It holds one timer and decides nothing about their work.
 */
import { checkpointSpacingMs, JOURNAL_BYTES_MAX, type LastCheckpoint } from './checkpoint';

/** A checkpoint that failed is tried again after this. */
export const CHECKPOINT_RETRY_MS = 2000;

export interface CheckpointScheduleOptions {
  /** Least time from a mutation to its checkpoint. */
  readonly delayMs: number;
  readonly monotonicMs: () => number;
  readonly journal: { readonly syncedSeq: number; readonly keptBytes: number };
  /** False once the store closes, has failed, or is not written at all. */
  readonly mayRun: () => boolean;
  /** Runs one checkpoint; calls `ended` when it is over. */
  readonly run: () => Promise<unknown>;
  /** A checkpoint that ran by itself failed, and is tried again. */
  readonly onFailure: (error: unknown) => void;
}

export class CheckpointSchedule {
  readonly #options: CheckpointScheduleOptions;
  #last: LastCheckpoint | undefined;
  #lastEndedAt: number;
  #timer: NodeJS.Timeout | undefined;
  #isHeld = false;
  #isRunning = false;
  /** Asked for at once while one was running. */
  #isNextSoon = false;

  constructor(options: CheckpointScheduleOptions) {
    this.#options = options;
    this.#lastEndedAt = options.monotonicMs();
  }

  /** Asks for a checkpoint as soon as its spacing allows; `soon` skips the spacing. */
  ask(soon = false): void {
    const { delayMs, monotonicMs, journal, mayRun } = this.#options;
    if (!mayRun() || (this.#timer !== undefined && !soon)) return;
    // Each mutation asks: while the journal is long and one is running, they would line up a checkpoint each.
    if (this.#isRunning) {
      this.#isNextSoon ||= soon;
      return;
    }
    // A journal that must be kept for a transcript is not shortened by hurrying.
    const urgent = soon || (journal.keptBytes > JOURNAL_BYTES_MAX && !this.#isHeld);
    const earliestAt = this.#lastEndedAt + checkpointSpacingMs(this.#last, delayMs);
    this.#runIn(urgent ? 0 : Math.max(delayMs, earliestAt - monotonicMs()));
  }

  /** A checkpoint, whoever asked for it, is over. @param report undefined when it failed */
  ended(report: (LastCheckpoint & { readonly heldFromSeq?: number }) | undefined): void {
    this.#isHeld = report?.heldFromSeq !== undefined;
    this.#last = report ?? this.#last;
    this.#lastEndedAt = this.#options.monotonicMs();
  }

  cancel(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #runIn(ms: number): void {
    this.cancel();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#run();
    }, ms).unref();
  }

  async #run(): Promise<void> {
    const { journal, mayRun, run, onFailure } = this.#options;
    if (!mayRun()) return;
    const startedAtSeq = journal.syncedSeq;
    this.#isRunning = true;
    let failure: unknown;
    try {
      await run();
    } catch (error) {
      failure = error ?? new Error('a checkpoint failed');
    }
    this.#isRunning = false;
    const isNextSoon = this.#isNextSoon;
    this.#isNextSoon = false;
    if (!mayRun()) return;
    if (failure !== undefined) {
      onFailure(failure);
      this.#runIn(CHECKPOINT_RETRY_MS);
    } else if (isNextSoon || journal.syncedSeq > startedAtSeq) this.ask(isNextSoon);
  }
}
