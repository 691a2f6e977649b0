/**
 * Time as a port: nothing in the system reads a clock or sets a timer past this, so tests move time
 * by hand. Instants are epoch milliseconds; durations are milliseconds.
 */

export interface Timer {
  /** Cancels; harmless after the timer has run. */
  cancel(): void;
}

export interface TimerOptions {
  /** Whether a pending timer keeps the process alive. Default true. */
  readonly keepsAlive?: boolean;
}

export interface Clock {
  /** Epoch milliseconds; may jump when the machine's clock is set. */
  nowMs(): number;
  /** Milliseconds from an arbitrary start that never run backwards; for durations. */
  monotonicMs(): number;
  /** Calls `run` once, not before `delayMs` have passed. */
  setTimer(delayMs: number, run: () => void, options?: TimerOptions): Timer;
}

/** Longest delay that Node's timers take; longer ones would fire at once. */
export const TIMER_DELAY_MAX_MS = 2 ** 31 - 1;

/** The machine's clock and Node's timers. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer(delayMs, run, { keepsAlive = true } = {}) {
    const timer = setTimeout(run, Math.min(delayMs, TIMER_DELAY_MAX_MS));
    if (!keepsAlive) timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

/** Resolves when `delayMs` have passed on `clock`. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => void clock.setTimer(delayMs, resolve));
}

/**
 * Waits for `work`, but not longer than `limitMs`.
 * @returns 'done', or 'late' when the limit came first; the work itself goes on.
 * @throws what `work` rejects with, when that comes before the limit
 */
export async function within(clock: Clock, limitMs: number, work: Promise<unknown>): Promise<'done' | 'late'> {
  let timer: Timer | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = clock.setTimer(limitMs, () => resolve('late'));
  });
  try {
    return await Promise.race([work.then(() => 'done' as const), late]);
  } finally {
    timer?.cancel();
  }
}
