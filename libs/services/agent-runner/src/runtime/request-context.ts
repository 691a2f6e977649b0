/** From the branch of a transcript to what one request shows the model: bounded, pruned, and every message said to be whose it is. */
import { agentSettings, asAgentId, boundedContext, contextTokensFor, estimateLineTokens, isJsonObject, pruneContext, reserveTokens, type JsonObject, type JsonValue, type ModelRef, type SessionConfig, type TranscriptLine } from '@sessions/domain';

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
  const { messages } = pruneContext({ messages: bounded.messages.map(({ message }) => message), settings, windowTokens, nowMs, lastCallAtMs });
  return { messages: messages.map(marked), leftOutLines: bounded.leftOutLines };
}

/** When a model last answered on this branch. */
export function lastCallAtMs(path: readonly TranscriptLine[]): number | undefined {
  return path.findLast((line) => line.role === 'assistant' && line.message?.['usage'] !== undefined)?.atMs;
}

/** Text of another session is never taken for a person's. */
function marked(message: JsonObject): JsonObject {
  const { provenance, content } = message;
  if (message['role'] !== 'user' || !isJsonObject(provenance) || provenance['kind'] !== 'inter_session') return message;
  const of = (name: string): string => (typeof provenance[name] === 'string' ? ` ${name}=${provenance[name]}` : '');
  const mark: JsonValue = { type: 'text', text: `[Inter-session message${of('sourceSessionKey')}${of('sourceTool')} isUser=false]` };
  const blocks: readonly JsonValue[] = typeof content === 'string' ? [{ type: 'text', text: content }] : Array.isArray(content) ? (content as readonly JsonValue[]) : [];
  return { ...message, content: [mark, ...blocks] };
}
