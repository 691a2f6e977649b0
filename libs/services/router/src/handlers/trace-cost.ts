/**
 * What a message of a person has cost so far, over the whole graph of sessions that it reached: each
 * owner knows its own runs, those under way among them. The owner of the agent where the graph began
 * keeps which other agents it has reached, so only those are asked.
 */
import { GetTraceCostRequest, GetTraceCostResponse, NoteTraceAgentRequest } from '@sessions/contracts';
import { graphCost } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import { toSessionError } from '@sessions/bus';
import type { HandlerDeps } from '../deps';

const STORES_AT_ONCE = 8;
/** Stores that are asked where nobody says which agents a trace has reached. */
export const UNTOLD_STORES_MAX = 64;

export interface TracedPlace {
  /** Undefined: the message goes back to nothing that is known. */
  readonly traceId: string | undefined;
  /** Undefined: of an earlier release, or through a runtime that does not pass it on. */
  readonly traceAgentId: string | undefined;
  /** Of the runs that lead here, which each message carries along. */
  readonly costUsd: number | undefined;
}

type TraceDeps = Pick<HandlerDeps, 'stores' | 'agents' | 'config' | 'logger'>;

const isLimited = ({ config }: Pick<TraceDeps, 'config'>): boolean => config().tools.agentToAgent.maxCostUsd > 0;

export interface TraceSoFar {
  /** US dollars, as far as prices are known; undefined: none is, or nothing limits the cost. */
  readonly costUsd: number | undefined;
  /** Agents that it has reached, as far as that is known. */
  readonly agentIds: readonly string[];
}

/**
 * A store that cannot be asked counts with nothing, so that one owner that is away stops no agent of the
 * others; what leads here still counts.
 */
export async function traceSoFar(deps: TraceDeps, { traceId, traceAgentId, costUsd }: TracedPlace, context: CallContext): Promise<TraceSoFar> {
  if (!isLimited(deps)) return { costUsd: undefined, agentIds: [] };
  if (traceId === undefined) return { costUsd, agentIds: [] };
  if (traceAgentId === undefined) {
    const known = (await deps.agents.list(context)).filter(({ hasStore }) => hasStore).map(({ agentId }) => agentId);
    return { costUsd: graphCost(costUsd, await costsAt(deps, known.slice(0, UNTOLD_STORES_MAX), traceId, context)), agentIds: [] };
  }
  const begun = (await deps.agents.hasStore(traceAgentId, context)) ? await ask(deps, traceAgentId, traceId, context) : undefined;
  const others = (begun?.agentIds ?? []).filter((agentId) => agentId !== traceAgentId);
  return { costUsd: graphCost(costUsd, [begun?.costUsd, ...(await costsAt(deps, others, traceId, context))]), agentIds: [traceAgentId, ...others] };
}

async function costsAt(deps: TraceDeps, agentIds: readonly string[], traceId: string, context: CallContext): Promise<readonly (number | undefined)[]> {
  const costs: (number | undefined)[] = [];
  for (let from = 0; from < agentIds.length; from += STORES_AT_ONCE) {
    const some = agentIds.slice(from, from + STORES_AT_ONCE).map(async (agentId) => (await ask(deps, agentId, traceId, context))?.costUsd);
    costs.push(...(await Promise.all(some)));
  }
  return costs;
}

/** Every agent of a trace counts, also one that a restricted caller does not know of. */
function ask({ stores, logger }: TraceDeps, agentId: string, traceId: string, context: CallContext): Promise<GetTraceCostResponse | undefined> {
  return stores.read('getTraceCost', GetTraceCostRequest.create({ agentId, traceId }), context).catch((thrown: unknown) => {
    logger.warn('an owner could not be asked what a chain of messages has cost', { agentId, reason: toSessionError(thrown).reason });
    return undefined;
  });
}

/** Tells the agent where a trace began that a message of it is about to reach another one, which it has not reached so far. */
export async function noteReached(deps: TraceDeps, { traceId, traceAgentId }: Pick<TracedPlace, 'traceAgentId'> & { readonly traceId: string }, reachedAgentId: string, context: CallContext): Promise<void> {
  if (!isLimited(deps) || traceAgentId === undefined || traceAgentId === reachedAgentId) return;
  const request = NoteTraceAgentRequest.create({ agentId: traceAgentId, traceId, reachedAgentId });
  await deps.stores.mutate('noteTraceAgent', request, context, { part: 'trace', mayBegin: true }).catch((thrown: unknown) => {
    deps.logger.warn('an owner could not be told what a chain of messages reaches; what that costs counts for those who lead there only', { agentId: traceAgentId, reason: toSessionError(thrown).reason });
  });
}
