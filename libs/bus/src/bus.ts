/**
 * The bus: four primitives, types only. A transport implements them; services see nothing else.
 *
 * - rpc: one request, one answer or a stream of answers, with a deadline and cancelling;
 * - events: what happened, to whoever listens at that moment; never the only copy of anything;
 * - jobs: notices of work, each to one worker, again until it is acknowledged;
 * - leases: who may act, for a bounded time.
 *
 * Messages may be handed over by reference: who sent or received one does not change it any more.
 */
import type { BusClock } from './clock';

/** What a method needs to travel; the entries of a generated service definition have this form. */
export interface MethodShape {
  /** `/sessions.v1.StoreService/PatchEntry`. */
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: (value: never) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => unknown;
  readonly responseSerialize: (value: never) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => unknown;
}

/** What a message needs to travel; generated messages have this form. */
export interface MessageCodec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

/** Who calls, why, and under which names the call is known; travels in headers. */
export interface CallMeta {
  /** `client:<connId>`, `agent:<sessionKey>` or `service:<name>/<instance>`. */
  readonly caller: string;
  readonly scopes: readonly string[];
  /** Kept over retries; stands in every log line. */
  readonly requestId: string;
  /** 1 to 256 visible ASCII characters. */
  readonly idempotencyKey: string | undefined;
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
  /** Distance between sessions from the person's message; 0 outside such chains. */
  readonly hops: number;
}

/** What a handler knows of the call beside the request. */
export interface CallContext extends CallMeta {
  /** Aborts when the caller left, the deadline passed or the service stops. */
  readonly signal: AbortSignal;
  /** On this process's clock. For a stream the present end, which traffic moves. */
  readonly deadlineAtMs: number;
}

export interface CallOptions {
  readonly meta: CallMeta;
  /** Time for the answer; for a stream the longest silence. Milliseconds. */
  readonly timeoutMs: number;
  /** Cancels: the call is rejected with the signal's reason, the handler's signal aborts. */
  readonly signal?: AbortSignal;
}

export interface ServeOptions {
  /** Servers of one group share the calls. Absent: the newest server of the subject gets them. */
  readonly queueGroup?: string;
}

/** A method being served. */
export interface Served {
  /**
   * Takes no further calls, ends open streams (SHUTTING_DOWN), resolves when the unary calls under
   * way have been answered. Safe to call again.
   */
  stop(): Promise<void>;
}

export interface Rpc {
  /**
   * @throws NO_OWNER when nobody serves the subject, DEADLINE, TOO_LARGE, OVERLOADED, or what the
   * handler refused with; the signal's reason when cancelled
   */
  call(subject: string, method: MethodShape, request: unknown, options: CallOptions): Promise<unknown>;
  /**
   * The call is made when the first answer is asked for. At most `STREAM_CREDIT` answers wait for
   * the reader; leaving the loop cancels. Errors as `call`, at the place in the stream where they
   * happened; a lost message is NO_OWNER with the fact `gap`.
   */
  stream(subject: string, method: MethodShape, request: unknown, options: CallOptions): AsyncIterable<unknown>;
  serve(
    subject: string,
    method: MethodShape,
    handler: (request: unknown, context: CallContext) => Promise<unknown> | AsyncIterable<unknown>,
    options?: ServeOptions,
  ): Promise<Served>;
}

/** What becomes of a subscriber that does not keep up. */
export type SlowSubscriber = 'drop-newest' | 'end';

export interface SubscribeOptions {
  /** Events that may wait, at most and by default `MAX_EVENTS_WAITING`. */
  readonly waiting?: number;
  /** `drop-newest` counts what it drops; `end` ends the subscription (OVERLOADED). Default `end`. */
  readonly whenSlow?: SlowSubscriber;
  /**
   * Events may have been lost on their way here, by a reconnect: what they told has to be read again.
   * May be called between two events.
   */
  readonly onGap?: () => void;
}

export interface Subscription {
  /** Resolves when it ended: undefined after `stop`, else why. */
  readonly ended: Promise<Error | undefined>;
  /** Events dropped so far. */
  readonly dropped: number;
  /** No handler begins after this. */
  stop(): Promise<void>;
}

