import { agentSettings, asAgentId, configuredAgents } from '@sessions/domain';
import type { GatewayMethod } from '../method';

/** `agents.list`: the configured agents, then those found on disk. */
export const agentsList: GatewayMethod = async (deps, { context }) => {
  const config = deps.config();
  const { agents } = await deps.handlers.listAgents({}, context);
  return {
    payload: {
      defaultId: configuredAgents(config).defaultAgentId,
      mainKey: config.session.mainKey,
      scope: config.session.scope,
      agents: agents.map(({ agentId, name }) => {
        const { model, workspace } = agentSettings(config, asAgentId(agentId));
        return {
          id: agentId,
          ...(name !== undefined && { name }),
          ...(workspace !== undefined && { workspace }),
          ...(model.primary !== undefined && { model: { primary: model.primary, ...(model.fallbacks.length > 0 && { fallbacks: model.fallbacks }) } }),
        };
      }),
    },
  };
};
