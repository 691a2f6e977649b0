/**
 * What others tell a turn while it works: stop, take this message too, your records are durable.
 * Bounds: STEERS_MAX messages wait; one more is refused, and starts the next turn.
 */
import type { Attachment } from '@sessions/contracts';

export const STEERS_MAX = 64;

export interface SteerMessage {
  readonly text: string;
  readonly attachments: readonly Attachment[];
  /** It stands in the transcript already. */
  readonly isRecorded: boolean;
}

export class TurnControl {
  readonly #abort = new AbortController();
  readonly #steers: SteerMessage[] = [];
  #waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  #confirmedCount = 0;
  #reason: string | undefined;
  #isOver = false;

  /** Aborts when the turn shall stop. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Why it shall stop: `timeout`, or a reason of CancelTurn; undefined: it may go on. */
  get stopReason(): string | undefined {
    return this.#reason;
  }

  /** The first reason stands. */
  stop(reason: string): void {
    this.#reason ??= reason;
    this.#abort.abort();
  }

  /** False: too late, or too many. */
  steer(message: SteerMessage): boolean {
    if (this.#isOver || this.#abort.signal.aborted || this.#steers.length >= STEERS_MAX) return false;
    this.#steers.push(message);
    return true;
  }

  takeSteers(): SteerMessage[] {
    return this.#steers.splice(0);
  }

  get hasSteers(): boolean {
    return this.#steers.length > 0;
  }

  confirm(count: number): void {
    this.#confirmedCount = Math.max(this.#confirmedCount, count);
    const isDue = (wait: { readonly count: number }): boolean => wait.count <= this.#confirmedCount;
    for (const { resolve } of this.#waiting.filter(isDue)) resolve();
    this.#waiting = this.#waiting.filter((wait) => !isDue(wait));
  }

  /** Resolves when so many records are durable, or when the turn shall stop. */
  confirmed(count: number): Promise<void> {
    if (count <= this.#confirmedCount || this.#abort.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push({ count, resolve });
      this.#abort.signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  /** No message is taken any more. */
  end(): void {
    this.#isOver = true;
  }
}
