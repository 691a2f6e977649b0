import { agentRuntimeOf, agentSettings, asAgentId, modelFor, workspaceFor } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import { defaultAgentFor } from '../../auth/default-agent';
import { shownPath } from '../../auth/shown-path';
import type { GatewayDeps, GatewayMethod } from '../method';

/** `agents.list`: the configured agents, then those found on disk. */
export const agentsList: GatewayMethod = async (deps, { context }) => ({ payload: await agentsPayload(deps, context) });

export async function agentsPayload(deps: GatewayDeps, context: CallContext): Promise<Record<string, unknown>> {
  const config = deps.config();
  const { agents } = await deps.handlers.listAgents({}, context);
  const { thinkingLevels, thinkingOptions, thinkingDefault } = deps.rows.defaults();
  return {
    defaultId: defaultAgentFor(config, context),
    mainKey: config.session.mainKey,
    scope: config.session.scope,
    agents: agents.map(({ agentId, name }) => {
      const { model } = agentSettings(config, asAgentId(agentId));
      const workspace = shownPath(workspaceFor(config, asAgentId(agentId), deps), context.scopes, deps.stateDir);
      return {
        id: agentId,
        ...(name !== undefined && { name }),
        workspace,
        agentRuntime: agentRuntimeOf(modelFor(config, asAgentId(agentId))?.provider),
        ...{ thinkingLevels, thinkingOptions, thinkingDefault },
        ...(model.primary !== undefined && { model: { primary: model.primary, ...(model.fallbacks.length > 0 && { fallbacks: model.fallbacks }) } }),
      };
    }),
  };
}
