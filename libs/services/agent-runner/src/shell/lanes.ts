/**
 * How many turns run at a time: those of people and programs in one lane, those of sub-agents in
 * another, so that neither keeps the other from beginning. First come, first served.
 * Bounds: WAITING_MAX turns wait for a place in a lane; one more is given back to the queue.
 */
export type LaneName = 'main' | 'subagent';

export const WAITING_MAX = 8;

export interface Lane {
  readonly running: number;
  /** Resolves to a function that gives the place back; undefined: too many wait, or the signal aborted. */
  enter(signal: AbortSignal): Promise<(() => void) | undefined>;
}

/** @param max asked whenever a place is wanted, at least 1 */
export function createLane(max: () => number): Lane {
  let running = 0;
  const waiting = new Set<() => void>();
  const place = (): (() => void) => {
    running += 1;
    let isGiven = false;
    return () => {
      if (isGiven) return;
      isGiven = true;
      running -= 1;
      const [next] = waiting;
      if (next !== undefined && running < Math.max(1, max())) next();
    };
  };
  return {
    get running() {
      return running;
    },
    async enter(signal) {
      if (signal.aborted) return undefined;
      if (running < Math.max(1, max())) return place();
      if (waiting.size >= WAITING_MAX) return undefined;
      return new Promise((resolve) => {
        const leave = (): void => {
          waiting.delete(next);
          resolve(undefined);
        };
        const next = (): void => {
          waiting.delete(next);
          signal.removeEventListener('abort', leave);
          resolve(place());
        };
        waiting.add(next);
        signal.addEventListener('abort', leave, { once: true });
      });
    },
  };
}
