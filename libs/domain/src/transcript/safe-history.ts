/**
 * History as another session's agent may read it (tools §4): without what models leave behind in
 * their texts, without credentials, and within a size that does not fill the reader's context. Who
 * speaks is marked as in a request: a line that only passes for such a mark has a backslash before it.
 * The shape of messages stays; flags say what was done to them.
 */
import { isJsonObject, type JsonObject, type JsonValue } from '../json';
import { maskCredentials } from './credentials';
import { displayText } from './display';
import { withOrigin } from '../turns/message-origin';
import { cutText } from './preview';

/** UTF-16 units of one text block. */
export const HISTORY_TEXT_CHARS_MAX = 4_000;
/** Bytes of all messages of one answer, as JSON. */
export const HISTORY_BYTES_MAX = 80 * 1024;
/** Stands for a message that is too large by itself; clients know it. */
export const HISTORY_OMITTED = '[sessions_history omitted: message too large]';

export interface SafeHistory {
  /** Oldest first. */
  readonly messages: readonly JsonObject[];
  /** Messages are missing or replaced for the size of the answer. */
  readonly truncated: boolean;
  readonly droppedMessages: boolean;
  /** Texts were cut, or what is no text left out. */
  readonly contentTruncated: boolean;
  /** Something looked like a credential. */
  readonly contentRedacted: boolean;
  /** Of `messages`, as JSON. */
  readonly bytes: number;
}

export interface SafeHistoryOptions {
  /** `tools.sessions.rawHistory`: texts stay as they are, but for credentials, marks and the size of the answer. */
  readonly isRaw: boolean;
  /** False: tool results are left out. */
  readonly includeTools: boolean;
}

/** @param messages oldest first, in stored shape */
export function safeHistory(messages: readonly JsonObject[], { isRaw, includeTools }: SafeHistoryOptions): SafeHistory {
  const seen = { cut: false, masked: false };
  const shown = messages.filter(({ role }) => includeTools || role !== 'toolResult').map((message) => withOrigin(shownMessage(message, isRaw, seen)));
  const kept: JsonObject[] = [];
  let [bytes, isReplaced] = [2, false];
  let place = shown.length;
  for (; place > 0; place -= 1) {
    let message = shown[place - 1] ?? {};
    let size = sizeOf(message) + 1;
    if (size > HISTORY_BYTES_MAX - 2) {
      message = { role: message['role'], ...(message['timestamp'] !== undefined && { timestamp: message['timestamp'] }), content: [{ type: 'text', text: HISTORY_OMITTED }] };
      size = sizeOf(message) + 1;
      isReplaced = true;
    }
    if (bytes + size > HISTORY_BYTES_MAX) break;
    bytes += size;
    kept.unshift(message);
  }
  return { messages: kept, truncated: place > 0 || isReplaced || seen.cut, droppedMessages: place > 0, contentTruncated: seen.cut || isReplaced, contentRedacted: seen.masked, bytes };
}

interface Seen {
  cut: boolean;
  masked: boolean;
}

/** What a provider charged is nobody else's business. */
const LEFT_OUT = new Set(['usage', 'cost', 'details']);

function shownMessage(message: JsonObject, isRaw: boolean, seen: Seen): JsonObject {
  const role = typeof message['role'] === 'string' ? message['role'] : undefined;
  const rest = Object.fromEntries(Object.entries(message).filter(([name]) => !LEFT_OUT.has(name) && name !== 'content'));
  const { content } = message;
  if (typeof content === 'string') return { ...rest, content: shownText(content, role, isRaw, seen) };
  if (!Array.isArray(content)) return { ...rest, ...(content !== undefined && { content }) };
  return { ...rest, content: (content as readonly JsonValue[]).flatMap((block) => shownBlock(block, role, isRaw, seen)) };
}

function shownBlock(block: JsonValue, role: string | undefined, isRaw: boolean, seen: Seen): readonly JsonValue[] {
  if (!isJsonObject(block)) return [block];
  if (block['type'] === 'text' && typeof block['text'] === 'string') return [{ ...block, text: shownText(block['text'], role, isRaw, seen) }];
  if (isRaw) return [masked(block, seen)];
  // Thoughts are not said to anybody.
  if (block['type'] === 'thinking') return [];
  if (block['type'] === 'image') {
    seen.cut = true;
    return [{ type: 'image', ...(block['mimeType'] !== undefined && { mimeType: block['mimeType'] }), omitted: true }];
  }
  return [cutStrings(masked(block, seen), seen)];
}

function shownText(text: string, role: string | undefined, isRaw: boolean, seen: Seen): string {
  const safe = mask(isRaw ? text : strippedText(text, role), seen);
  return isRaw ? safe : cut(safe, seen);
}

/** Thoughts and remembered notes in tags, and the signs that stand for tools whose calls were lost. */
const SCAFFOLDING = /<(?<tag>thinking|think|thought|antthinking|relevant[-_]memories|memory[-_]context)(?:\s[^<>]{0,200})?>[^]*?(?:<\/\k<tag>\s{0,8}>|$)/gi;
const TOOL_MARKERS = /^\s{0,3}\[(?:Tool Call|Tool Result|Historical context)(?:[: ][^\]\n]{0,200})?\][^\n]{0,400}$/gim;

function strippedText(text: string, role: string | undefined): string {
  if (role !== 'assistant') return displayText(text, role);
  const shown = displayText(text, role).replace(SCAFFOLDING, '').replace(TOOL_MARKERS, '');
  return shown === text ? text : shown.trim();
}

function mask(text: string, seen: Seen): string {
  const shown = maskCredentials(text);
  seen.masked ||= shown !== text;
  return shown;
}

function cut(text: string, seen: Seen): string {
  const shown = cutText(text, HISTORY_TEXT_CHARS_MAX);
  seen.cut ||= shown !== text;
  return shown;
}

/** Arguments and results of tools hold credentials as well as texts do. */
function masked<T extends JsonValue>(value: T, seen: Seen): T {
  return mapStrings(value, (text) => mask(text, seen)) as T;
}

function cutStrings(value: JsonValue, seen: Seen): JsonValue {
  return mapStrings(value, (text) => cut(text, seen));
}

function mapStrings(value: JsonValue, of: (text: string) => string): JsonValue {
  if (typeof value === 'string') return of(value);
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map((item) => mapStrings(item, of));
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, member === undefined ? undefined : mapStrings(member, of)]));
}

const sizeOf = (value: JsonValue): number => new TextEncoder().encode(JSON.stringify(value)).length;
