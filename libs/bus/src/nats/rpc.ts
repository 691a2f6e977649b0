/**
 * Calls over core NATS request and reply. A call that was sent and whose connection is lost has an
 * unknown outcome: a read is NO_OWNER, a mutation OUTCOME_UNKNOWN, both to be tried again with the
 * same key. Queue groups are not exact after a partition: the server may hand calls to a member
 * that is cut off until its pings fail (10 to 15 s), and such a call ends with DEADLINE, so callers
 * keep a call's time short and try again (`withRetries`).
 *
 * Nothing is kept: calls under way end with the process. Bounded by the callers, and on the serving
 * side by `MAX_CALLS_IN_FLIGHT` a method.
 */
import { SessionError } from '@sessions/domain';
import type { CallOptions, MethodShape, Rpc, Served, ServeOptions } from '../bus';
import type { Headers } from '../call-meta';
import { checkHeaderSize, metaToHeaders } from '../call-meta';
import { timeoutToHeaders } from '../deadlines';
import { MAX_PAYLOAD_BYTES, checkSize } from '../limits';
import { streamIterator } from '../stream-iterator';
import type { OpenStream } from '../stream-iterator';
import type { BusTiming } from '../timing';
import { Endpoints } from './endpoints';
import type { RawHandler } from './endpoints';
import type { Inbox } from './inbox';
import type { NatsLink } from './link';
import { PendingCall } from './pending-call';
import { StreamReader } from './stream-reader';
import { RECONNECT_PATIENCE_MS } from './wire';

export interface NatsRpcOptions {
  readonly link: NatsLink;
  readonly inbox: Inbox;
  readonly timing: BusTiming;
  readonly losesStreamMessage: ((subject: string, seq: number) => boolean) | undefined;
}

export class NatsRpc implements Rpc {
  readonly endpoints: Endpoints;
  readonly #options: NatsRpcOptions;
  #closed = false;

  constructor(options: NatsRpcOptions) {
    this.#options = options;
    this.endpoints = new Endpoints(options);
  }

  async call(subject: string, method: MethodShape, request: unknown, options: CallOptions): Promise<unknown> {
    const { link, inbox } = this.#options;
    const endsAtMs = link.clock.nowMs() + options.timeoutMs;
    const { payload, headers } = await this.#begin(subject, method, request, options);
    const timeoutMs = Math.max(0, endsAtMs - link.clock.nowMs());
    const pending = new PendingCall({ link, inbox, subject, method, timeoutMs, ...(options.signal && { signal: options.signal }) });
    return pending.run(payload, { ...headers, ...timeoutToHeaders(timeoutMs) });
  }

  stream(subject: string, method: MethodShape, request: unknown, options: CallOptions): AsyncIterable<unknown> {
    return { [Symbol.asyncIterator]: () => streamIterator(() => this.#startStream(subject, method, request, options)) };
  }

  async serve(subject: string, method: MethodShape, handler: RawHandler, options: ServeOptions = {}): Promise<Served> {
    this.#checkOpen();
    return this.endpoints.serve(subject, method, handler, options);
  }

  /** Ends every stream, refuses further calls, waits for those under way. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.endpoints.close();
  }

  async #startStream(subject: string, method: MethodShape, request: unknown, options: CallOptions): Promise<OpenStream> {
    const { link, inbox, timing } = this.#options;
    const { payload, headers } = await this.#begin(subject, method, request, options);
    const reader = new StreamReader({
      link,
      inbox,
      timing,
      subject,
      method,
      silenceMs: options.timeoutMs,
      ...(options.signal && { signal: options.signal }),
    });
    reader.open(payload, { ...headers, ...timeoutToHeaders(options.timeoutMs) });
    return reader;
  }

  /** What is sent, checked; waits a moment for a connection that is being made again. */
  async #begin(
    subject: string,
    method: MethodShape,
    request: unknown,
    { meta, signal, timeoutMs }: CallOptions,
  ): Promise<{ payload: Buffer; headers: Headers }> {
    this.#checkOpen();
    signal?.throwIfAborted();
    const headers = metaToHeaders(meta);
    checkHeaderSize({ ...headers, ...timeoutToHeaders(timeoutMs) });
    const payload = method.requestSerialize(request as never);
    checkSize(`the request of ${method.path}`, payload.length, MAX_PAYLOAD_BYTES);
    const { link } = this.#options;
    if (!link.connected && !(await link.whenConnected(Math.min(timeoutMs, RECONNECT_PATIENCE_MS)))) {
      this.#checkOpen();
      throw new SessionError('NO_OWNER', `not connected to NATS: ${subject} cannot be asked`, { facts: { subject, disconnected: true } });
    }
    signal?.throwIfAborted();
    return { payload, headers };
  }

  #checkOpen(): void {
    if (this.#closed) throw new SessionError('SHUTTING_DOWN', 'the bus is closed');
  }
}
