/** What chat commands answer: plain sentences, no text of a conversation. Pure. */
import { isJsonObject, type JsonObject, type JsonValue, type ModelRef } from '@sessions/domain';

/** Answers that clients know word for word. */
export const RESET_REPLIES = { new: 'New session started.', reset: 'Session reset.', clear: 'History cleared.' } as const;

export interface ReplyFacts {
  /** Members with native names; undefined: the key has no session yet. */
  readonly native: JsonObject | undefined;
  readonly defaultModel: ModelRef | undefined;
  /** Token window of a model, of the default one where none is named. */
  readonly contextTokensOf: (model: ModelRef | undefined) => number;
}

/** The model that the session's next turn is for; undefined: none is configured. */
function sessionModel(native: JsonObject | undefined, defaultModel: ModelRef | undefined): ModelRef | undefined {
  const model = text(native?.['modelOverride']);
  return model === undefined ? defaultModel : { provider: text(native?.['providerOverride']), model };
}

export function modelReply({ native, defaultModel }: ReplyFacts): string {
  const chosen = text(native?.['modelOverride']);
  if (chosen !== undefined) return `Model: ${named(text(native?.['providerOverride']), chosen)} (chosen for this session)`;
  return defaultModel === undefined ? 'Model: none is configured' : `Model: ${named(defaultModel.provider, defaultModel.model)} (default)`;
}

const TOGGLES = ['thinkingLevel', 'verboseLevel', 'reasoningLevel', 'elevatedLevel', 'sendPolicy', 'groupActivation', 'queueMode'];

export function statusReply(facts: ReplyFacts): string {
  const { native, defaultModel, contextTokensOf } = facts;
  const contextTokens = contextTokensOf(sessionModel(native, defaultModel));
  const total = number(native?.['totalTokens']);
  const used = total === undefined || native?.['totalTokensFresh'] === false ? 'unknown' : `${String(total)} (${String(Math.round((total / contextTokens) * 100))}%)`;
  const toggles = TOGGLES.flatMap((name) => (text(native?.[name]) === undefined ? [] : [`${name} ${String(native?.[name])}`]));
  return [
    `Context: ${used} of ${String(contextTokens)} tokens`,
    modelReply(facts),
    ...(toggles.length === 0 ? [] : [`Settings: ${toggles.join(', ')}`]),
    `Compactions: ${String(number(native?.['compactionCount']) ?? 0)}`,
  ].join('\n');
}

/** Parts of the system prompt with their sizes, as the last turn reported them. */
export function contextReply({ native }: ReplyFacts, view: 'list' | 'detail' | 'json'): string {
  const report = native?.['systemPromptReport'];
  if (!isJsonObject(report)) return 'No system prompt is known yet: it is reported by the first turn of the session.';
  if (view === 'json') return JSON.stringify(report);
  return [...sizes(report, '', view === 'detail')].join('\n');
}

function* sizes(part: JsonObject, prefix: string, deep: boolean): Generator<string> {
  for (const [name, value] of Object.entries(part)) {
    if (name === 'generatedAt' && !deep) continue;
    if (typeof value === 'number') yield `${prefix}${name}: ${String(value)}`;
    else if (isJsonObject(value)) yield* sizes(value, `${prefix}${name}.`, deep);
    else if (deep && Array.isArray(value)) yield `${prefix}${name}: ${String(value.length)} entries`;
  }
}

function named(provider: string | undefined, model: string): string {
  return provider === undefined ? model : `${provider}/${model}`;
}

function text(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function number(value: JsonValue | undefined): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}
