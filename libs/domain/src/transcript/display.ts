/**
 * What people see of a chat message. Models leave artefacts in their text, and the system puts the
 * time before what people wrote; both are hidden here. Stored text is never changed by it.
 *
 * Text inside code (fenced or between back-ticks) is shown as it is: there a tag is a quotation. What
 * a person wrote loses nothing but the injected time.
 */
import { isJsonObject, type JsonObject, type JsonValue } from '../json';

/** A message whose JSON is larger is replaced by a placeholder in views. */
export const DISPLAY_MESSAGE_BYTES_MAX = 128 * 1024;

/** Text that stands for a message too large to show; clients know it. */
export const OVERSIZED_PLACEHOLDER = '[chat.history omitted: message too large]';

/** Answer by which an agent says nothing. */
const SILENT_REPLY = 'NO_REPLY';

/** `[Wed 2026-03-11 23:51 PDT] ` at the start of a message. */
const TIME_PREFIX = /^\s{0,8}\[(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d{4}-\d{2}-\d{2} \d{2}:\d{2}(?::\d{2})?(?: [^\]\n]{1,40})?\]\s{0,8}/;

/**
 * Code (kept), delivery directives, tool calls written as text (to the end of the text where the
 * closing tag is missing), and control tokens. Every repetition is bounded or ends the text, so the
 * time is linear in its length.
 */
const ARTEFACTS = new RegExp(
  [
    '(?<code>```[^]*?(?:```|$)|`[^`\\n]*`)',
    '\\[\\[\\s{0,4}(?:reply_to_current|reply_to\\s{0,4}:[^\\]\\n]{1,200}|audio_as_voice)\\s{0,4}\\]\\][ \\t]*',
    '<(?<tag>(?:[a-z]{1,20}:)?(?:tool_call|function_call)s?)(?:\\s[^<>]{0,200})?>(?=\\s{0,64}[{[<])[^]*?(?:</\\k<tag>\\s{0,8}>|$)',
    '<(?:\\||\\uFF5C)[^|\\uFF5C<>\\s]{1,64}(?:\\||\\uFF5C)>',
  ].join('|'),
  'gi',
);

/** Cheap test for anything that `ARTEFACTS` could match. */
const MAY_HOLD_ARTEFACTS = /\[\[|<[|\uFF5Ca-z]/i;

/** Text of one block as people see it. */
export function displayText(text: string, role: string | undefined): string {
  const untimed = role === 'user' || role === 'assistant' ? text.replace(TIME_PREFIX, '') : text;
  if (role !== 'assistant' || !MAY_HOLD_ARTEFACTS.test(untimed)) return untimed;
  const shown = untimed.replace(ARTEFACTS, (match: string, code: string | undefined) => (code === undefined ? '' : match));
  return shown === untimed ? untimed : shown.trim();
}

/** True for an answer that says nothing: its only text is the silent word, in any case. */
export function isSilentReply(message: JsonObject): boolean {
  if (message['role'] !== 'assistant') return false;
  const { content } = message;
  if (typeof content === 'string') return isSilentText(content);
  if (!Array.isArray(content)) return false;
  const blocks = (content as readonly JsonValue[]).filter((block) => !isJsonObject(block) || block['type'] !== 'thinking');
  return blocks.length > 0 && blocks.every((block) => isJsonObject(block) && typeof block['text'] === 'string') && isSilentText(blocks.map((block) => (block as { text: string }).text).join(''));
}

/**
 * A message as views show it.
 * @param bytes of the message's JSON, where known; above DISPLAY_MESSAGE_BYTES_MAX only a placeholder is shown.
 * @returns undefined for a message that is not shown at all; the same object where nothing is hidden.
 */
export function displayMessage(message: JsonObject, bytes?: number): JsonObject | undefined {
  if (isSilentReply(message)) return undefined;
  if (bytes !== undefined && bytes > DISPLAY_MESSAGE_BYTES_MAX) return placeholderFor(message);
  const role = typeof message['role'] === 'string' ? message['role'] : undefined;
  const { content } = message;
  if (typeof content === 'string') {
    const shown = displayText(content, role);
    return shown === content ? message : { ...message, content: shown };
  }
  if (!Array.isArray(content)) return message;
  const blocks = content as readonly JsonValue[];
  const shown = shownBlocks(blocks, role);
  return shown.every((block, index) => block === blocks[index]) ? message : { ...message, content: shown };
}

/** Only the first text carries an injected time; those behind it may quote one. */
function shownBlocks(blocks: readonly JsonValue[], role: string | undefined): readonly JsonValue[] {
  const first = blocks.findIndex((block) => isTextBlock(block));
  return blocks.map((block, index) => {
    if (!isTextBlock(block)) return block;
    const text = index === first || role !== 'user' ? displayText(block.text, role) : block.text;
    return text === block.text ? block : { ...block, text };
  });
}

function isTextBlock(block: JsonValue): block is { readonly type: 'text'; readonly text: string } {
  return isJsonObject(block) && block['type'] === 'text' && typeof block['text'] === 'string';
}

function isSilentText(text: string): boolean {
  return text.length <= 4 * SILENT_REPLY.length && text.trim().toUpperCase() === SILENT_REPLY;
}

function placeholderFor(message: JsonObject): JsonObject {
  const known = isJsonObject(message['__openclaw']) ? message['__openclaw'] : {};
  return {
    ...pick(message, ['role', 'timestamp', 'toolCallId', 'toolName', 'isError']),
    content: [{ type: 'text', text: OVERSIZED_PLACEHOLDER }],
    __openclaw: { ...known, truncated: true, reason: 'oversized' },
  };
}

function pick(message: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(names.filter((name) => message[name] !== undefined).map((name) => [name, message[name]]));
}
