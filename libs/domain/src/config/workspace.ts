/**
 * Where an agent works: the directory that it names; else that of the defaults, which is the default
 * agent's own and holds one directory for each other agent; else one below the state directory.
 */
import type { AgentId } from '../ids';
import { configuredAgents, type Places } from './agents';
import { expandHome } from './home-path';
import type { SessionConfig } from './parse-config';

/** String work only: a relative path stays relative. */
export function workspaceFor(config: SessionConfig, agentId: AgentId, places: Places): string {
  const named = namedWorkspace(config, agentId);
  if (named !== undefined) return expandHome(named, places.homeDir);
  return `${places.stateDir}/workspace${agentId === configuredAgents(config).defaultAgentId ? '' : `-${agentId}`}`;
}

/** As the configuration spells it; undefined: it names none, neither for the agent nor for all. */
export function namedWorkspace(config: SessionConfig, agentId: AgentId): string | undefined {
  const known = config.agents.list.find((agent) => agent.id === agentId);
  const shared = config.agents.defaults.workspace;
  if (known?.workspace !== undefined && known.hasOwnWorkspace) return known.workspace;
  if (shared === undefined || known?.isDefault === true) return shared;
  return `${shared.replace(/[\\/]+$/, '')}/${agentId}`;
}
