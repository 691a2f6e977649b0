/** `agents_list`: the agents that the caller may name for a spawn. */
import { configuredAgents, modelFor, parseAgentsListArguments, spawnableAgents } from '@sessions/domain';
import { seesAgent } from '../auth/scopes';
import { argumentsOf } from './tool-call';
import type { ToolAnswer, ToolCall } from './tool-call';

export async function agentsList({ deps, caller, context }: ToolCall, raw: unknown): Promise<ToolAnswer> {
  argumentsOf(parseAgentsListArguments(raw));
  const config = deps.config();
  const { ids } = configuredAgents(config);
  const names = new Map((await deps.agents.list(context)).map(({ agentId, name }) => [agentId, name]));
  const agents = spawnableAgents(config, caller.agentId).filter((id) => seesAgent(context.scopes, id)).map((id) => {
    const model = modelFor(config, id);
    return { id, name: names.get(id), configured: ids.includes(id), model: model === undefined ? undefined : [model.provider, model.model].filter((part) => part !== undefined).join('/') };
  });
  return { details: { requester: caller.agentId, agents } };
}
