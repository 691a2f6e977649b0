/** Events within one process: each subscriber has its own bounded queue and its own pace. */
import { SessionError } from '@sessions/domain';
import type { Events, MessageCodec, SubscribeOptions, Subscription } from '../bus';
import { EventQueue } from '../event-queue';
import type { EventHandler } from '../event-queue';
import { MAX_PAYLOAD_BYTES } from '../limits';
import { subjectMatches } from '../subjects';
import type { Passing } from './passing';

export class InProcEvents implements Events {
  private readonly subscribers = new Set<EventQueue>();
  private closed = false;

  constructor(
    private readonly passing: Passing,
    private readonly loses: ((subject: string) => boolean) | undefined,
  ) {}

  publish<T>(subject: string, codec: MessageCodec<T>, event: T): void {
    this.checkOpen();
    const read = this.passing.message(`the event ${subject}`, codec, event, MAX_PAYLOAD_BYTES);
    if (this.loses?.(subject) === true) return;
    for (const subscriber of this.subscribers) {
      if (subjectMatches(subscriber.pattern, subject)) subscriber.offer({ subject, read });
    }
  }

  async subscribe<T>(
    pattern: string,
    _codec: MessageCodec<T>,
    handler: (event: T, subject: string) => void | Promise<void>,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    this.checkOpen();
    // Both sides name the codec of the subject; here the publisher's value arrives as it is.
    const subscriber = new EventQueue(pattern, handler as EventHandler, options, (one) => this.subscribers.delete(one));
    this.subscribers.add(subscriber);
    return subscriber;
  }

  /** For tests of readers: what a reconnect does on a transport that has one. */
  noteGap(): void {
    for (const subscriber of [...this.subscribers]) subscriber.noteGap();
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.all([...this.subscribers].map((one) => one.stop()));
  }

  private checkOpen(): void {
    if (this.closed) throw new SessionError('SHUTTING_DOWN', 'the bus is closed');
  }
}
