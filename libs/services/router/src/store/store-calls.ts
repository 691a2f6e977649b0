/**
 * Calls to the owner of an agent's store, wherever it is.
 *
 * Nobody serving the store's subject, or a writer that is no longer its owner, is not the caller's
 * business: a writer is asked to claim the store and the call is made again with the same
 * idempotency key, within its deadline. A claim may be answered with an owner that does not answer
 * itself (it died, its lease still runs): then the caller is told whom that waits for, and to come again.
 *
 * An owner that is killed answers nothing, and nobody says so: a call that waits asks now and then
 * whether its subject is served at all, and is made again at the next owner when it is not.
 *
 * A claim opens a store and may outlast the call that asked for it: it goes on for those who come
 * again, each caller waits no longer than its own deadline.
 *
 * This is the last gate before a store: a caller that is restricted to other agents ends here, and a
 * claim makes no store of an agent that nobody knows, so that keys of clients do not become directories.
 */
import { createHash } from 'node:crypto';
import { StoreServiceService, type ClaimStoreResponse } from '@sessions/contracts';
import { SessionError, reservedKey } from '@sessions/domain';
import { MUTATION_DEADLINE_MS, READ_DEADLINE_MS, createClient, idempotencyKeyOf, retryDelayMs, sleep, withRetries } from '@sessions/bus';
import { assertSeesAgent } from '../auth/scopes';
import type { Bus, BusClock, CallContext, CallMeta, Client, ClientCallOptions, Subjects } from '@sessions/bus';
import { firstAnswer } from './first-answer';
import { createOwnerProbe, whileServed } from './owner-probe';

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
  /** The store of an agent that is neither configured nor on disk is made, up to `UNCONFIGURED_STORES_MAX` of them. */
  readonly mayBegin?: boolean;
}

export interface StoreCallsDeps {
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly instance: string;
  /** In [0, 1); spreads retries of many routers. */
  readonly random: () => number;
  /** True for an agent of the configuration in force. */
  readonly isConfigured: (agentId: string) => boolean;
}

/** Served by any writer, not by the owner. */
const POOL_METHODS: ReadonlySet<string> = new Set(['ClaimStore', 'ListAgents']);

/** A writer that shuts down hands its stores over: the next one is to be found, not waited for. */
const OWNERLESS: ReadonlySet<string> = new Set(['NO_OWNER', 'NOT_OWNER', 'EPOCH_SUPERSEDED', 'SHUTTING_DOWN']);

/** Time for a claim: a store whose index is gone is rebuilt while it opens. */
export const CLAIM_DEADLINE_MS = 60_000;
/** A call without an answer for so long: is its owner still there? Asked again as often. */
const OWNER_PROBE_MS = 1_000;
/** A writer that says nothing for so long may be stopped or cut off, and still get its share of the claims: another is asked too. */
export const CLAIM_PATIENCE_MS = 3_000;
/** Writers that are asked for one claim. */
const CLAIM_ASKED_MAX = 6;
/** How often a stream of which nothing was read is begun again. */
const STREAM_TRIES_MAX = 3;
/** Stores of agents that are not configured, beyond which a client's call makes no further one. */
export const UNCONFIGURED_STORES_MAX = 100;
/** Characters of an agent's id that are repeated to the client. */
const AGENT_SHOWN_MAX = 64;
/** When a caller may come again for a store that nobody answers for. */
export const COME_AGAIN_MS = 2_000;

const isOwnerless = (error: unknown): boolean => error instanceof SessionError && OWNERLESS.has(error.reason);

