/**
 * Which store knows a run. The agent named beside it is the only one that is asked. Else those that are
 * likely come first, one after the other: the caller's own, those of which this router heard the run,
 * those that the id itself names. What is left is asked in the order of the configuration, some at a
 * time, and no more than `OTHER_STORES_MAX` of them. A client may have used one id with two agents: it
 * means the run that comes first and that the caller may see.
 */
import { GetRunRequest } from '@sessions/contracts';
import type { RunState } from '@sessions/contracts';
import type { CallContext } from '@sessions/bus';
import type { SeenAddress } from '../auth/sight';
import type { HandlerDeps } from '../deps';
import { isRunIdOf } from './minted-id';
import { agentsToRead } from './resolve-address';

/** Stores that are asked although nothing says that they know the run. */
export const OTHER_STORES_MAX = 32;
const STORES_AT_ONCE = 8;

export interface FoundRun {
  readonly agentId: string;
  readonly run: RunState;
}

export interface WantedRun {
  readonly runId: string;
  /** Absent: the run is looked for. */
  readonly agentId?: string | undefined;
  /** Agent of the session that asks, or that is named beside the run. */
  readonly nearAgentId?: string | undefined;
  /** Whether the caller may see a run's session; absent: it sees what it may read. */
  readonly sees?: (address: SeenAddress) => Promise<boolean> | boolean;
}

/** @returns undefined for a run that no store knows, that the caller may not see, or that ended more than a day ago */
export async function findRun(deps: HandlerDeps, wanted: WantedRun, context: CallContext): Promise<FoundRun | undefined> {
  const { runId, agentId, nearAgentId, sees = () => true } = wanted;
  const look = async (agent: string): Promise<FoundRun | undefined> => {
    const run = await readRun(deps, agent, runId, context);
    return run !== undefined && (await sees({ agentId: agent, key: run.sessionKey })) ? { agentId: agent, run } : undefined;
  };
  const known = (await agentsToRead(deps, { agentId, all: true, discover: true }, context)).map((agent) => agent.agentId);
  if (agentId !== undefined) return known[0] === undefined ? undefined : look(known[0]);
  const likely = [...new Set([...(nearAgentId === undefined ? [] : [nearAgentId]), ...deps.runPlaces.agentsOf(runId), ...known.filter((agent) => isRunIdOf(runId, agent))])];
  for (const agent of likely) {
    // One that the caller may not see has no store for it.
    const found = (await deps.agents.hasStore(agent, context)) ? await look(agent) : undefined;
    if (found !== undefined) return found;
  }
  return lookAmong(known.filter((agent) => !likely.includes(agent)).slice(0, OTHER_STORES_MAX), look);
}

/** @throws why a store could not be asked, when no other one knows the run */
async function lookAmong(agents: readonly string[], look: (agent: string) => Promise<FoundRun | undefined>): Promise<FoundRun | undefined> {
  let away: PromiseRejectedResult | undefined;
  for (let from = 0; from < agents.length; from += STORES_AT_ONCE) {
    const answers = await Promise.allSettled(agents.slice(from, from + STORES_AT_ONCE).map(look));
    for (const answer of answers) {
      if (answer.status === 'rejected') away ??= answer;
      else if (answer.value !== undefined) return answer.value;
    }
  }
  if (away !== undefined) throw away.reason;
  return undefined;
}

export async function readRun(deps: HandlerDeps, agentId: string, runId: string, context: CallContext): Promise<RunState | undefined> {
  return (await deps.stores.read('getRun', GetRunRequest.create({ agentId, runId }), context)).run;
}
