/** The agent that is meant where a request names none, and the session where it names none either. */
import { configuredAgents, isAgentId } from '@sessions/domain';
import type { AgentId, SessionConfig } from '@sessions/domain';
import { agentsNamed, seesAgent } from './scopes';

/**
 * The default agent; for a caller that is restricted to others the first configured one that it sees,
 * else the first that its restriction names. A caller that sees none is refused where the default is looked at.
 */
export function defaultAgentFor(config: SessionConfig, { scopes }: { readonly scopes: readonly string[] }): AgentId {
  const { ids, defaultAgentId } = configuredAgents(config);
  if (seesAgent(scopes, defaultAgentId)) return defaultAgentId;
  return ids.find((id) => seesAgent(scopes, id)) ?? agentsNamed(scopes).find(isAgentId) ?? defaultAgentId;
}
