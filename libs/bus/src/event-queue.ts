/**
 * One subscriber's events on any transport: a bounded queue, handled one at a time in order, and
 * what becomes of a subscriber that does not keep up.
 */
import { SessionError } from '@sessions/domain';
import type { SlowSubscriber, SubscribeOptions, Subscription } from './bus';
import { MAX_EVENTS_WAITING } from './limits';

/** Events that came together are handled in one turn of the event loop until so much time has passed. */
const TURN_MS = 4;

export interface WaitingEvent {
  readonly subject: string;
  readonly read: () => unknown;
}

export type EventHandler = (event: unknown, subject: string) => void | Promise<void>;

export class EventQueue implements Subscription {
  readonly ended: Promise<Error | undefined>;
  dropped = 0;
  private readonly waiting: WaitingEvent[] = [];
  private readonly bound: number;
  private readonly whenSlow: SlowSubscriber;
  private running: Promise<void> | undefined;
  private over = false;
  private resolveEnded: (error: Error | undefined) => void = () => undefined;

  constructor(
    readonly pattern: string,
    private readonly handler: EventHandler,
    private readonly options: SubscribeOptions,
    private readonly leave: (queue: EventQueue) => void,
  ) {
    this.bound = Math.min(options.waiting ?? MAX_EVENTS_WAITING, MAX_EVENTS_WAITING);
    this.whenSlow = options.whenSlow ?? 'end';
    this.ended = new Promise((resolve) => (this.resolveEnded = resolve));
  }

  offer(event: WaitingEvent): void {
    if (this.over) return;
    if (this.waiting.length < this.bound) {
      this.waiting.push(event);
      this.running ??= this.run();
    } else if (this.whenSlow === 'drop-newest') {
      this.dropped += 1;
    } else {
      this.finish(
        new SessionError('OVERLOADED', `the subscriber of ${this.pattern} let ${this.bound} events wait`, {
          facts: { waiting: this.bound },
        }),
      );
    }
  }

  /** Events may have been lost on their way here. */
  noteGap(): void {
    if (!this.over) this.options.onGap?.();
  }

  async stop(): Promise<void> {
    this.finish(undefined);
  }

  /** Ends it for a reason from outside. */
  fail(error: Error): void {
    this.finish(error);
  }

  private finish(error: Error | undefined): void {
    if (this.over) return;
    this.over = true;
    this.waiting.length = 0;
    this.leave(this);
    this.resolveEnded(error);
  }

  private async run(): Promise<void> {
    // A handler never runs inside the publisher's stack.
    await Promise.resolve();
    let beganAtMs = performance.now();
    try {
      for (let next = this.waiting.shift(); next && !this.over; next = this.waiting.shift()) {
        await this.handler(next.read(), next.subject);
        if (this.waiting.length === 0 || performance.now() - beganAtMs < TURN_MS) continue;
        await new Promise((resolve) => setImmediate(resolve));
        beganAtMs = performance.now();
      }
    } catch (error) {
      this.finish(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.running = undefined;
    }
  }
}
