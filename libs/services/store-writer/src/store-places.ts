/** Where the stores of agents stand: as configured, and as found on disk. */
import * as path from 'node:path';
import { configuredAgents, expandHome, storePathFor, type AgentId, type Places, type SessionConfig } from '@sessions/domain';
import { discoverStores } from '@sessions/store';

const PLACEHOLDER = '{agentId}';

/** A directory that is searched for stores: `<agentsDir>/<agentId>/<sessionsPath>`. */
export interface SearchedRoot {
  readonly agentsDir: string;
  readonly sessionsPath: string;
}

export interface KnownStore {
  readonly agentId: AgentId;
  /** Absolute path of the sessions file. */
  readonly sessionsFile: string;
}

/** Absolute path of an agent's sessions file. Two agents never share one. */
export function sessionsFileOf(config: SessionConfig, agentId: AgentId, places: Places): string {
  const template = config.session.store;
  const isShared = template !== undefined && !template.includes(PLACEHOLDER);
  // A path without the placeholder belongs to the one configured agent; others stand where they would by default.
  if (isShared && agentId !== configuredAgents(config).defaultAgentId) return defaultFile(agentId, places);
  return path.resolve(places.stateDir, storePathFor(config, agentId, places));
}

function defaultFile(agentId: AgentId, { stateDir }: Places): string {
  return path.join(stateDir, 'agents', agentId, 'sessions', 'sessions.json');
}

/** The root that the configured path implies, else the default one. Undefined: it implies none. */
export function searchedRoot(config: SessionConfig, places: Places): SearchedRoot | undefined {
  const template = config.session.store;
  if (template === undefined || !template.includes(PLACEHOLDER)) {
    return { agentsDir: path.join(places.stateDir, 'agents'), sessionsPath: path.join('sessions', 'sessions.json') };
  }
  const expanded = path.resolve(places.stateDir, expandHome(template, places.homeDir));
  const segments = expanded.split(path.sep);
  const at = segments.indexOf(PLACEHOLDER);
  // Only a directory of its own, named once, tells agents apart by its name.
  if (at === -1 || at === segments.length - 1 || segments.filter((segment) => segment.includes(PLACEHOLDER)).length > 1) return undefined;
  return { agentsDir: segments.slice(0, at).join(path.sep) || path.sep, sessionsPath: path.join(...segments.slice(at + 1)) };
}

/** Stores on disk below the searched root; what is reached by a link is skipped and named. */
export async function storesOnDisk(config: SessionConfig, places: Places): Promise<{ readonly stores: readonly KnownStore[]; readonly skipped: readonly { readonly path: string; readonly reason: string }[] }> {
  const root = searchedRoot(config, places);
  return root === undefined ? { stores: [], skipped: [] } : discoverStores(root.agentsDir, root.sessionsPath);
}
