/** ListAgents: the configured agents in file order, then those found on disk. */
import { ListAgentsResponse } from '@sessions/contracts';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';

export async function listAgents(deps: HandlerDeps, context: CallContext): Promise<ListAgentsResponse> {
  return ListAgentsResponse.create({ agents: [...(await deps.agents.list(context))] });
}
