/**
 * Context pruning (compaction §8): old tool results are shortened or replaced in a request that does
 * not go to a warm cache any more. In memory only; the transcript keeps every byte.
 */
import type { SessionConfig } from '../config/parse-config';
import { isJsonObject, type JsonObject, type JsonValue } from '../json';
import { matchesPattern } from '../routing/visibility';
import { blocksOf } from '../transcript/structure';
import { CHARS_PER_TOKEN, IMAGE_TOKENS } from './count-tokens';

export type PruningSettings = SessionConfig['agents']['defaults']['contextPruning'];

export interface PruneRequest {
  readonly messages: readonly JsonObject[];
  readonly settings: PruningSettings;
  readonly windowTokens: number;
  readonly nowMs: number;
  /** When the model was last called for this session; undefined: never, there is no cache to lose. */
  readonly lastCallAtMs: number | undefined;
}

export interface PrunedContext {
  readonly messages: readonly JsonObject[];
  readonly shortenedCount: number;
  readonly clearedCount: number;
}

/** Shortens, then clears oldest first, as far as the fill of the window asks for it. */
export function pruneContext(request: PruneRequest): PrunedContext {
  const { messages, settings, windowTokens, nowMs, lastCallAtMs } = request;
  const untouched: PrunedContext = { messages, shortenedCount: 0, clearedCount: 0 };
  const isDue = lastCallAtMs !== undefined && nowMs - lastCallAtMs > settings.ttlMs;
  if (settings.mode === 'off' || !isDue || windowTokens <= 0) return untouched;
  const eligible = prunable(messages, settings);
  const windowChars = windowTokens * CHARS_PER_TOKEN;
  let chars = messages.reduce((sum, message) => sum + contentChars(message), 0);
  if (chars / windowChars <= settings.softTrimRatio) return untouched;
  const result = [...messages];
  const replace = (at: number, text: string): void => {
    const before = result[at] as JsonObject;
    const after = { ...before, content: [{ type: 'text', text }] };
    chars += contentChars(after) - contentChars(before);
    result[at] = after;
  };
  let shortenedCount = 0;
  for (const at of eligible) {
    const text = resultText(result[at] as JsonObject);
    const shorter = shorten(text, settings.softTrim);
    if (shorter.length >= text.length) continue;
    replace(at, shorter);
    shortenedCount += 1;
  }
  const clearable = eligible.reduce((sum, at) => sum + contentChars(result[at] as JsonObject), 0);
  let clearedCount = 0;
  if (settings.hardClear.enabled && clearable >= settings.minPrunableToolChars) {
    for (const at of eligible) {
      if (chars / windowChars <= settings.hardClearRatio) break;
      if (resultText(result[at] as JsonObject).length <= settings.hardClear.placeholder.length) continue;
      replace(at, settings.hardClear.placeholder);
      clearedCount += 1;
    }
  }
  return { messages: result, shortenedCount, clearedCount };
}

/** Places of results before the newest assistant messages, oldest first; those with images are left. */
function prunable(messages: readonly JsonObject[], settings: PruningSettings): readonly number[] {
  const assistants = messages.flatMap((message, at) => (message['role'] === 'assistant' ? [at] : []));
  if (assistants.length < settings.keepLastAssistants) return [];
  const end = settings.keepLastAssistants === 0 ? messages.length : (assistants.at(-settings.keepLastAssistants) ?? 0);
  return messages.flatMap((message, at) => (at < end && message['role'] === 'toolResult' && !hasImage(message) && isPruned(message['toolName'], settings.tools) ? [at] : []));
}

function isPruned(toolName: JsonValue | undefined, { allow, deny }: PruningSettings['tools']): boolean {
  const name = typeof toolName === 'string' ? toolName : '';
  if (deny.some((pattern) => matchesPattern(pattern, name))) return false;
  return allow === undefined || allow.some((pattern) => matchesPattern(pattern, name));
}

/** Head and tail with a note of the size, where the text is longer than allowed. Never half a character. */
function shorten(text: string, { maxChars, headChars, tailChars }: PruningSettings['softTrim']): string {
  if (text.length <= maxChars || text.length <= headChars + tailChars) return text;
  const head = wholeStart(text.slice(0, headChars));
  const tail = tailChars === 0 ? '' : wholeEnd(text.slice(-tailChars));
  return `${head}\n...\n${tail}\n[tool result shortened: ${String(text.length)} characters before]`;
}

const wholeStart = (text: string): string => (/[\ud800-\udbff]$/.test(text) ? text.slice(0, -1) : text);
const wholeEnd = (text: string): string => (/^[\udc00-\udfff]/.test(text) ? text.slice(1) : text);

function hasImage(message: JsonObject): boolean {
  return blocksOf(message).some((block) => isJsonObject(block) && block['type'] === 'image');
}

function resultText(message: JsonObject): string {
  return blocksOf(message).map((block) => (isJsonObject(block) && typeof block['text'] === 'string' ? block['text'] : '')).join('\n');
}

function contentChars(message: JsonObject): number {
  return blocksOf(message).reduce<number>((sum, block) => sum + blockChars(block), 0);
}

function blockChars(block: JsonValue): number {
  if (!isJsonObject(block)) return 0;
  if (block['type'] === 'image') return IMAGE_TOKENS * CHARS_PER_TOKEN;
  const text = block['text'] ?? block['thinking'];
  return typeof text === 'string' ? text.length : JSON.stringify(block).length;
}
