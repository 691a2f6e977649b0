import { isJsonObject, type JsonObject } from '../json';

/** No answer of a model takes as many tokens. The sums of a ledger would leave what the wire carries, and it keeps them for good. */
const TOKENS_MAX = 1e12;

/** Tokens, of one answer of a model. */
export interface RecordedUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheReadTokens: number;
  readonly cacheWriteTokens: number;
  readonly totalTokens: number;
  readonly modelProvider: string | undefined;
  readonly model: string | undefined;
  /** It does not say both what went in and what came out. */
  readonly uncounted: boolean;
}

/** What a transcript's message says that it used; undefined: it is no answer, or says nothing. What is no count is 0. */
export function recordedUsage(message: JsonObject | undefined): RecordedUsage | undefined {
  if (message === undefined || message['role'] !== 'assistant' || !isJsonObject(message['usage'])) return undefined;
  const { usage, provider, model } = message;
  return {
    inputTokens: tokenCount(usage['input']),
    outputTokens: tokenCount(usage['output']),
    cacheReadTokens: tokenCount(usage['cacheRead']),
    cacheWriteTokens: tokenCount(usage['cacheWrite']),
    totalTokens: tokenCount(usage['totalTokens']),
    modelProvider: typeof provider === 'string' ? provider : undefined,
    model: typeof model === 'string' ? model : undefined,
    uncounted: !isTokenCount(usage['input']) || !isTokenCount(usage['output']),
  };
}

/** What is no count that an answer can have used is 0. */
export function tokenCount(value: unknown): number {
  return isTokenCount(value) ? value : 0;
}

/** Whether it is a count of tokens that an answer can have used. */
export function isTokenCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= TOKENS_MAX;
}
