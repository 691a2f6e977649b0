/**
 * How many tokens a line takes in a request. Every plan takes its counter as a parameter; the one here
 * estimates from characters, too much rather than too little, and needs no vocabulary.
 */
import { isJsonObject, type JsonObject, type JsonValue } from '../json';
import type { TranscriptLine } from '../transcript/parse-line';

/** Tokens of one line as the model sees it; 0 for lines it does not see. Never negative, never NaN. */
export type TokenCounter = (line: TranscriptLine) => number;

/** UTF-16 units of ordinary text that make one token. */
export const CHARS_PER_TOKEN = 4;
/** What an image costs, whatever its size: providers scale it down. */
export const IMAGE_TOKENS = 1_200;
/** Role, separators and the like, for each message. */
const MESSAGE_TOKENS = 4;

/** A quarter of the characters, rounded up; scripts that are not Latin count one token a character. */
export function estimateTextTokens(text: string): number {
  let wide = 0;
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) >= 0x2e80) wide += 1;
  return Math.ceil((text.length - wide) / CHARS_PER_TOKEN) + wide;
}

/** The estimating counter. */
export const estimateLineTokens: TokenCounter = (line) => {
  if (line.message !== undefined) return MESSAGE_TOKENS + contentTokens(line.message['content']);
  if (line.type === 'custom_message') return MESSAGE_TOKENS + contentTokens(line.value['content']);
  if (line.type === 'compaction' || line.type === 'branch_summary') return MESSAGE_TOKENS + contentTokens(line.value['summary']);
  return 0;
};

function contentTokens(content: JsonValue | undefined): number {
  if (typeof content === 'string') return estimateTextTokens(content);
  if (!Array.isArray(content)) return 0;
  return (content as readonly JsonValue[]).reduce<number>((sum, block) => sum + (isJsonObject(block) ? blockTokens(block) : 0), 0);
}

function blockTokens(block: JsonObject): number {
  switch (block['type']) {
    case 'image':
      return IMAGE_TOKENS;
    case 'text':
      return estimateTextTokens(textOf(block['text']));
    case 'thinking':
      return estimateTextTokens(textOf(block['thinking']));
    case 'toolCall':
      return estimateTextTokens(`${textOf(block['name'])}${JSON.stringify(block['arguments'] ?? {})}`);
    default:
      return estimateTextTokens(JSON.stringify(block));
  }
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

/**
 * Size of the context: what the newest assistant message reports, and the estimate of every line after
 * it. A report from before `lines` began, as after a compaction, is for another context: pass the lines
 * that the model sees now, and `since` the place from which reports are about them.
 */
export function contextTokens(lines: readonly TranscriptLine[], count: TokenCounter, since = 0): number {
  const at = lines.findLastIndex((line, index) => index >= since && reportedTokens(line) !== undefined);
  const reported = at === -1 ? undefined : reportedTokens(lines[at]);
  return (reported ?? 0) + lines.slice(at + 1).reduce((sum, line) => sum + count(line), 0);
}

/** The whole context that a provider reported with an assistant message. */
function reportedTokens(line: TranscriptLine | undefined): number | undefined {
  if (line?.role !== 'assistant') return undefined;
  const usage = line.message?.['usage'];
  if (!isJsonObject(usage)) return undefined;
  const sum = ['input', 'output', 'cacheRead', 'cacheWrite'].reduce((total, name) => total + amount(usage[name]), 0);
  const whole = Math.max(amount(usage['totalTokens']), sum);
  return whole > 0 ? whole : undefined;
}

function amount(value: JsonValue | undefined): number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0;
}
