/**
 * Requests that come together are begun a few at a time: what their callers sent while this process
 * waited for a processor must not keep the event loop from everything else when it has one again.
 */
import type { Clock } from '@sessions/host';

/** Requests are begun in one turn of the event loop until so much time has passed in it; one at the least. */
export const BEGIN_MS = 4;
/** Most that are begun in one turn after they had to wait. */
const BEGUN_MAX = 16;

export class RequestTurns {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #waiting: (() => void)[] = [];
  /** When the first of this turn was begun. */
  #turnBeganAtMs: number | undefined;
  #isScheduled = false;

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  /** Calls `begin` now, or in a later turn behind those that wait already. It must not throw. */
  add(begin: () => void): void {
    if (this.#waiting.length > 0 || this.#isSpent()) this.#waiting.push(begin);
    else begin();
    this.#schedule();
  }

  #isSpent(): boolean {
    const nowMs = this.#clock.monotonicMs();
    this.#turnBeganAtMs ??= nowMs;
    return nowMs - this.#turnBeganAtMs >= BEGIN_MS;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#turnBeganAtMs = undefined;
      // One callback each: what a request does at once is done before the next is looked at.
      const count = Math.min(this.#waiting.length, BEGUN_MAX);
      for (let place = 0; place < count; place += 1) setImmediate(() => this.#next());
      if (count > 0) this.#schedule();
    });
  }

  #next(): void {
    if (!this.#isSpent()) this.#waiting.shift()?.();
  }
}
