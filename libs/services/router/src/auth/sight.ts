/**
 * What the agent of one session may see of the others (tools §1). Asked before an answer is made of
 * anything that a session holds, at every door; what it hides looks like what does not exist.
 */
import { EntryFilter, GetEntryRequest, ListEntriesRequest, SessionRow } from '@sessions/contracts';
import { SPAWN_CHAIN_MAX, SessionError, agentSettings, canSee, effectiveVisibility, isSandboxed, isSameKey, namedKey, parseSessionKey, slugAgentId, toRequestKey } from '@sessions/domain';
import type { AgentId, Visibility } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import { seesAgent } from './scopes';
import { agentOfKey } from './shown-links';

type SightDeps = Pick<HandlerDeps, 'config' | 'stores' | 'agents'>;

const AGENT_CALLER = 'agent:';
/** Sessions of one tree of sub-agents that are listed. */
const TREE_SESSIONS_MAX = 1_000;
/** Stores that are asked at a time. */
const STORES_AT_ONCE = 8;

/** The session whose agent calls; undefined for clients and services. */
export function agentCallerOf({ caller }: Pick<CallContext, 'caller'>): string | undefined {
  return caller.startsWith(AGENT_CALLER) && caller.length > AGENT_CALLER.length ? caller.slice(AGENT_CALLER.length) : undefined;
}

export interface SeenAddress {
  readonly agentId: string;
  /** Canonical. */
  readonly key: string;
}

/** For one call: what it has read of the tree of sub-agents stays as it was. */
export interface Sight {
  readonly caller: SeenAddress;
  /** What holds, a sandbox's clamp included. */
  readonly range: Visibility;
  readonly isSandboxed: boolean;
  /** @param row of the session where it has been read; its spawners are read. */
  sees(address: SeenAddress, row?: Pick<SessionRow, 'spawnedBy'>): Promise<boolean>;
  /** True: every session of this agent is seen; else only those of `tree()`. */
  seesAllOf(agentId: string): boolean;
  /** The caller and what it spawned, also under other agents, nearest first; at most `TREE_SESSIONS_MAX`. */
  tree(): Promise<readonly SessionRow[]>;
  /** Those of these keys of which it may not know. @param ownAgentId of whom the keys are that name no agent */
  hiddenOf(keys: readonly string[], ownAgentId: string): Promise<ReadonlySet<string>>;
}

export function createSight(deps: SightDeps, caller: SeenAddress, context: CallContext): Sight {
  const config = deps.config();
  const { agentToAgent, sessions } = config.tools;
  const isCallerSandboxed = isSandboxed(config, caller.agentId as AgentId, caller.key);
  const sandboxRange = agentSettings(config, caller.agentId as AgentId).sandbox.sessionToolsVisibility;
  const range = effectiveVisibility(sessions.visibility, { isSandboxed: isCallerSandboxed, sandboxRange });
  // A token that shows only some agents hides the others also from the session that its holder acts for.
  const judge = (address: SeenAddress, spawnedBy: readonly string[]): boolean => seesAgent(context.scopes, address.agentId) && canSee(range, agentToAgent, named(caller), { ...named(address), spawnedBy });
  let known: Promise<readonly SessionRow[]> | undefined;
  // One look for all that one call asks.
  const tree = (): Promise<readonly SessionRow[]> => (known ??= treeOf(deps, caller, context));
  return {
    caller,
    range,
    isSandboxed: isCallerSandboxed,
    async sees(address, row) {
      if (judge(address, [])) return true;
      if (range === 'self') return false;
      return judge(address, await spawnersOf(deps, address, row, context));
    },
    seesAllOf: (agentId) => (range === 'agent' || range === 'all') && judge({ agentId, key: '' }, []),
    tree,
    async hiddenOf(keys, ownAgentId) {
      const doubtful = [...new Set(keys)].filter((key) => !judge({ agentId: agentOfKey(key, ownAgentId), key }, []));
      const spawned = doubtful.length === 0 || range === 'self' ? [] : (await tree()).filter(({ agentId }) => seesAgent(context.scopes, agentId));
      return new Set(doubtful.filter((key) => !spawned.some((row) => row.agentId === agentOfKey(key, ownAgentId) && isSameKey(row.key, key))));
    },
  };
}

/** @throws NOT_VISIBLE for an agent's session that may not see the other; nothing is read for clients */
export async function assertSees(deps: SightDeps, address: SeenAddress, context: CallContext): Promise<void> {
  const callerKey = agentCallerOf(context);
  if (callerKey === undefined) return;
  if (!(await createSight(deps, ownAddress(deps, callerKey), context).sees(address))) throw notVisible();
}

/** The same sentence for what is hidden and for what does not exist. */
export const notVisible = (): SessionError => new SessionError('NOT_VISIBLE', 'forbidden');

