/**
 * Which agents there are: those of the configuration, and those whose store a writer found on disk.
 *
 * The writers' answer is kept for a moment, so that a list does not scan a directory; an agent that
 * the kept answer does not show is asked for again before anybody is told that it has no store.
 */
import type { AgentInfo } from '@sessions/contracts';
import { configuredAgents } from '@sessions/domain';
import type { SessionConfig } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { Clock } from '@sessions/host';
import { isRestricted, seesAgent } from '../auth/scopes';
import type { StoreCalls } from './store-calls';

/** How long an answer of the writers is used. */
export const AGENTS_KEPT_MS = 1_000;

/** A caller that is restricted to some agents knows of no others. */
export interface KnownAgents {
  list(context: CallContext): Promise<readonly AgentInfo[]>;
  /** True when a read of this agent can find something; a read must not make a store. */
  hasStore(agentId: string, context: CallContext): Promise<boolean>;
  /** The agent as last known; undefined: neither configured nor found. */
  find(agentId: string, context: CallContext): Promise<AgentInfo | undefined>;
  /** A store may have come into being. */
  noteWritten(agentId: string): void;
}

export interface KnownAgentsDeps {
  readonly stores: StoreCalls;
  readonly clock: Clock;
  readonly config: () => SessionConfig;
}

export function createKnownAgents({ stores, clock, config }: KnownAgentsDeps): KnownAgents {
  let kept: { readonly agents: readonly AgentInfo[]; readonly atMs: number } | undefined;
  let asking: Promise<readonly AgentInfo[]> | undefined;

  const ask = (context: CallContext): Promise<readonly AgentInfo[]> =>
    (asking ??= stores
      .listAgents(context)
      .then(({ agents }) => {
        kept = { agents: judged(agents, config()), atMs: clock.monotonicMs() };
        return kept.agents;
      })
      .finally(() => (asking = undefined)));

  const visible = (agents: readonly AgentInfo[], { scopes }: CallContext): readonly AgentInfo[] => (isRestricted(scopes) ? agents.filter(({ agentId }) => seesAgent(scopes, agentId)) : agents);
  const list = async (context: CallContext): Promise<readonly AgentInfo[]> =>
    visible(kept !== undefined && clock.monotonicMs() - kept.atMs < AGENTS_KEPT_MS ? kept.agents : await ask(context), context);

  const find = async (agentId: string, context: CallContext): Promise<AgentInfo | undefined> =>
    (await list(context)).find((agent) => agent.agentId === agentId);

  return {
    list,
    find,
    async hasStore(agentId, context) {
      if ((await find(agentId, context))?.hasStore === true) return true;
      return visible(await ask(context), context).some((agent) => agent.agentId === agentId && agent.hasStore);
    },
    noteWritten(agentId) {
      if (kept?.agents.some((agent) => agent.agentId === agentId && agent.hasStore) !== true) kept = undefined;
    },
  };
}

/** Configured agents first, in file order; configuration is ours to judge, whoever answered. */
function judged(found: readonly AgentInfo[], config: SessionConfig): readonly AgentInfo[] {
  const { ids, defaultAgentId } = configuredAgents(config);
  const byId = new Map(found.map((agent) => [agent.agentId, agent]));
  const configured = ids.map((agentId): AgentInfo => ({
    ...(byId.get(agentId) ?? { agentId, name: undefined, storePath: undefined, hasStore: false }),
    configured: true,
    isDefault: agentId === defaultAgentId,
  }));
  const named = new Set<string>(ids);
  const others = found.filter((agent) => !named.has(agent.agentId)).map((agent) => ({ ...agent, configured: false, isDefault: false }));
  return [...configured, ...others];
}