export function createStoreCalls({ bus, subjects, instance, random, isConfigured }: StoreCallsDeps): StoreCalls {
  const client = createClient(bus, StoreServiceService, {
    caller: `service:router/${instance}`,
    subject: (method, request) =>
      POOL_METHODS.has(method) ? subjects.storePool(method) : subjects.store((request as { agentId: string }).agentId, method),
  });
  /** Claims under way, by agent: a store that many callers miss is claimed once. */
  const claims = new Map<string, Promise<ClaimStoreResponse>>();

  const claim = (agentId: string, context: CallContext | undefined, deadlineAtMs: number): Promise<ClaimStoreResponse> => {
    let running = claims.get(agentId);
    if (running === undefined) {
      const ask = (): Promise<ClaimStoreResponse> => client.claimStore({ agentId }, { ...(context === undefined ? {} : { context: withoutCaller(context) }), timeoutMs: CLAIM_DEADLINE_MS });
      running = firstAnswer(bus.clock, ask, CLAIM_PATIENCE_MS, CLAIM_ASKED_MAX).finally(() => claims.delete(agentId));
      claims.set(agentId, running);
    }
    return inTime(bus.clock, running, deadlineAtMs, agentId);
  };

  const listAgents = (context: CallContext): Promise<AnswerTo<'listAgents'>> =>
    withRetries(() => client.listAgents({}, { context: withoutCaller(context) }), { clock: bus.clock, deadlineAtMs: bus.clock.nowMs() + READ_DEADLINE_MS, random });

  /** @throws AGENT_UNKNOWN */
  const assertMayClaim = async (agentId: string, context: CallContext, mayBegin: boolean): Promise<void> => {
    if (isConfigured(agentId)) return;
    const { agents } = await listAgents(context);
    if (agents.some((agent) => agent.agentId === agentId)) return;
    const unknown = `Unknown agent id "${agentId.slice(0, AGENT_SHOWN_MAX)}"`;
    if (!mayBegin) throw new SessionError('AGENT_UNKNOWN', unknown, { facts: { agentId } });
    const unconfigured = agents.filter((agent) => !isConfigured(agent.agentId)).length;
    if (unconfigured < UNCONFIGURED_STORES_MAX) return;
    throw new SessionError('AGENT_UNKNOWN', `${unknown}: ${unconfigured} agents that are not configured have a store already`, { facts: { agentId, unconfigured }, hint: 'name the agent in agents.list of the configuration' });
  };

  const watchOwner = createOwnerProbe({
    ask: async (agentId) => (await client.storeInfo({ agentId }, { timeoutMs: OWNER_PROBE_MS })).epoch,
    isOwnerless,
    claim: async (agentId) => (await claim(agentId, undefined, bus.clock.nowMs() + CLAIM_PATIENCE_MS * 2)).epoch,
  });

  const attempt = async <T>({ agentId, context, deadlineAtMs, mayBegin }: Attempted, call: (signal?: AbortSignal) => Promise<T>): Promise<T> => {
    try {
      return await whileServed({ clock: bus.clock, everyMs: OWNER_PROBE_MS, isServed: watchOwner(agentId) }, call);
    } catch (error) {
      if (!isOwnerless(error)) throw error;
    }
    await assertMayClaim(agentId, context, mayBegin);
    const claimed = await claim(agentId, context, deadlineAtMs);
    try {
      return await call();
    } catch (error) {
      throw isOwnerless(error) ? unanswered(agentId, claimed, error as SessionError) : error;
    }
  };

  const unary = async <M extends UnaryMethod>(
    method: M,
    request: RequestTo<M> & { agentId: string },
    context: CallContext,
    budgetMs: number,
    own: ClientCallOptions,
    mayBegin = false,
  ): Promise<AnswerTo<M>> => {
    assertSeesAgent(context.scopes, request.agentId);
    const deadlineAtMs = Math.min(context.deadlineAtMs, bus.clock.nowMs() + budgetMs);
    // One table of methods, one signature: what a member takes and gives is fixed by `M` above.
    const call = client[method] as unknown as (request: unknown, options: ClientCallOptions) => Promise<AnswerTo<M>>;
    const answer = withRetries(
      () =>
        attempt({ agentId: request.agentId, context, deadlineAtMs, mayBegin }, (signal) =>
          call(request, { ...own, context, timeoutMs: Math.max(1, deadlineAtMs - bus.clock.nowMs()), ...(signal === undefined ? {} : { signal }) }),
        ),
      { clock: bus.clock, deadlineAtMs, random, signal: context.signal },
    );
    return answer.catch((error: unknown) => {
      throw isOwnerless(error) ? comeAgain(error as SessionError) : error;
    });
  };

  async function* stream<T>(agentId: string, context: CallContext, call: () => AsyncIterable<T>): AsyncGenerator<T> {
    assertSeesAgent(context.scopes, agentId);
    for (let tried = 1; ; tried += 1) {
      let begun = false;
      try {
        const items = call()[Symbol.asyncIterator]();
        try {
          // The first one only: what was begun is watched over by the bus.
          for (let next = await whileServed({ clock: bus.clock, everyMs: OWNER_PROBE_MS, isServed: watchOwner(agentId) }, () => items.next()); next.done !== true; next = await items.next()) {
            begun = true;
            yield next.value;
          }
          return;
        } finally {
          // Not waited for: an owner that is gone does not hear it.
          void Promise.resolve(items.return?.()).catch(() => undefined);
        }
      } catch (error) {
        if (begun || !isOwnerless(error)) throw error;
        if (tried > STREAM_TRIES_MAX) throw comeAgain(error as SessionError);
        await assertMayClaim(agentId, context, false);
        await claim(agentId, context, Math.min(context.deadlineAtMs, bus.clock.nowMs() + MUTATION_DEADLINE_MS));
        if (tried > 1) await sleep(bus.clock, retryDelayMs(tried - 1, random()), context.signal);
      }
    }
  }

  return {
    read: (method, request, context) => unary(method, request, context, READ_DEADLINE_MS, {}),
    mutate: (method, request, context, options = {}) =>
      unary(method, request, context, options.budgetMs ?? MUTATION_DEADLINE_MS, { idempotencyKey: keyOf(options, context) }, options.mayBegin),
    readHistory: (request, context) => stream(request.agentId, context, () => client.readHistory(request, { context })),
    verify: (request, context) => stream(request.agentId, context, () => client.verify(request, { context })),
    listAgents,
  };
}