/** Of a canonical key that names its agent: where its row is. */
export function ownAddress({ config }: Pick<SightDeps, 'config'>, key: string): SeenAddress {
  const { scope, mainKey } = config().session;
  const agentId = slugAgentId(parseSessionKey(key).agentId ?? '');
  return { agentId, key: scope === 'global' ? toRequestKey({ key, agentId, defaultAgentId: agentId, scope, mainKey }).key : key };
}

const named = ({ agentId, key }: SeenAddress): SeenAddress => ({ agentId, key: namedKey(agentId, key) });

/** Who spawned it, who spawned that one, and so on. */
async function spawnersOf(deps: SightDeps, address: SeenAddress, row: Pick<SessionRow, 'spawnedBy'> | undefined, context: CallContext): Promise<readonly string[]> {
  const chain: string[] = [];
  let { agentId } = address;
  let next = row === undefined ? (await readRow(deps, address, context))?.spawnedBy : row.spawnedBy;
  while (next !== undefined && next !== '' && chain.length < SPAWN_CHAIN_MAX) {
    const spawner = namedKey(agentId, next);
    if (chain.includes(spawner)) break;
    chain.push(spawner);
    const place = ownAddress(deps, spawner);
    agentId = place.agentId;
    next = (await readRow(deps, place, context))?.spawnedBy;
  }
  return chain;
}

/** The row under a key; undefined without one. */
export async function readRow(deps: Pick<HandlerDeps, 'stores' | 'agents'>, { agentId, key }: SeenAddress, context: CallContext): Promise<SessionRow | undefined> {
  if (!(await deps.agents.hasStore(agentId, context))) return undefined;
  const { found, encodedRow } = await deps.stores.read('getEntry', GetEntryRequest.create({ agentId, by: { $case: 'key', value: key }, withoutChildren: true }), context);
  return found && encodedRow !== undefined ? SessionRow.decode(encodedRow) : undefined;
}

/** How a sub-agent's row names who spawned it: another agent's store does not say whose `global` it is. */
export function spawnerName({ agentId, key }: SeenAddress, childAgentId: string): string {
  return childAgentId === agentId ? key : namedKey(agentId, key);
}

/** Rows that were spawned by one session, in the stores of these agents. */
export async function childrenOf(deps: Pick<HandlerDeps, 'stores'>, agentIds: readonly string[], spawner: SeenAddress, context: CallContext): Promise<readonly SessionRow[]> {
  const rows: SessionRow[] = [];
  for (let from = 0; from < agentIds.length; from += STORES_AT_ONCE) {
    const answers = await Promise.all(
      agentIds.slice(from, from + STORES_AT_ONCE).map((agentId) =>
        deps.stores.read('listEntries', ListEntriesRequest.create({ agentId, filter: EntryFilter.create({ spawnedBy: spawnerName(spawner, agentId), includeCronRuns: true }), limit: TREE_SESSIONS_MAX }), context),
      ),
    );
    // The filter of a list takes parents of another kind for spawners too.
    rows.push(...answers.flatMap(({ encodedRows }) => encodedRows.map((row) => SessionRow.decode(row)).filter(({ agentId, spawnedBy }) => spawnedBy !== undefined && isSameKey(spawnedBy, spawnerName(spawner, agentId)))));
  }
  return rows;
}

async function treeOf(deps: SightDeps, caller: SeenAddress, context: CallContext): Promise<readonly SessionRow[]> {
  const own = await readRow(deps, caller, context);
  const rows = own === undefined ? [] : [own];
  const agentIds = await agentsOfChildren(deps, caller.agentId as AgentId, context);
  const seen = new Set([caller.key]);
  const waiting = [caller];
  for (let spawner = waiting.shift(); spawner !== undefined && rows.length < TREE_SESSIONS_MAX; spawner = waiting.shift()) {
    for (const child of await childrenOf(deps, agentIds, spawner, context)) {
      if (seen.has(child.key)) continue;
      seen.add(child.key);
      rows.push(child);
      waiting.push(child);
    }
  }
  return rows.slice(0, TREE_SESSIONS_MAX);
}

/** Agents with a store in which a session of `agentId` may have spawned others. */
export async function agentsOfChildren(deps: Pick<HandlerDeps, 'config' | 'agents'>, agentId: AgentId, context: CallContext): Promise<readonly string[]> {
  const config = deps.config();
  const mayLeave = [config.agents.defaults, ...config.agents.list].some(({ subagents }) => (subagents.allowAgents?.length ?? 0) > 0);
  const known = (await deps.agents.list(context)).filter((agent) => agent.hasStore).map((agent) => agent.agentId);
  return mayLeave ? known : known.filter((id) => id === agentId);
}
