/**
 * What a message of a person has cost so far, over the whole graph of sessions that it reached: each
 * owner knows its own runs, and this asks them all.
 */
import { GetTraceCostRequest } from '@sessions/contracts';
import { graphCost } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import { toSessionError } from '@sessions/bus';
import type { HandlerDeps } from '../deps';

const STORES_AT_ONCE = 8;

export interface TracedPlace {
  /** Undefined: the message goes back to nothing that is known. */
  readonly traceId: string | undefined;
  /** Of the runs that lead here, which each message carries along. */
  readonly costUsd: number | undefined;
}

type TraceDeps = Pick<HandlerDeps, 'stores' | 'agents' | 'config' | 'logger'>;

/**
 * @returns US dollars, as far as prices are known; undefined: none is, or nothing limits the cost. A
 * store that cannot be asked counts with nothing, so that one owner that is away stops no agent of the
 * others; what leads here still counts.
 */
export async function traceCost({ stores, agents, config, logger }: TraceDeps, { traceId, costUsd }: TracedPlace, context: CallContext): Promise<number | undefined> {
  if (config().tools.agentToAgent.maxCostUsd <= 0) return undefined;
  if (traceId === undefined) return costUsd;
  const agentIds = (await agents.list(context)).filter(({ hasStore }) => hasStore).map(({ agentId }) => agentId);
  const costs: (number | undefined)[] = [];
  for (let from = 0; from < agentIds.length; from += STORES_AT_ONCE) {
    const some = agentIds.slice(from, from + STORES_AT_ONCE).map((agentId) =>
      stores.read('getTraceCost', GetTraceCostRequest.create({ agentId, traceId }), context).then(
        ({ costUsd: cost }) => cost,
        (thrown: unknown) => {
          logger.warn('an owner could not be asked what a chain of messages has cost', { agentId, reason: toSessionError(thrown).reason });
          return undefined;
        },
      ),
    );
    costs.push(...(await Promise.all(some)));
  }
  return graphCost(costUsd, costs);
}
