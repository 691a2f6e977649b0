/** Which store knows a run: the agent named beside it, else all that have a store, one after the other. */
import { GetRunRequest } from '@sessions/contracts';
import type { RunState } from '@sessions/contracts';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import { agentsToRead } from './resolve-address';

export interface FoundRun {
  readonly agentId: string;
  readonly run: RunState;
}

/** @returns undefined for a run that no store knows, or that ended more than a day ago */
export async function findRun(deps: HandlerDeps, runId: string, agentId: string | undefined, context: CallContext): Promise<FoundRun | undefined> {
  for (const agent of await agentsToRead(deps, { agentId, all: true, discover: true }, context)) {
    const run = await readRun(deps, agent.agentId, runId, context);
    if (run !== undefined) return { agentId: agent.agentId, run };
  }
  return undefined;
}

export async function readRun(deps: HandlerDeps, agentId: string, runId: string, context: CallContext): Promise<RunState | undefined> {
  return (await deps.stores.read('getRun', GetRunRequest.create({ agentId, runId }), context)).run;
}
