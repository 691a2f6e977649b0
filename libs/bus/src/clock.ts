/** The bus's only view of time: tests bring their own. */
export interface BusClock {
  /** Milliseconds since the epoch. */
  nowMs(): number;
  /** Runs `callback` once after `delayMs`; the result cancels it. */
  startTimer(delayMs: number, callback: () => void): () => void;
}

/** setTimeout fires at once for longer delays (they overflow 32 bits). */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The machine's clock. */
export const systemClock: BusClock = {
  nowMs: () => Date.now(),
  startTimer(delayMs, callback) {
    const timer = setTimeout(callback, Math.min(Math.max(0, delayMs), LONGEST_TIMER_MS));
    return () => clearTimeout(timer);
  },
};
