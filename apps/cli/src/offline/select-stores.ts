/** Which stores a command reads: the default agent's, one agent's, all configured ones, or one file. */
import type { CliContext } from '../cli-context';
import type { ScopeFlags } from '../flags/list-flags';
import { SessionError, configuredAgents, expandHome, storePathFor } from '@sessions/domain';
import type { AgentId } from '@sessions/domain';
import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

export interface StoreChoice {
  /** The agent of rows whose key names none. */
  readonly agentId: AgentId;
  /** Absolute path of its `sessions.json`. */
  readonly path: string;
}

export interface StoreSelection {
  readonly allAgents: boolean;
  readonly stores: readonly StoreChoice[];
}

const given = (text: string | undefined): string | undefined => (text === undefined || text === '' ? undefined : text);

const contradiction = (message: string): SessionError => new SessionError('VALIDATION', message, { facts: { options: 'store selection' } });

export interface SelectOptions {
  /** A store named by its path may lie in a directory that is not there yet. */
  readonly mayBeAbsent?: boolean;
}

/**
 * A slip in a path must not pass for an empty store. The file alone may be absent: its directory may hold an
 * index and transcripts that it is made from again.
 * @throws VALIDATION
 */
function assertStorePlace(store: string, path: string): void {
  const isDirectory = (file: string): boolean => statSync(file, { throwIfNoEntry: false })?.isDirectory() === true;
  const directory = dirname(path);
  const wrong = isDirectory(path) ? `${path} is a directory, and a store is the file in it` : isDirectory(directory) ? undefined : `there is no directory ${directory}`;
  if (wrong === undefined) return;
  throw new SessionError('VALIDATION', `--store ${JSON.stringify(store)} names no session store: ${wrong}.`, {
    facts: { option: '--store', store, path },
    hint: 'Give the path of a sessions.json, relative to this directory, with ~ or {agentId}. Nothing was changed.',
  });
}

/**
 * Only configured agents are known to the command line; what else is on disk is the gateway's to find.
 * @throws VALIDATION for contradictory flags, and for a store that cannot be where it is named; AGENT_UNKNOWN
 */
export function selectStores(flags: ScopeFlags, { config, places, cwd }: CliContext, { mayBeAbsent = false }: SelectOptions = {}): StoreSelection {
  const agent = given(flags.agent);
  const store = given(flags.store);
  const allAgents = flags.allAgents === true;
  if (agent !== undefined && allAgents) throw contradiction('--agent and --all-agents cannot be used together');
  if (store !== undefined && (agent !== undefined || allAgents)) throw contradiction('--store cannot be combined with --agent or --all-agents');
  const { ids, defaultAgentId } = configuredAgents(config);
  const choose = (agentId: AgentId): StoreChoice => ({ agentId, path: resolve(cwd, storePathFor(config, agentId, places)) });
  if (allAgents) return { allAgents, stores: ids.map(choose) };
  if (store !== undefined) {
    const expanded = store.replaceAll('{agentId}', () => defaultAgentId);
    const path = resolve(cwd, expandHome(expanded, places.homeDir));
    if (!mayBeAbsent) assertStorePlace(store, path);
    return { allAgents, stores: [{ agentId: defaultAgentId, path }] };
  }
  if (agent === undefined) return { allAgents, stores: [choose(defaultAgentId)] };
  const wanted = agent.trim().toLowerCase();
  const known = ids.find((id) => id === wanted);
  if (known !== undefined) return { allAgents, stores: [choose(known)] };
  throw new SessionError('AGENT_UNKNOWN', `Unknown agent id "${agent}". Configured agents: ${ids.join(', ')}.`, { facts: { agentId: wanted } });
}
