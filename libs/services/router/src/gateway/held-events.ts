/**
 * Keeps a connection's events back while a request that begins a turn is being answered: its client hears
 * that the turn was taken before it hears of the turn, as from the original, whichever way is shorter.
 */
import type { Clock, Timer } from '@sessions/host';

/** Events are not kept longer, milliseconds, however many such requests follow on each other. */
export const EVENTS_HELD_MS_MAX = 250;

/** Methods whose answer names the run that the events behind it tell of. */
const BEGINS_TURN: ReadonlySet<string> = new Set(['chat.send', 'sessions.send', 'sessions.steer', 'sessions.create', 'agent']);

export class HeldEvents {
  readonly #clock: Clock;
  readonly #onReleased: () => void;
  #requests = 0;
  #timer: Timer | undefined;
  #isHolding = false;

  /** @param onReleased events may go again */
  constructor(clock: Clock, onReleased: () => void) {
    this.#clock = clock;
    this.#onReleased = onReleased;
  }

  get isHolding(): boolean {
    return this.#isHolding;
  }

  /** @returns to be called when the request has been answered; undefined: no events wait for its answer */
  begin(method: string): (() => void) | undefined {
    if (!BEGINS_TURN.has(method)) return undefined;
    this.#requests += 1;
    if (this.#requests === 1) {
      this.#isHolding = true;
      this.#timer = this.#clock.setTimer(EVENTS_HELD_MS_MAX, () => this.#release(), { keepsAlive: false });
    }
    return () => {
      this.#requests -= 1;
      if (this.#requests > 0) return;
      this.#timer?.cancel();
      this.#release();
    };
  }

  #release(): void {
    if (!this.#isHolding) return;
    this.#isHolding = false;
    this.#onReleased();
  }
}
