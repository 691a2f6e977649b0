/** A clock that stands still until a test moves it. */
import type { Clock } from './clock';

export interface ManualClock extends Clock {
  /** Moves time on and runs, in order of their instants, the timers that become due. */
  advance(byMs: number): Promise<void>;
  /** Sets the wall clock without running timers, as an operator would. */
  setNowMs(nowMs: number): void;
  /** Timers that have neither run nor been cancelled. */
  readonly pendingCount: number;
}

interface Pending {
  readonly dueMs: number;
  readonly run: () => void;
}

/** Lets everything run that is ready to: promise callbacks, and I/O that has already ended. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export function createManualClock(startMs = 0): ManualClock {
  let offsetMs = startMs;
  let elapsedMs = 0;
  const pending = new Set<Pending>();
  const earliest = (limitMs: number): Pending | undefined => {
    let first: Pending | undefined;
    for (const one of pending) {
      if (one.dueMs <= limitMs && (first === undefined || one.dueMs < first.dueMs)) first = one;
    }
    return first;
  };
  return {
    nowMs: () => offsetMs + elapsedMs,
    monotonicMs: () => elapsedMs,
    setTimer(delayMs, run) {
      const one: Pending = { dueMs: elapsedMs + Math.max(0, delayMs), run };
      pending.add(one);
      return { cancel: () => void pending.delete(one) };
    },
    async advance(byMs) {
      const untilMs = elapsedMs + byMs;
      await settle();
      for (let next = earliest(untilMs); next !== undefined; next = earliest(untilMs)) {
        pending.delete(next);
        elapsedMs = Math.max(elapsedMs, next.dueMs);
        next.run();
        await settle();
      }
      elapsedMs = untilMs;
    },
    setNowMs(nowMs) {
      offsetMs = nowMs - elapsedMs;
    },
    get pendingCount() {
      return pending.size;
    },
  };
}
