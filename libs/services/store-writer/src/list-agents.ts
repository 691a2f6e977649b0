/** Answers `ListAgents` from the configuration and from what stands in this writer's state directory. */
import { AgentInfo } from '@sessions/contracts';
import { configuredAgents, type AgentId, type Places, type SessionConfig } from '@sessions/domain';
import { sessionsFileOf, storesOnDisk } from './store-places';

/** Configured agents in file order, then those found on disk only. */
export async function listAgents(config: SessionConfig, places: Places, hasStore: (agentId: AgentId) => Promise<boolean>): Promise<AgentInfo[]> {
  const { ids, defaultAgentId } = configuredAgents(config);
  const { stores } = await storesOnDisk(config, places);
  const found = new Map(stores.map((store) => [store.agentId, store.sessionsFile]));
  const others = [...found.keys()].filter((agentId) => !ids.includes(agentId));
  return Promise.all(
    [...ids, ...others].map(async (agentId) =>
      AgentInfo.create({
        agentId,
        configured: ids.includes(agentId),
        isDefault: agentId === defaultAgentId,
        storePath: found.get(agentId) ?? sessionsFileOf(config, agentId, places),
        hasStore: found.has(agentId) || (await hasStore(agentId)),
      }),
    ),
  );
}
