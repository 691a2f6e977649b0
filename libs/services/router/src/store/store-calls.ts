/**
 * Calls to the owner of an agent's store, wherever it is.
 *
 * Nobody serving the store's subject, or a writer that is no longer its owner, is not the caller's
 * business: a writer is asked to claim the store and the call is made again with the same
 * idempotency key, within its deadline.
 */
import { createHash } from 'node:crypto';
import { StoreServiceService } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import { MUTATION_DEADLINE_MS, READ_DEADLINE_MS, createClient, idempotencyKeyOf, withRetries } from '@sessions/bus';
import type { Bus, CallContext, CallMeta, Client, ClientCallOptions, Subjects } from '@sessions/bus';

export type StoreClient = Client<typeof StoreServiceService>;

/** Names of the methods with one answer. */
export type UnaryMethod = Exclude<keyof StoreClient, 'readHistory' | 'readBranch' | 'readTrajectory' | 'readFacts' | 'verify'>;

type RequestTo<M extends keyof StoreClient> = Parameters<StoreClient[M]>[0];
type AnswerTo<M extends UnaryMethod> = Awaited<ReturnType<StoreClient[M]>>;

export interface StoreCalls {
  /** A call that changes nothing. */
  read<M extends UnaryMethod>(method: M, request: RequestTo<M> & { agentId: string }, context: CallContext): Promise<AnswerTo<M>>;
  /** A mutation. Its idempotency key is the caller's own, else the request's id. */
  mutate<M extends UnaryMethod>(
    method: M,
    request: RequestTo<M> & { agentId: string },
    context: CallContext,
    options?: MutateOptions,
  ): Promise<AnswerTo<M>>;
  /** Records of a session; begun again only while nothing has been read. */
  readHistory(request: RequestTo<'readHistory'>, context: CallContext): ReturnType<StoreClient['readHistory']>;
  /** Findings, then totals; begun again only while nothing has been read. */
  verify(request: RequestTo<'verify'>, context: CallContext): ReturnType<StoreClient['verify']>;
  listAgents(context: CallContext): Promise<AnswerTo<'listAgents'>>;
}

export interface MutateOptions {
  /** Instead of the caller's; any text, at most 256 visible ASCII characters travel as they are. */
  readonly idempotencyKey?: string | undefined;
  /** Tells apart several mutations that one request leads to. */
  readonly part?: string | undefined;
  /** Milliseconds instead of MUTATION_DEADLINE_MS, for a call that reads a whole store; the caller's deadline holds too. */
  readonly budgetMs?: number;
}

export interface StoreCallsDeps {
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly instance: string;
  /** In [0, 1); spreads retries of many routers. */
  readonly random: () => number;
}

/** Served by any writer, not by the owner. */
const POOL_METHODS: ReadonlySet<string> = new Set(['ClaimStore', 'ListAgents']);

const OWNERLESS: ReadonlySet<string> = new Set(['NO_OWNER', 'NOT_OWNER', 'EPOCH_SUPERSEDED']);

const isOwnerless = (error: unknown): boolean => error instanceof SessionError && OWNERLESS.has(error.reason);

export function createStoreCalls({ bus, subjects, instance, random }: StoreCallsDeps): StoreCalls {
  const client = createClient(bus, StoreServiceService, {
    caller: `service:router/${instance}`,
    subject: (method, request) =>
      POOL_METHODS.has(method) ? subjects.storePool(method) : subjects.store((request as { agentId: string }).agentId, method),
  });
  /** Claims under way, by agent: a store that many callers miss is claimed once. */
  const claims = new Map<string, Promise<unknown>>();

  const claim = (agentId: string, context: CallContext): Promise<unknown> => {
    const running = claims.get(agentId);
    if (running !== undefined) return running;
    const started = client.claimStore({ agentId }, { context: withoutCaller(context) }).finally(() => claims.delete(agentId));
    claims.set(agentId, started);
    return started;
  };

  const attempt = async <T>(agentId: string, context: CallContext, call: () => Promise<T>): Promise<T> => {
    try {
      return await call();
    } catch (error) {
      if (!isOwnerless(error)) throw error;
      await claim(agentId, context);
      return call();
    }
  };

  const unary = async <M extends UnaryMethod>(
    method: M,
    request: RequestTo<M> & { agentId: string },
    context: CallContext,
    budgetMs: number,
    own: ClientCallOptions,
  ): Promise<AnswerTo<M>> => {
    const deadlineAtMs = Math.min(context.deadlineAtMs, bus.clock.nowMs() + budgetMs);
    // One table of methods, one signature: what a member takes and gives is fixed by `M` above.
    const call = client[method] as unknown as (request: unknown, options: ClientCallOptions) => Promise<AnswerTo<M>>;
    return withRetries(
      () =>
        attempt(request.agentId, context, () =>
          call(request, { ...own, context, timeoutMs: Math.max(1, deadlineAtMs - bus.clock.nowMs()) }),
        ),
      { clock: bus.clock, deadlineAtMs, random, signal: context.signal },
    );
  };

  async function* stream<T>(agentId: string, context: CallContext, call: () => AsyncIterable<T>): AsyncGenerator<T> {
    for (let claimed = false; ; claimed = true) {
      let begun = false;
      try {
        for await (const item of call()) {
          begun = true;
          yield item;
        }
        return;
      } catch (error) {
        if (begun || claimed || !isOwnerless(error)) throw error;
        await claim(agentId, context);
      }
    }
  }

  return {
    read: (method, request, context) => unary(method, request, context, READ_DEADLINE_MS, {}),
    mutate: (method, request, context, options = {}) =>
      unary(method, request, context, options.budgetMs ?? MUTATION_DEADLINE_MS, { idempotencyKey: keyOf(options, context) }),
    readHistory: (request, context) => stream(request.agentId, context, () => client.readHistory(request, { context })),
    verify: (request, context) => stream(request.agentId, context, () => client.verify(request, { context })),
    listAgents: (context) =>
      withRetries(() => client.listAgents({}, { context: withoutCaller(context) }), {
        clock: bus.clock,
        deadlineAtMs: bus.clock.nowMs() + READ_DEADLINE_MS,
        random,
      }),
  };
}

/** For calls that several callers wait for: one of them leaving must not end it for the others. */
function withoutCaller({ caller, scopes, requestId, traceparent, tracestate, hops }: CallContext): CallMeta {
  return { caller, scopes, requestId, traceparent, tracestate, hops, idempotencyKey: undefined };
}

const PLAIN_KEY = /^[\x21-\x7e]{1,256}$/;

/** Keys outside the grammar, which clients may choose too, travel as their hash. */
function keyOf({ idempotencyKey, part }: MutateOptions, context: CallContext): string {
  const whole = `${idempotencyKey ?? idempotencyKeyOf(context)}${part === undefined ? '' : `#${part}`}`;
  return PLAIN_KEY.test(whole) ? whole : `sha256/${createHash('sha256').update(whole, 'utf8').digest('hex')}`;
}
