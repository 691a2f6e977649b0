/**
 * What must stay together when lines of a transcript are summarised, cut or forked: a tool call with
 * its results. Calls of one assistant message are one block.
 */
import { isJsonObject, type JsonObject, type JsonValue } from '../json';
import type { TranscriptLine } from './parse-line';

/** A call that a model could be shown: named, with an id and arguments. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
}

/** The whole calls of a chat message, in order; half written ones are none. */
export function toolCallsOf(message: JsonObject | undefined): readonly ToolCall[] {
  if (message === undefined || message['role'] !== 'assistant') return [];
  return blocksOf(message).flatMap((block) => {
    const call = wholeCall(block);
    return call === undefined ? [] : [call];
  });
}

/** The call that a block of content is, when it is a whole one. */
export function wholeCall(block: JsonValue | undefined): ToolCall | undefined {
  if (!isJsonObject(block) || block['type'] !== 'toolCall') return undefined;
  const { id, name } = block;
  const isWhole = typeof id === 'string' && id !== '' && typeof name === 'string' && name !== '' && isJsonObject(block['arguments']);
  return isWhole ? { id, name } : undefined;
}

/** Content as blocks; text alone is one block. */
export function blocksOf(message: JsonObject): readonly JsonValue[] {
  const content = message['content'];
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  return Array.isArray(content) ? (content as readonly JsonValue[]) : [];
}

/** Id of the call that a `toolResult` message answers; undefined for other messages. */
export function resultCallId(message: JsonObject | undefined): string | undefined {
  if (message === undefined || message['role'] !== 'toolResult') return undefined;
  const id = message['toolCallId'];
  return typeof id === 'string' ? id : '';
}

/** True when the run that wrote an assistant message was broken off: nobody will answer its calls. */
export function isBrokenOff(message: JsonObject | undefined): boolean {
  const reason = message?.['stopReason'];
  return reason === 'aborted' || reason === 'error';
}

export interface ToolPairs {
  /** By place of a result: the place of the assistant message with its call; results without one are absent. */
  readonly callOf: ReadonlyMap<number, number>;
  /** By place of an assistant message: the places of the results that count, one for each answered call. */
  readonly resultsOf: ReadonlyMap<number, readonly number[]>;
  /** Places of assistant messages with calls that nobody answered. */
  readonly unanswered: ReadonlySet<number>;
}

/**
 * Pairs calls and results of a branch. A result belongs to the nearest call of its id before it; of
 * several results of one call the first counts, and of calls that share an id each has its own.
 * @param messages in order; lines without a message are undefined.
 */
export function pairTools(messages: readonly (JsonObject | undefined)[]): ToolPairs {
  const callOf = new Map<number, number>();
  const resultsOf = new Map<number, number[]>();
  const open = new Map<string, number>();
  const answered = new Map<number, Set<string>>();
  const calls = new Map<number, readonly ToolCall[]>();
  messages.forEach((message, at) => {
    const own = toolCallsOf(message);
    if (own.length > 0) {
      calls.set(at, own);
      resultsOf.set(at, []);
      answered.set(at, new Set());
      for (const call of own) open.set(call.id, at);
    }
    const id = resultCallId(message);
    const place = id === undefined ? undefined : open.get(id);
    if (id === undefined || place === undefined) return;
    callOf.set(at, place);
    if (answered.get(place)?.has(id) === true) return;
    answered.get(place)?.add(id);
    resultsOf.get(place)?.push(at);
  });
  const unanswered = new Set([...calls].filter(([at, own]) => own.some((call) => answered.get(at)?.has(call.id) !== true)).map(([at]) => at));
  return { callOf, resultsOf, unanswered };
}

/**
 * For every place of a path, its end included, whether lines before it may go while those from it on
 * stay: no call is split from a result. Calls of a message that was broken off hold nothing together.
 */
export function safePlaces(path: readonly TranscriptLine[]): readonly boolean[] {
  const messages = path.map((line) => line.message);
  /** By place: how many pairs begin to span here, less those that end. */
  const spans = new Array<number>(path.length + 2).fill(0);
  for (const [result, call] of pairTools(messages).callOf) {
    if (isBrokenOff(messages[call])) continue;
    spans[call + 1] = (spans[call + 1] ?? 0) + 1;
    spans[result + 1] = (spans[result + 1] ?? 0) - 1;
  }
  let open = 0;
  return Array.from({ length: path.length + 1 }, (_, place) => (open += spans[place] ?? 0) === 0);
}

/** The safe place nearest to `cut`, at or before it. @param places from `safePlaces`. */
export function safeBefore(places: readonly boolean[], cut: number): number {
  let place = Math.max(0, Math.min(cut, places.length - 1));
  while (place > 0 && places[place] === false) place -= 1;
  return place;
}

/** The safe place nearest to `cut`, at or after it. */
export function safeAfter(places: readonly boolean[], cut: number): number {
  let place = Math.max(0, Math.min(cut, places.length - 1));
  while (place < places.length - 1 && places[place] === false) place += 1;
  return place;
}

/** Where the unfinished tool block at the tip begins; the length of the path when there is none. */
export function pendingFrom(path: readonly TranscriptLine[]): number {
  const messages = path.map((line) => line.message);
  const { unanswered } = pairTools(messages);
  const last = messages.findLastIndex((message) => message?.['role'] === 'assistant' || message?.['role'] === 'user');
  return last !== -1 && unanswered.has(last) && !isBrokenOff(messages[last]) ? last : path.length;
}

/** The part of a branch that consists of complete turns: an unfinished tool call at the tip is cut. */
export function completeTurns(path: readonly TranscriptLine[]): readonly TranscriptLine[] {
  return path.slice(0, pendingFrom(path));
}
