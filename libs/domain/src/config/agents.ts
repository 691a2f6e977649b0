/** What the configuration says about one agent: its store, its model, its window. */
import { SessionError } from '../errors';
import type { AgentId } from '../ids';
import { expandHome } from './home-path';
import type { SessionConfig } from './parse-config';

/** Token window when neither model nor agent configures one. */
export const CONTEXT_TOKENS_DEFAULT = 200_000;

export interface ConfiguredAgents {
  /** In file order, slugged, without repetition; at least one. */
  readonly ids: readonly AgentId[];
  readonly defaultAgentId: AgentId;
}

export function configuredAgents(config: SessionConfig): ConfiguredAgents {
  const ids = config.agents.list.map((agent) => agent.id);
  const chosen = config.agents.list.find((agent) => agent.isDefault) ?? config.agents.list[0];
  if (chosen === undefined) throw new SessionError('INTERNAL', 'a configuration has at least one agent');
  return { ids, defaultAgentId: chosen.id };
}

/** The settings of an agent; agents that exist only on disk have the defaults. */
export function agentSettings(config: SessionConfig, agentId: AgentId): SessionConfig['agents']['defaults'] {
  return config.agents.list.find((agent) => agent.id === agentId) ?? config.agents.defaults;
}

export interface Places {
  /** Without a trailing slash. */
  readonly stateDir: string;
  readonly homeDir: string;
}

/** Path of an agent's `sessions.json`. String work only: a relative path stays relative. */
export function storePathFor(config: SessionConfig, agentId: AgentId, places: Places): string {
  const template = config.session.store ?? `${places.stateDir}/agents/{agentId}/sessions/sessions.json`;
  return expandHome(template, places.homeDir).replaceAll('{agentId}', () => agentId);
}

export interface ModelRef {
  /** `undefined` when the name carries no provider. */
  readonly provider: string | undefined;
  readonly model: string;
}

/** Splits `provider/model` at the first slash; model names may hold further ones. */
export function parseModelRef(text: string): ModelRef {
  const slash = text.indexOf('/');
  const named = slash > 0 && slash < text.length - 1;
  return named ? { provider: text.slice(0, slash), model: text.slice(slash + 1) } : { provider: undefined, model: text };
}

/** The agent's first model; `undefined` when none is configured. */
export function modelFor(config: SessionConfig, agentId: AgentId): ModelRef | undefined {
  const { primary } = agentSettings(config, agentId).model;
  return primary === undefined ? undefined : parseModelRef(primary);
}

/**
 * Context window in tokens: the model's as its provider lists it, else the agent's, else
 * `CONTEXT_TOKENS_DEFAULT`.
 * @param model the session's model; the agent's own by default.
 */
export function contextTokensFor(config: SessionConfig, agentId: AgentId, model: ModelRef | undefined = modelFor(config, agentId)): number {
  const provider = model?.provider === undefined ? undefined : config.models.providers[model.provider];
  const listed = provider?.models.find((candidate) => candidate.id === model?.model)?.contextWindow;
  return listed ?? agentSettings(config, agentId).contextTokens;
}
