/**
 * Whose turn it is to be sent what waits for it. An event for a thousand clients is a thousand writes
 * to sockets, so they are made in rounds: each round serves those that waited when it began, in
 * slices, so that requests and timers come in between; after it there is a rest in proportion, and
 * what comes meanwhile goes out together with the next. Few clients never notice, and many get fewer
 * and larger writes, the more they are and the busier the machine is.
 */
import type { Clock } from '@sessions/host';
import { FrameJoiner } from './shared-frame';

/** Longest time that one slice keeps the event loop; one client's write more at most. */
export const SLICE_MS = 4;
/** Length of the rest after a round, in lengths of the round: sending takes a quarter of the loop at most. */
export const REST_FACTOR = 3;
/** Longest rest, and with it the longest that an event waits beside the sending itself. */
export const REST_MS_MAX = 500;

export interface Waiting {
  /** Sends what waits. Must not throw. */
  flush(): void;
}

export class SendTurns {
  /** Shared by the clients of a round. */
  readonly joiner = new FrameJoiner();
  readonly #clock: Pick<Clock, 'monotonicMs' | 'setTimer'>;
  /** Served in the next round, in the order in which they came. */
  #waiting = new Set<Waiting>();
  /** Those of the round under way that were not served yet. */
  #round = new Set<Waiting>();
  #roundTookMs = 0;
  #restsUntilMs = -Infinity;
  #isScheduled = false;

  constructor(clock: Pick<Clock, 'monotonicMs' | 'setTimer'>) {
    this.#clock = clock;
  }

  add(one: Waiting): void {
    if (this.#round.has(one)) return;
    this.#waiting.add(one);
    this.#schedule();
  }

  remove(one: Waiting): void {
    this.#waiting.delete(one);
    this.#round.delete(one);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const restMs = this.#restsUntilMs - this.#clock.monotonicMs();
    if (this.#round.size > 0 || restMs <= 0) setImmediate(() => this.#slice());
    else this.#clock.setTimer(restMs, () => this.#slice(), { keepsAlive: false });
  }

  #slice(): void {
    this.#isScheduled = false;
    if (this.#round.size === 0) {
      [this.#round, this.#waiting] = [this.#waiting, this.#round];
      this.#roundTookMs = 0;
    }
    const beganAtMs = this.#clock.monotonicMs();
    let nowMs = beganAtMs;
    for (const one of this.#round) {
      this.#round.delete(one);
      one.flush();
      nowMs = this.#clock.monotonicMs();
      if (nowMs - beganAtMs >= SLICE_MS) break;
    }
    this.#roundTookMs += nowMs - beganAtMs;
    if (this.#round.size === 0) {
      this.joiner.clear();
      this.#restsUntilMs = nowMs + Math.min(REST_FACTOR * this.#roundTookMs, REST_MS_MAX);
    }
    if (this.#round.size + this.#waiting.size > 0) this.#schedule();
  }
}
