/**
 * A generated service definition on the bus, both directions. Handlers and clients are the same
 * over every transport: `(request, context) => Promise | AsyncIterable`.
 */
import { randomUUID } from 'node:crypto';
import { SessionError } from '@sessions/domain';
import type { Bus, CallContext, CallMeta, CallOptions, MethodShape, Rpc, Served } from './bus';
import { defaultDeadlineMs } from './deadlines';
import { methodOfPath } from './subjects';

type RawHandler = Parameters<Rpc['serve']>[2];

/** A generated service definition: member name -> method. */
export type ServiceShape = Readonly<Record<string, MethodShape>>;

export type RequestOf<M extends MethodShape> = ReturnType<M['requestDeserialize']>;
export type ResponseOf<M extends MethodShape> = ReturnType<M['responseDeserialize']>;

/** What a method answers with: a promise, or a stream. */
type AnswerOf<M extends MethodShape> = M['responseStream'] extends true
  ? AsyncIterable<ResponseOf<M>>
  : Promise<ResponseOf<M>>;

export type Handler<M extends MethodShape> = (request: RequestOf<M>, context: CallContext) => AnswerOf<M>;

export type Handlers<S extends ServiceShape> = { readonly [Name in keyof S]: Handler<S[Name]> };

export interface ServeServiceOptions {
  /** Subject of a method (`PatchEntry`); undefined: the method is not served here. */
  readonly subjectFor: (method: string) => string | undefined;
  readonly queueGroup?: string;
}

export interface ClientCallOptions {
  readonly signal?: AbortSignal;
  /** Time for this call; absent: the client's. Milliseconds. */
  readonly timeoutMs?: number;
  readonly idempotencyKey?: string;
  /**
   * The call that this one serves: caller, scopes, request id, trace, hops, signal and the time
   * that is left are passed on. Its idempotency key is not: one call may lead to several mutations.
   */
  readonly context?: CallContext | CallMeta;
}

export type Client<S extends ServiceShape> = {
  readonly [Name in keyof S]: (request: RequestOf<S[Name]>, options?: ClientCallOptions) => AnswerOf<S[Name]>;
};

export interface CreateClientOptions {
  /** Subject for a method (`PatchEntry`) and its request. */
  readonly subject: (method: string, request: unknown) => string;
  /** `service:<name>/<instance>`; used where no call is being served. */
  readonly caller: string;
  readonly scopes?: readonly string[];
  /** Time for each call; absent: the usual one of its method. Milliseconds. */
  readonly deadlineMs?: number;
}

/**
 * Serves every method that has a subject; one without handler answers UNSUPPORTED. Either all are
 * served when it resolves, or none.
 */
export async function serveService<S extends ServiceShape>(
  bus: Bus,
  definition: S,
  handlers: Partial<Handlers<S>>,
  options: ServeServiceOptions,
): Promise<Served> {
  const methods = Object.entries(definition).flatMap(([name, method]) => {
    const subject = options.subjectFor(methodOfPath(method.path));
    return subject === undefined ? [] : [{ subject, method, handler: (handlers[name] as RawHandler | undefined) ?? unsupported(method) }];
  });
  const group = options.queueGroup === undefined ? {} : { queueGroup: options.queueGroup };
  // All at once: whoever finds the first of them served must find the others too, and not be told that there is no such method.
  const begun = await Promise.allSettled(methods.map(({ subject, method, handler }) => bus.rpc.serve(subject, method, handler, group)));
  const served = begun.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const stop = async (): Promise<void> => {
    await Promise.all(served.map((one) => one.stop()));
  };
  const failed = begun.find((one) => one.status === 'rejected');
  if (failed !== undefined) {
    await stop();
    throw failed.reason;
  }
  return { stop };
}

/** A client with one function a method. */
export function createClient<S extends ServiceShape>(bus: Bus, definition: S, options: CreateClientOptions): Client<S> {
  const members = Object.entries(definition).map(([name, method]) => {
    const methodName = methodOfPath(method.path);
    const call = (request: unknown, own: ClientCallOptions = {}) => {
      const subject = options.subject(methodName, request);
      const callOptions: CallOptions = {
        meta: metaFor(options, own),
        timeoutMs: timeoutFor(bus, own, own.timeoutMs ?? options.deadlineMs ?? defaultDeadlineMs(method)),
        ...signalFor(own),
      };
      return method.responseStream
        ? bus.rpc.stream(subject, method, request, callOptions)
        : bus.rpc.call(subject, method, request, callOptions);
    };
    return [name, call] as const;
  });
  // The transport carries values of the method's own types; this is where they get them back.
  return Object.fromEntries(members) as Client<S>;
}

function unsupported(method: MethodShape): RawHandler {
  const refuse = () => Promise.reject(new SessionError('UNSUPPORTED', `${methodOfPath(method.path)} is not served here`));
  return method.responseStream ? () => ({ [Symbol.asyncIterator]: () => ({ next: refuse }) }) : refuse;
}

function metaFor(options: CreateClientOptions, own: ClientCallOptions): CallMeta {
  const { context } = own;
  return {
    caller: context?.caller ?? options.caller,
    scopes: context?.scopes ?? options.scopes ?? [],
    requestId: context?.requestId ?? randomUUID(),
    idempotencyKey: own.idempotencyKey,
    traceparent: context?.traceparent,
    tracestate: context?.tracestate,
    hops: context?.hops ?? 0,
  };
}

/** A call made while serving another ends with it. */
function timeoutFor(bus: Bus, { context }: ClientCallOptions, wantedMs: number): number {
  if (context === undefined || !('deadlineAtMs' in context)) return wantedMs;
  return Math.max(0, Math.min(wantedMs, context.deadlineAtMs - bus.clock.nowMs()));
}

function signalFor({ signal, context }: ClientCallOptions): { signal?: AbortSignal } {
  const inherited = context !== undefined && 'signal' in context ? context.signal : undefined;
  if (signal !== undefined && inherited !== undefined) return { signal: AbortSignal.any([signal, inherited]) };
  const only = signal ?? inherited;
  return only === undefined ? {} : { signal: only };
}