export interface Events {
  /**
   * Reaches the subscribers of this moment, in the order of this publisher's calls; never waits for
   * them. @throws TOO_LARGE
   */
  publish<T>(subject: string, codec: MessageCodec<T>, event: T): void;
  /**
   * One event at a time, in order: a returned promise is waited for. A handler that fails ends the
   * subscription. `pattern` may hold `*` and a final `>`.
   */
  subscribe<T>(
    pattern: string,
    codec: MessageCodec<T>,
    handler: (event: T, subject: string) => void | Promise<void>,
    options?: SubscribeOptions,
  ): Promise<Subscription>;
}

/** One delivery of a job. */
export interface Job<T> {
  readonly value: T;
  readonly subject: string;
  readonly messageId: string;
  /** From 1. */
  readonly delivery: number;
  /** Aborts when the delivery is taken back: its time is over, or the consumer stops. */
  readonly signal: AbortSignal;
  /** Done: the job never comes again. False when the delivery had been taken back. */
  ack(): Promise<boolean>;
  /** Still at work: the time to acknowledge starts anew. False when it had been taken back. */
  inProgress(): Promise<boolean>;
  /** Give back; comes again after `delayMs`, by default the usual delay. */
  retry(delayMs?: number): Promise<void>;
}

/** A job that was delivered as often as it may be. */
export interface DeadJob {
  readonly subject: string;
  readonly messageId: string;
  readonly deliveries: number;
  /** The last failure, without texts of a conversation. */
  readonly problem: string;
  readonly diedAtMs: number;
}

export interface ConsumeOptions {
  /** Jobs at a time, at least 1. Default 1. A function is asked again for every job and request that is made: another number counts from the next job that comes or ends, at the latest 30 s later. */
  readonly concurrency?: number | (() => number);
}

/** How many jobs a consumer may hold at this moment. */
export function placesOf({ concurrency = 1 }: ConsumeOptions): () => number {
  return () => Math.max(1, typeof concurrency === 'number' ? concurrency : concurrency());
}

export interface JobConsumer {
  /** Takes no further job; those under way are given back when they are not acknowledged. */
  stop(): Promise<void>;
}

export interface Jobs {
  /**
   * Resolves when the queue holds the job. `duplicate`: a job of this id was queued within the
   * window, nothing was added. @throws TOO_LARGE, OVERLOADED
   */
  publish<T>(subject: string, codec: MessageCodec<T>, job: T, messageId: string): Promise<{ readonly duplicate: boolean }>;
  /**
   * Each job goes to one consumer. A handler that ends without acknowledging, by failing or not,
   * gives the job back; after `MAX_DELIVERIES` deliveries it is a dead letter.
   */
  consume<T>(
    pattern: string,
    codec: MessageCodec<T>,
    handler: (job: Job<T>) => Promise<void>,
    options?: ConsumeOptions,
  ): Promise<JobConsumer>;
  /** Newest first. */
  listDead(pattern: string): Promise<readonly DeadJob[]>;
}

/** Who holds a lease. */
export interface LeaseHolder {
  /** `<name>/<instance>`. */
  readonly instance: string;
  readonly epoch: number;
  readonly host: string;
  readonly pid: number;
  readonly acquiredAtMs: number;
}

export interface Lease {
  readonly key: string;
  readonly holder: LeaseHolder;
  /** Revision at acquiring: grows with every change of holder, so it fences. */
  readonly fence: number;
  /** Revision of the last renewal; the next one must name it. */
  readonly revision: number;
  /** On this process's clock. */
  readonly expiresAtMs: number;
}

export interface Leases {
  /** Undefined: another holds it. Ends after `leaseTtlMs` unless renewed. */
  acquire(key: string, holder: LeaseHolder): Promise<Lease | undefined>;
  /**
   * Keeps it, with `lease.holder` as it is given: an owner's epoch grows while it holds the lease.
   * @throws EPOCH_SUPERSEDED when it ended or another holds it
   */
  renew(lease: Lease): Promise<Lease>;
  /** Without effect when it ended or another holds it. */
  release(lease: Lease): Promise<void>;
  /** The present one; undefined: nobody holds it. */
  read(key: string): Promise<Lease | undefined>;
  /** The present ones whose key begins with `prefix`, in no order. */
  list(prefix: string): Promise<readonly Lease[]>;
}

/** A connection to the bus. */
export interface Bus {
  /** The clock that deadlines refer to. */
  readonly clock: BusClock;
  readonly rpc: Rpc;
  readonly events: Events;
  readonly jobs: Jobs;
  readonly leases: Leases;
  /** Ends everything that was begun through it; later calls are refused (SHUTTING_DOWN). */
  close(): Promise<void>;
}
