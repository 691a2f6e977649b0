/** The working directory that an agent's configuration names. */
import * as path from 'node:path';
import { agentSettings } from '@sessions/domain';
import type { OwnedAgent } from '../owned-agent';

/** Absolute; undefined: it names none. */
export function configuredWorkspace({ agentId, deps: { config, homeDir } }: OwnedAgent): string | undefined {
  const configured = agentSettings(config(), agentId).workspace;
  return configured === undefined ? undefined : path.resolve(configured.replace(/^~(?=$|[\\/])/, () => homeDir));
}

/** Absolute; without one the home directory stands for it. */
export function workspaceOf(agent: OwnedAgent): string {
  return configuredWorkspace(agent) ?? path.resolve(agent.deps.homeDir);
}
