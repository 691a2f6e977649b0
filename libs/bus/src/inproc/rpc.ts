/**
 * Calls within one process. A handler never runs inside the caller's own stack, and a caller never
 * waits past its deadline, whatever the handler does.
 */
import { SessionError } from '@sessions/domain';
import type { CallContext, CallOptions, MethodShape, Rpc, Served, ServeOptions } from '../bus';
import { metaFromHeaders, metaToHeaders } from '../call-meta';
import type { BusClock } from '../clock';
import { deadlineError } from '../deadlines';
import { MAX_CALLS_IN_FLIGHT } from '../limits';
import { toSessionError } from '../status';
import type { OpenStream } from '../stream-iterator';
import { streamIterator } from '../stream-iterator';
import type { BusTiming } from '../timing';
import type { Passing } from './passing';
import { StreamChannel } from './stream-channel';

type RawHandler = Parameters<Rpc['serve']>[2];

interface Endpoint {
  readonly method: MethodShape;
  readonly handler: RawHandler;
  readonly queueGroup: string | undefined;
  readonly calls: Set<Promise<unknown>>;
  readonly streams: Set<(reason: SessionError) => void>;
}

export interface InProcRpcOptions {
  readonly clock: BusClock;
  readonly timing: BusTiming;
  readonly passing: Passing;
  readonly losesStreamMessage: ((subject: string, seq: number) => boolean) | undefined;
}

export class InProcRpc implements Rpc {
  private readonly endpoints = new Map<string, Endpoint[]>();
  private turn = 0;
  private closed = false;

  constructor(private readonly options: InProcRpcOptions) {}

  async serve(subject: string, method: MethodShape, handler: RawHandler, options: ServeOptions = {}): Promise<Served> {
    this.checkOpen();
    const endpoint: Endpoint = {
      method,
      handler,
      queueGroup: options.queueGroup,
      calls: new Set(),
      streams: new Set(),
    };
    this.endpoints.set(subject, [...(this.endpoints.get(subject) ?? []), endpoint]);
    return { stop: () => this.stop(subject, endpoint) };
  }

  async call(subject: string, method: MethodShape, request: unknown, options: CallOptions): Promise<unknown> {
    const { endpoint, passed, meta } = this.begin(subject, method, request, options);
    const { clock, passing } = this.options;
    const serving = new AbortController();
    const deadlineAtMs = clock.nowMs() + options.timeoutMs;
    let giveUp: (reason: unknown) => void = () => undefined;
    const gaveUp = new Promise<never>((_resolve, reject) => {
      giveUp = (reason) => {
        serving.abort(reason);
        reject(reason);
      };
    });
    const leave = () => giveUp(options.signal?.reason);
    const cancelTimer = clock.startTimer(options.timeoutMs, () => giveUp(deadlineError(method, options.timeoutMs)));
    options.signal?.addEventListener('abort', leave, { once: true });
    const context: CallContext = { ...meta, signal: serving.signal, deadlineAtMs };
    const answer = Promise.resolve()
      .then(() => endpoint.handler(passed, context))
      .then((value) => passing.response(method, value));
    const outcome = Promise.race([answer, gaveUp]);
    this.track(endpoint, outcome);
    try {
      return await outcome;
    } catch (error) {
      if (serving.signal.aborted) throw serving.signal.reason;
      throw passing.error(toSessionError(error));
    } finally {
      cancelTimer();
      options.signal?.removeEventListener('abort', leave);
    }
  }

  stream(subject: string, method: MethodShape, request: unknown, options: CallOptions): AsyncIterable<unknown> {
    return { [Symbol.asyncIterator]: () => streamIterator(() => this.startStream(subject, method, request, options)) };
  }

  /** Ends every stream, refuses further calls, waits for those under way. */
  async close(): Promise<void> {
    this.closed = true;
    const open = [...this.endpoints].flatMap(([subject, endpoints]) => endpoints.map((one) => this.stop(subject, one)));
    await Promise.all(open);
  }

