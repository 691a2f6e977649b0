/**
 * Events over core NATS: to whoever is connected at that moment. What is published while a subscriber's
 * connection is away is lost for it, and `onGap` says so. What is published here while our own is away
 * waits for it, at most `UNSENT_BYTES_MAX`; beyond, the oldest leaves, so that later ones show the gap.
 * Each subscriber's queue is bounded.
 *
 * An event goes out just before whatever this connection sends next, most often the answer to the call
 * that caused it: one write to the socket where there were two. Without company it waits for the end of
 * the event loop's turn. The order of what a connection sends stays the order in which it was asked to.
 */
import { SessionError } from '@sessions/domain';
import type { Events, MessageCodec, SubscribeOptions, Subscription } from '../bus';
import { EventQueue } from '../event-queue';
import type { EventHandler } from '../event-queue';
import { MAX_PAYLOAD_BYTES, checkSize } from '../limits';
import type { NatsLink } from './link';

const UNSENT_BYTES_MAX = 8 * 1024 * 1024;
/** So many events wait for company; one more, and all are sent. */
const HELD_COUNT_MAX = 64;

interface Unsent {
  readonly subject: string;
  readonly payload: Uint8Array;
}

export class NatsEvents implements Events {
  readonly #link: NatsLink;
  readonly #subscribers = new Set<EventQueue>();
  readonly #endReconnect: () => void;
  readonly #endSends: () => void;
  #held: Unsent[] = [];
  #unsent: Unsent[] = [];
  #unsentBytes = 0;
  #droppedCount = 0;
  #closed = false;

  constructor(link: NatsLink) {
    this.#link = link;
    this.#endReconnect = link.onReconnect(() => {
      this.#sendUnsent();
      for (const subscriber of [...this.#subscribers]) subscriber.noteGap();
    });
    this.#endSends = link.beforeSend(() => this.#sendHeld());
  }

  publish<T>(subject: string, codec: MessageCodec<T>, event: T): void {
    if (this.#closed) throw new SessionError('SHUTTING_DOWN', 'the bus is closed');
    const payload = codec.encode(event).finish();
    checkSize(`the event ${subject}`, payload.length, Math.min(MAX_PAYLOAD_BYTES, this.#link.nc.info?.max_payload ?? MAX_PAYLOAD_BYTES));
    this.#held.push({ subject, payload });
    if (!this.#link.connected || this.#held.length > HELD_COUNT_MAX) this.#sendHeld();
    else if (this.#held.length === 1) setImmediate(() => this.#sendHeld());
  }

  async subscribe<T>(
    pattern: string,
    codec: MessageCodec<T>,
    handler: (event: T, subject: string) => void | Promise<void>,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    if (this.#closed) throw new SessionError('SHUTTING_DOWN', 'the bus is closed');
    const subscription = this.#link.nc.subscribe(pattern, {
      callback: (error, msg) => {
        if (error === null) queue.offer({ subject: msg.subject, read: () => codec.decode(msg.data) });
      },
    });
    const queue = new EventQueue(pattern, handler as EventHandler, options, (one) => {
      this.#subscribers.delete(one);
      if (!subscription.isClosed()) subscription.unsubscribe();
    });
    this.#subscribers.add(queue);
    void queue.ended.then((error) => this.#reportSlow(queue, error));
    try {
      await this.#link.confirm(pattern, subscription);
    } catch (error) {
      await queue.stop();
      throw error;
    }
    return queue;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#sendHeld();
    this.#endSends();
    this.#endReconnect();
    await Promise.all([...this.#subscribers].map((one) => one.stop()));
  }

  #sendHeld(): void {
    // Taken first: sending asks for what is held again.
    const held = this.#held;
    this.#held = [];
    for (const event of held) {
      if (!this.#link.connected) this.#keep(event);
      else this.#link.sendIfConnected(event.subject, event.payload);
    }
  }

  #keep(event: Unsent): void {
    this.#unsent.push(event);
    this.#unsentBytes += event.payload.length;
    while (this.#unsentBytes > UNSENT_BYTES_MAX) {
      this.#unsentBytes -= this.#unsent.shift()?.payload.length ?? 0;
      this.#droppedCount += 1;
    }
  }

  #sendUnsent(): void {
    const [unsent, dropped] = [this.#unsent, this.#droppedCount];
    this.#unsent = [];
    this.#unsentBytes = this.#droppedCount = 0;
    for (const { subject, payload } of unsent) this.#link.sendIfConnected(subject, payload);
    if (dropped > 0) this.#link.report({ kind: 'error', message: 'events were dropped while the connection was away', dropped });
  }

  #reportSlow({ pattern, dropped }: EventQueue, error: Error | undefined): void {
    const isSlow = error instanceof SessionError && error.reason === 'OVERLOADED';
    if (isSlow || dropped > 0) {
      this.#link.report({ kind: 'slow-consumer', message: 'a subscriber of events did not keep up', pattern, dropped, ended: isSlow });
    }
  }
}
