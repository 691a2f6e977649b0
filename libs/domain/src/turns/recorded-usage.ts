import { isJsonObject, type JsonObject, type JsonValue } from '../json';

/** Tokens, of one answer of a model. */
export interface RecordedUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheReadTokens: number;
  readonly cacheWriteTokens: number;
  readonly totalTokens: number;
  readonly modelProvider: string | undefined;
  readonly model: string | undefined;
}

/** What a transcript's message says that it used; undefined: it is no answer, or says nothing. What is no count is 0. */
export function recordedUsage(message: JsonObject | undefined): RecordedUsage | undefined {
  if (message === undefined || message['role'] !== 'assistant' || !isJsonObject(message['usage'])) return undefined;
  const { usage, provider, model } = message;
  return {
    inputTokens: tokens(usage['input']),
    outputTokens: tokens(usage['output']),
    cacheReadTokens: tokens(usage['cacheRead']),
    cacheWriteTokens: tokens(usage['cacheWrite']),
    totalTokens: tokens(usage['totalTokens']),
    modelProvider: typeof provider === 'string' ? provider : undefined,
    model: typeof model === 'string' ? model : undefined,
  };
}

function tokens(value: JsonValue | undefined): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : 0;
}
