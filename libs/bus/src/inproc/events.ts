/** Events within one process: each subscriber has its own bounded queue and its own pace. */
import { SessionError } from '@sessions/domain';
import type { Events, MessageCodec, SlowSubscriber, SubscribeOptions, Subscription } from '../bus';
import { MAX_EVENTS_WAITING, MAX_PAYLOAD_BYTES } from '../limits';
import { subjectMatches } from '../subjects';
import type { Passing } from './passing';

interface Waiting {
  readonly subject: string;
  readonly read: () => unknown;
}

export class InProcEvents implements Events {
  private readonly subscribers = new Set<Subscriber>();
  private closed = false;

  constructor(private readonly passing: Passing) {}

  publish<T>(subject: string, codec: MessageCodec<T>, event: T): void {
    this.checkOpen();
    const read = this.passing.message(`the event ${subject}`, codec, event, MAX_PAYLOAD_BYTES);
    for (const subscriber of this.subscribers) subscriber.offer({ subject, read });
  }

  async subscribe<T>(
    pattern: string,
    _codec: MessageCodec<T>,
    handler: (event: T, subject: string) => void | Promise<void>,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    this.checkOpen();
    // Both sides name the codec of the subject; here the publisher's value arrives as it is.
    const subscriber = new Subscriber(pattern, handler as Handler, options, (one) => this.subscribers.delete(one));
    this.subscribers.add(subscriber);
    return subscriber;
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.all([...this.subscribers].map((one) => one.stop()));
  }

  private checkOpen(): void {
    if (this.closed) throw new SessionError('SHUTTING_DOWN', 'the bus is closed');
  }
}

type Handler = (event: unknown, subject: string) => void | Promise<void>;

class Subscriber implements Subscription {
  readonly ended: Promise<Error | undefined>;
  dropped = 0;
  private readonly waiting: Waiting[] = [];
  private readonly bound: number;
  private readonly whenSlow: SlowSubscriber;
  private running: Promise<void> | undefined;
  private over = false;
  private resolveEnded: (error: Error | undefined) => void = () => undefined;

  constructor(
    private readonly pattern: string,
    private readonly handler: Handler,
    options: SubscribeOptions,
    private readonly leave: (subscriber: Subscriber) => void,
  ) {
    this.bound = Math.min(options.waiting ?? MAX_EVENTS_WAITING, MAX_EVENTS_WAITING);
    this.whenSlow = options.whenSlow ?? 'end';
    this.ended = new Promise((resolve) => (this.resolveEnded = resolve));
  }

  offer(event: Waiting): void {
    if (this.over || !subjectMatches(this.pattern, event.subject)) return;
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

  async stop(): Promise<void> {
    this.finish(undefined);
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
    try {
      for (let next = this.waiting.shift(); next && !this.over; next = this.waiting.shift()) {
        await this.handler(next.read(), next.subject);
      }
    } catch (error) {
      this.finish(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.running = undefined;
    }
  }
}
