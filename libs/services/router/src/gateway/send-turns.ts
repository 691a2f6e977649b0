/**
 * Whose turn it is to be sent what waits for it. An event for a thousand clients is a thousand writes
 * to sockets, so they are made in rounds: each round visits those that waited when it began, in
 * slices, so that requests and timers come in between; after it there is a rest in proportion, and
 * what comes meanwhile goes out together with the next. Few clients never notice, and many get fewer
 * and larger writes, the more they are and the busier the machine is.
 */
import type { Clock } from '@sessions/host';

/** Longest time that one slice keeps the event loop; one client's write more at most. */
export const SLICE_MS = 4;
/** Length of the rest after a round, in lengths of the round: sending takes half of the loop at most. */
export const REST_FACTOR = 1;
/** Longest rest, and with it the longest that an event waits beside the sending itself. */
export const REST_MS_MAX = 250;

export interface Waiting {
  /** Sends what waits, or some of it. Must not throw. */
  flush(): void;
}

/** Many who wait for the same. */
export interface WaitingGroup {
  readonly members: Iterable<Waiting>;
  /** Told when the round in which all were visited is over. */
  rested(): void;
}

export class SendTurns {
  readonly #clock: Pick<Clock, 'monotonicMs' | 'setTimer'>;
  /** Visited in the next round, in the order in which they came; groups after them. */
  #waiting = new Set<Waiting>();
  #groups = new Set<WaitingGroup>();
  /** Those of the round under way that were not visited yet. */
  #round = new Set<Waiting>();
  #roundGroups = new Set<WaitingGroup>();
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

  addGroup(group: WaitingGroup): void {
    this.#groups.add(group);
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
    if (this.#round.size === 0) this.#begin();
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
      for (const group of this.#roundGroups) group.rested();
      this.#roundGroups.clear();
      this.#restsUntilMs = nowMs + Math.min(REST_FACTOR * this.#roundTookMs, REST_MS_MAX);
    }
    if (this.#round.size + this.#waiting.size + this.#groups.size > 0) this.#schedule();
  }

  #begin(): void {
    [this.#round, this.#waiting] = [this.#waiting, this.#round];
    [this.#roundGroups, this.#groups] = [this.#groups, this.#roundGroups];
    for (const { members } of this.#roundGroups) for (const one of members) this.#round.add(one);
    this.#roundTookMs = 0;
  }
}
