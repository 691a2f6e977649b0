/**
 * Who may spawn what (tools §6.1): allowlist, depth, number of children, sandbox. Decisions on facts
 * that the caller has read; the texts are for the model that asked.
 */
import { agentSettings, configuredAgents, modelFor, parseModelRef, type ModelRef } from '../config/agents';
import type { SessionConfig } from '../config/parse-config';
import type { AgentId } from '../ids';
import { matchesPattern } from '../routing/visibility';

/** A run without an end for so long does not count as active any more. */
export const STALE_RUN_MS = 2 * 60 * 60_000;

/** Ids that a requester may name, configured ones in file order. */
export function spawnableAgents(config: SessionConfig, requester: AgentId): readonly AgentId[] {
  const { ids } = configuredAgents(config);
  const known = ids.includes(requester) ? ids : [requester, ...ids];
  return known.filter((id) => maySpawnAs(config, requester, id));
}

/** Its own agent always; others as `subagents.allowAgents` says. */
export function maySpawnAs(config: SessionConfig, requester: AgentId, target: AgentId): boolean {
  return target === requester || agentSettings(config, requester).subagents.allowAgents?.some((pattern) => matchesPattern(pattern, target)) === true;
}

export interface SpawnFacts {
  readonly requester: AgentId;
  readonly target: AgentId;
  /** Of the requester; 0 for a session that nobody spawned. */
  readonly spawnDepth: number;
  readonly activeChildren: number;
  readonly isRequesterSandboxed: boolean;
  readonly isChildSandboxed: boolean;
  /** `sandbox: "require"`. */
  readonly requiresSandbox: boolean;
}

/** @param allowed agents that may be named, as far as whoever asked may know of them */
export function agentDenial(allowed: readonly string[]): string {
  return `agentId is not allowed for sessions_spawn (allowed: ${allowed.join(', ')})`;
}

/** Why a spawn is forbidden; undefined: it is not. */
export function spawnDenial(config: SessionConfig, facts: SpawnFacts): string | undefined {
  const { requester, target, spawnDepth, activeChildren } = facts;
  const { maxSpawnDepth, maxChildrenPerAgent } = agentSettings(config, requester).subagents;
  if (!maySpawnAs(config, requester, target)) return agentDenial(spawnableAgents(config, requester));
  if (spawnDepth >= maxSpawnDepth) return `sessions_spawn is not allowed at this depth (depth ${String(spawnDepth)}, maxSpawnDepth ${String(maxSpawnDepth)})`;
  if (activeChildren >= maxChildrenPerAgent) return childrenDenial(activeChildren, maxChildrenPerAgent);
  if (facts.isRequesterSandboxed && !facts.isChildSandboxed) return 'sessions_spawn from a sandboxed session needs a sandboxed sub-agent';
  if (facts.requiresSandbox && !facts.isChildSandboxed) return 'sandbox "require" needs a sub-agent that runs in a sandbox; the agent asked for does not';
  return undefined;
}

export function childrenDenial(activeChildren: number, childrenMax: number): string {
  return `sessions_spawn has reached the number of active children of this session (${String(activeChildren)} of ${String(childrenMax)})`;
}

/**
 * The model that a name means, if it is one of those that are configured: listed by a provider, or
 * chosen for some agent. A provider that lists no models has all.
 */
export function knownModel(config: SessionConfig, name: string): ModelRef | undefined {
  const { provider, model } = parseModelRef(name.trim());
  const providers = Object.entries(config.models.providers);
  const chosen = [config.agents.defaults, ...config.agents.list].flatMap((agent) => [agent.model.primary, ...agent.model.fallbacks, agent.subagents.model]).filter((text) => text !== undefined);
  if (provider === undefined) {
    const listing = providers.find(([, { models }]) => models.some(({ id }) => id === model));
    if (listing !== undefined) return { provider: listing[0], model };
    return chosen.map(parseModelRef).find((ref) => ref.model === model);
  }
  const own = config.models.providers[provider];
  if (own !== undefined && (own.models.length === 0 || own.models.some(({ id }) => id === model))) return { provider, model };
  return chosen.map(parseModelRef).find((ref) => ref.provider === provider && ref.model === model);
}

export interface InheritedModel {
  readonly requester: AgentId;
  readonly target: AgentId;
  /** Chosen for the requester's session; undefined: none. */
  readonly override: ModelRef | undefined;
}

/** Model of a sub-agent for which none was named; undefined: that of its agent. */
export function inheritedModel(config: SessionConfig, { requester, target, override }: InheritedModel): ModelRef | undefined {
  const configured = agentSettings(config, target).subagents.model;
  if (configured !== undefined) return parseModelRef(configured);
  return override ?? (requester === target ? undefined : modelFor(config, target));
}
