/**
 * What others tell a turn while it works: stop, take this message too, your records are durable.
 * Bounds: STEERS_MAX messages wait; one more is refused, and starts the next turn.
 */
import type { Attachment } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';

export const STEERS_MAX = 64;
/** Longest wait for records to become durable: an owner that died is replaced within that. Milliseconds. */
export const CONFIRM_MS_MAX = 60_000;

export interface SteerMessage {
  readonly text: string;
  readonly attachments: readonly Attachment[];
  /** It stands in the transcript already. */
  readonly isRecorded: boolean;
}

export class TurnControl {
  readonly #abort = new AbortController();
  readonly #steers: SteerMessage[] = [];
  #waiting: { readonly count: number; readonly end: (error?: SessionError) => void }[] = [];
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
    for (const { end } of this.#waiting.filter(isDue)) end();
    this.#waiting = this.#waiting.filter((wait) => !isDue(wait));
  }

  /** Resolves when so many records are durable, or when the turn shall stop. @throws DEADLINE */
  confirmed(count: number, limitMs = CONFIRM_MS_MAX): Promise<void> {
    if (count <= this.#confirmedCount || this.#abort.signal.aborted) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const end = (error?: SessionError): void => {
        clearTimeout(timer);
        this.#abort.signal.removeEventListener('abort', leave);
        if (error === undefined) resolve();
        else reject(error);
      };
      const leave = (): void => end();
      const timer = setTimeout(() => end(new SessionError('DEADLINE', 'nobody said that the records of the turn are durable')), limitMs);
      this.#waiting.push({ count, end });
      this.#abort.signal.addEventListener('abort', leave, { once: true });
    });
  }

  /** No message is taken any more. */
  end(): void {
    this.#isOver = true;
  }
}
