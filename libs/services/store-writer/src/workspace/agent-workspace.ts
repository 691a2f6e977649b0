/** The working directory of an agent: the one that its configuration names, else one below the state directory. */
import * as path from 'node:path';
import { workspaceFor, type AgentId, type Places, type SessionConfig } from '@sessions/domain';
import type { OwnedAgent } from '../owned-agent';

/** Absolute. */
export function workspaceOf({ agentId, deps: { config, places } }: OwnedAgent): string {
  return workspaceIn(config(), agentId, places);
}

/** The same where there is no call to an owner. */
export function workspaceIn(config: SessionConfig, agentId: AgentId, places: Places): string {
  return path.resolve(workspaceFor(config, agentId, places));
}