interface Attempted {
  readonly agentId: string;
  readonly context: CallContext;
  readonly deadlineAtMs: number;
  readonly mayBegin: boolean;
}

/** @throws NO_OWNER when the claim takes longer; it goes on. */
async function inTime<T>(clock: BusClock, work: Promise<T>, deadlineAtMs: number, agentId: string): Promise<T> {
  let cancel = (): void => undefined;
  const late = new Promise<never>((_resolve, reject) => {
    cancel = clock.startTimer(Math.max(0, deadlineAtMs - clock.nowMs()), () => {
      reject(new SessionError('NO_OWNER', `the store of agent ${agentId} is being taken over`, { facts: { agentId }, retryAfterMs: COME_AGAIN_MS }));
    });
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    cancel();
  }
}

/** The claim named an owner, and the owner did not answer. */
function unanswered(agentId: string, { owner, epoch }: ClaimStoreResponse, error: SessionError): SessionError {
  return new SessionError('NO_OWNER', `the owner of the store of agent ${agentId} does not answer`, {
    facts: { agentId, owner, epoch },
    hint: 'an owner that died is replaced when its lease ends, within 30 s',
    cause: error,
  });
}

/** Tells the last one who hears of it when to try again; said earlier it would only lengthen our own tries. */
function comeAgain(error: SessionError): SessionError {
  if (error.retryAfterMs !== undefined) return error;
  const { reason, message, facts, hint } = error;
  return new SessionError(reason, message, { facts, ...(hint === undefined ? {} : { hint }), retryAfterMs: COME_AGAIN_MS, cause: error });
}

/** For calls that several callers wait for: one of them leaving must not end it for the others. */
function withoutCaller({ caller, scopes, requestId, traceparent, tracestate, hops }: CallContext): CallMeta {
  return { caller, scopes, requestId, traceparent, tracestate, hops, idempotencyKey: undefined };
}

const PLAIN_KEY = /^[\x21-\x7e]{1,256}$/;

/** Keys outside the grammar, which clients may choose too, travel as their hash. @throws VALIDATION for a client's that is reserved */
function keyOf({ idempotencyKey, part }: MutateOptions, context: CallContext): string {
  const chosen = idempotencyKey ?? idempotencyKeyOf(context);
  const reserved = context.caller.startsWith('client:') ? reservedKey(chosen) : undefined;
  if (reserved !== undefined) throw new SessionError('VALIDATION', `idempotencyKey: ${reserved}; choose another`);
  const whole = `${chosen}${part === undefined ? '' : `#${part}`}`;
  return PLAIN_KEY.test(whole) ? whole : `sha256/${createHash('sha256').update(whole, 'utf8').digest('hex')}`;
}
