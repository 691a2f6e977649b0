/** From the branch of a transcript to what one request shows the model: what fits its window, with old results of tools shortened where nothing is lost by it. */
import { agentSettings, asAgentId, boundedContext, contextTokensFor, estimateLineTokens, pruneContext, reserveTokens, withOrigin, type JsonObject, type ModelRef, type SessionConfig, type TranscriptLine } from '@sessions/domain';

export interface RequestContext {
  readonly messages: readonly JsonObject[];
  /** Oldest lines that are left out because they do not fit. */
  readonly leftOutLines: number;
}

export interface ContextRequest {
  readonly config: SessionConfig;
  readonly agentId: string;
  readonly model: ModelRef;
  readonly path: readonly TranscriptLine[];
  readonly nowMs: number;
  /** When the model was last asked in this session, before this turn; undefined: never. */
  readonly lastCallAtMs: number | undefined;
  /** Holds the request down to this; undefined: as the model's window has it. Tokens. */
  readonly contextTokens: number | undefined;
}

export function requestContext({ config, agentId, model, path, nowMs, lastCallAtMs, contextTokens }: ContextRequest): RequestContext {
  const agent = asAgentId(agentId);
  const { compaction, contextPruning: settings } = agentSettings(config, agent);
  const windowTokens = contextTokensFor(config, agent, model);
  const budgetTokens = Math.min(windowTokens - reserveTokens(compaction, windowTokens), contextTokens ?? Infinity);
  const bounded = boundedContext(path, budgetTokens, estimateLineTokens);
  const { messages } = pruneContext({ messages: bounded.messages.map(({ message }) => withOrigin(message)), settings, windowTokens, nowMs, lastCallAtMs });
  return { messages, leftOutLines: bounded.leftOutLines };
}

/** When a model last answered on this branch. */
export function lastCallAtMs(path: readonly TranscriptLine[]): number | undefined {
  return path.findLast((line) => line.role === 'assistant' && line.message?.['usage'] !== undefined)?.atMs;
}