  private startStream(subject: string, method: MethodShape, request: unknown, options: CallOptions): OpenStream {
    const { endpoint, passed, meta } = this.begin(subject, method, request, options);
    const { clock, timing, losesStreamMessage } = this.options;
    const serving = new AbortController();
    const channel = new StreamChannel({
      clock,
      creditMs: timing.streamCreditMs,
      silenceMs: options.timeoutMs,
      ...(losesStreamMessage ? { loses: (seq: number) => losesStreamMessage(subject, seq) } : {}),
    });
    const breakOff = (reason: unknown) => {
      channel.break(reason);
      serving.abort(reason);
    };
    const cancelled = () => breakOff(options.signal?.reason);
    channel.onSilence = () => breakOff(deadlineError(method, options.timeoutMs));
    options.signal?.addEventListener('abort', cancelled, { once: true });
    endpoint.streams.add(breakOff);
    const context: CallContext = {
      ...meta,
      signal: serving.signal,
      get deadlineAtMs() {
        return channel.silentUntilMs;
      },
    };
    void this.feed(endpoint, passed, context, channel, serving).finally(() => endpoint.streams.delete(breakOff));
    return {
      next: () => channel.next(),
      leave() {
        options.signal?.removeEventListener('abort', cancelled);
        breakOff(new DOMException('the reader left the stream', 'AbortError'));
      },
    };
  }

  /** Runs the handler's side of a stream; never rejects. */
  private async feed(
    endpoint: Endpoint,
    request: unknown,
    context: CallContext,
    channel: StreamChannel,
    serving: AbortController,
  ): Promise<void> {
    const aborted = new Promise<'aborted'>((resolve) => {
      context.signal.addEventListener('abort', () => resolve('aborted'), { once: true });
    });
    let answers: AsyncIterator<unknown> | undefined;
    try {
      answers = (endpoint.handler(request, context) as AsyncIterable<unknown>)[Symbol.asyncIterator]();
      for (;;) {
        await channel.credit();
        if (context.signal.aborted) break;
        const next = await Promise.race([answers.next(), aborted]);
        if (next === 'aborted') break;
        if (next.done) {
          answers = undefined;
          break;
        }
        channel.send(this.options.passing.response(endpoint.method, next.value));
      }
      channel.end();
    } catch (error) {
      channel.end(this.options.passing.error(toSessionError(error)));
      serving.abort(error);
    }
    // A handler that hangs in its own clean-up keeps nobody waiting, and has nobody left to tell.
    void answers?.return?.()?.catch(() => undefined);
  }

  private begin(subject: string, method: MethodShape, request: unknown, options: CallOptions) {
    this.checkOpen();
    options.signal?.throwIfAborted();
    // Through the headers and back: the same checks, and nothing travels that a wire would not carry.
    const meta = metaFromHeaders(metaToHeaders(options.meta));
    const passed = this.options.passing.request(method, request);
    const endpoint = this.choose(subject);
    if (!endpoint) throw new SessionError('NO_OWNER', `nobody serves ${subject}`, { facts: { subject } });
    if (endpoint.calls.size + endpoint.streams.size >= MAX_CALLS_IN_FLIGHT) {
      throw new SessionError('OVERLOADED', `${method.path} has ${MAX_CALLS_IN_FLIGHT} calls under way`, {
        retryAfterMs: 100,
      });
    }
    return { endpoint, passed, meta };
  }

  /** The newest server without a group, else the members of the group in turn. */
  private choose(subject: string): Endpoint | undefined {
    const endpoints = this.endpoints.get(subject) ?? [];
    const alone = endpoints.findLast((one) => one.queueGroup === undefined);
    if (alone) return alone;
    this.turn = (this.turn + 1) % Number.MAX_SAFE_INTEGER;
    return endpoints[this.turn % Math.max(1, endpoints.length)];
  }

  private track(endpoint: Endpoint, outcome: Promise<unknown>): void {
    // Refusals reach the caller; here only the end counts.
    const ended = outcome.then(
      () => undefined,
      () => undefined,
    );
    endpoint.calls.add(ended);
    void ended.then(() => endpoint.calls.delete(ended));
  }

  private async stop(subject: string, endpoint: Endpoint): Promise<void> {
    const left = (this.endpoints.get(subject) ?? []).filter((one) => one !== endpoint);
    if (left.length > 0) this.endpoints.set(subject, left);
    else this.endpoints.delete(subject);
    for (const end of endpoint.streams) end(new SessionError('SHUTTING_DOWN', `${endpoint.method.path} is stopping`));
    await Promise.all(endpoint.calls);
  }

  private checkOpen(): void {
    if (this.closed) throw new SessionError('SHUTTING_DOWN', 'the bus is closed');
  }
}
