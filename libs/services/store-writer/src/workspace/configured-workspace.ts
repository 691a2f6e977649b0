/** The working directory that an agent's configuration names. */
import * as path from 'node:path';
import { agentSettings, type AgentId, type SessionConfig } from '@sessions/domain';
import type { OwnedAgent } from '../owned-agent';

/** Absolute; undefined: it names none. */
export function configuredWorkspace({ agentId, deps: { config, homeDir } }: OwnedAgent): string | undefined {
  return named(config(), agentId, homeDir);
}

/** Absolute; without one the home directory stands for it. */
export function workspaceOf(agent: OwnedAgent): string {
  return workspaceIn(agent.deps.config(), agent.agentId, agent.deps.homeDir);
}

/** The same where there is no call to an owner. */
export function workspaceIn(config: SessionConfig, agentId: AgentId, homeDir: string): string {
  return named(config, agentId, homeDir) ?? path.resolve(homeDir);
}

function named(config: SessionConfig, agentId: AgentId, homeDir: string): string | undefined {
  const configured = agentSettings(config, agentId).workspace;
  return configured === undefined ? undefined : path.resolve(configured.replace(/^~(?=$|[\\/])/, () => homeDir));
}
