/** Short texts that stand for a message or a session in lists. All take and give bounded text. */
import { isJsonObject, type JsonObject, type JsonValue } from '../json';
import { displayText, isSilentReply } from './display';
import type { ParsedLine } from './parse-line';

/** Longest derived title, in UTF-16 units, dots included. */
export const TITLE_CHARS_MAX = 80;
/** Longest preview of a session's last message, in UTF-16 units, dots included. */
export const LAST_MESSAGE_CHARS_MAX = 200;
/** Of a longer text only so much is looked at. */
const SOURCE_CHARS_MAX = 16 * 1024;
/** Marks that belong to the character before them are followed back so far at most. */
const MARKS_MAX = 32;

const ELLIPSIS = '...';
const JOINS_BEFORE = /^[\p{M}\u200D\uFE0E\uFE0F]|^\p{Emoji_Modifier}/u;
const JOINER = '\u200D';

/** The texts of a message's content, without tool calls, thoughts and images; empty for none. */
export function messageText(message: JsonObject): string {
  const { content } = message;
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  const texts: string[] = [];
  for (const block of content as readonly JsonValue[]) {
    if (isJsonObject(block) && block['type'] === 'text' && typeof block['text'] === 'string') texts.push(block['text']);
  }
  return texts.join('\n');
}

/**
 * The start of a message in one line, as people see it.
 * @param charsMax in UTF-16 units; a cut text ends in `...` and has at most so many with it.
 * @returns undefined for a message without visible text.
 */
export function previewOf(message: JsonObject, charsMax: number): string | undefined {
  if (isSilentReply(message)) return undefined;
  const role = typeof message['role'] === 'string' ? message['role'] : undefined;
  const shown = wellFormed(displayText(messageText(message).slice(0, SOURCE_CHARS_MAX), role));
  const line = shown.replace(/\s+/gu, ' ').trim();
  return line === '' ? undefined : cutText(line, charsMax);
}

/** Title of a session: its first message that a person wrote. @param lines oldest first. */
export function derivedTitle(lines: Iterable<ParsedLine>): string | undefined {
  for (const line of lines) {
    if (!line.ok || line.role !== 'user' || line.message === undefined || isFromSession(line.message)) continue;
    const title = previewOf(line.message, TITLE_CHARS_MAX);
    if (title !== undefined) return title;
  }
  return undefined;
}

/** The newest message of user or assistant that has text. @param lines newest first. */
export function lastMessagePreview(lines: Iterable<ParsedLine>): string | undefined {
  for (const line of lines) {
    if (!line.ok || line.message === undefined || (line.role !== 'user' && line.role !== 'assistant')) continue;
    const preview = previewOf(line.message, LAST_MESSAGE_CHARS_MAX);
    if (preview !== undefined) return preview;
  }
  return undefined;
}

/**
 * Cuts between characters: neither a surrogate pair nor a letter and its marks are taken apart.
 * @param charsMax in UTF-16 units, at least 3; a longer text ends in `...` within them.
 */
export function cutText(text: string, charsMax: number): string {
  if (text.length <= charsMax) return text;
  let end = Math.max(0, charsMax - ELLIPSIS.length);
  for (let step = 0; step < MARKS_MAX && end > 0 && joinsAt(text, end); step += 1) end -= 1;
  return `${wellFormed(text.slice(0, end).trimEnd())}${ELLIPSIS}`;
}

/** True where the text before `at` and the text from it are parts of one character. */
function joinsAt(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  const isLowHalf = code >= 0xdc00 && code <= 0xdfff;
  return isLowHalf || text[at - 1] === JOINER || JOINS_BEFORE.test(text.slice(at, at + 2));
}

/** Without halves of surrogate pairs, which cannot be sent as UTF-8. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\uFFFD');
}

/** A message that another session sent: provenance names what did not come from a person. */
function isFromSession(message: JsonObject): boolean {
  const { provenance } = message;
  return isJsonObject(provenance) && provenance['kind'] === 'inter_session';
}
