/**
 * Whose turn it is to be sent what waits for it. An event for a thousand clients is a thousand writes
 * to sockets: they are made in slices, so that requests and timers come in between, and a client that
 * waited longer for its turn gets all that came meanwhile in one write.
 */
import type { Clock } from '@sessions/host';

/** Longest time that one slice keeps the event loop; one client's write more at most. */
export const SLICE_MS = 4;

export interface Waiting {
  /** Sends what waits. Must not throw. */
  flush(): void;
}

export class SendTurns {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  /** In the order in which they came to wait. */
  readonly #waiting = new Set<Waiting>();
  #isScheduled = false;

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  add(one: Waiting): void {
    this.#waiting.add(one);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#slice());
  }

  remove(one: Waiting): void {
    this.#waiting.delete(one);
  }

  #slice(): void {
    const endAtMs = this.#clock.monotonicMs() + SLICE_MS;
    for (const one of this.#waiting) {
      this.#waiting.delete(one);
      one.flush();
      if (this.#clock.monotonicMs() >= endAtMs) break;
    }
    this.#isScheduled = this.#waiting.size > 0;
    if (this.#isScheduled) setImmediate(() => this.#slice());
  }
}
