/**
 * From the active branch of a transcript to the messages that a model is shown, valid after any
 * interruption: no result without its call, no half call, no call without a result. The transcript is
 * not touched; repair is computed here, or appended by whoever goes on with the turn.
 */
import type { JsonObject, JsonValue } from '../json';
import { contextLines } from '../transcript/active-branch';
import type { TranscriptLine } from '../transcript/parse-line';
import { blocksOf, isBrokenOff, pairTools, resultCallId, toolCallsOf, wholeCall } from '../transcript/structure';

export interface ContextMessage {
  /** `user`, `assistant` or `toolResult`, with content as stored. */
  readonly message: JsonObject;
  /** Line it stands for; undefined for a synthetic result. */
  readonly lineId: string | undefined;
}

/** What a model reads where a call was cut off. */
export const INTERRUPTED_RESULT_TEXT = 'The tool call was interrupted and has no result.';

/**
 * @param path active branch, root first.
 * @returns the summary of the newest compaction, if any, then what is kept behind it.
 */
export function assembleContext(path: readonly TranscriptLine[]): readonly ContextMessage[] {
  const { compaction, lines } = contextLines(path);
  const seen = [...(compaction === undefined ? [] : [compaction]), ...lines].flatMap(toMessage);
  return repairTools(seen);
}

/** The message that a line is to a model; none for lines that it does not see. */
function toMessage(line: TranscriptLine): ContextMessage[] {
  const from = (message: JsonObject): ContextMessage[] => [{ message, lineId: line.id }];
  if (line.type === 'compaction' || line.type === 'branch_summary') {
    const summary = line.value['summary'];
    const what = line.type === 'compaction' ? 'the conversation so far' : 'a branch that was left';
    return typeof summary === 'string' && summary !== '' ? from(userMessage(`[Summary of ${what}]\n\n${summary}`, line)) : [];
  }
  if (line.type === 'custom_message') return from({ role: 'user', content: line.value['content'] ?? '', ...stamp(line) });
  const { message } = line;
  if (message === undefined) return [];
  if (message['role'] === 'user' || message['role'] === 'assistant' || message['role'] === 'toolResult') return from(message);
  return message['role'] === 'custom' ? from({ ...message, role: 'user' }) : [];
}

function userMessage(text: string, line: TranscriptLine): JsonObject {
  return { role: 'user', content: [{ type: 'text', text }], ...stamp(line) };
}

function stamp(line: TranscriptLine): JsonObject {
  return line.atMs === undefined ? {} : { timestamp: line.atMs };
}

/**
 * Every call is followed at once by its one result, in the order of the calls: results that stand
 * later move up, missing ones are made, results of nobody go. Of a message that was broken off, calls
 * that nobody answered are left out, and so are half written calls anywhere.
 */
function repairTools(messages: readonly ContextMessage[]): readonly ContextMessage[] {
  const { resultsOf } = pairTools(messages.map(({ message }) => message));
  return messages.flatMap((entry, at): readonly ContextMessage[] => {
    const { message } = entry;
    if (message['role'] === 'toolResult') return [];
    if (message['role'] !== 'assistant') return [entry];
    const results = new Map((resultsOf.get(at) ?? []).flatMap((place) => {
      const result = messages[place];
      return result === undefined ? [] : [[resultCallId(result.message) ?? '', result] as const];
    }));
    const kept = withWholeCalls(message, (id) => results.has(id) || !isBrokenOff(message));
    if (kept === undefined) return [];
    const answers = toolCallsOf(kept).map((call) => results.get(call.id) ?? interruptedResult(call, message));
    return [{ ...entry, message: kept }, ...answers];
  });
}

/** Undefined when nothing is left to show. A call whose id the message has already is left out. */
function withWholeCalls(message: JsonObject, keepsCall: (id: string) => boolean): JsonObject | undefined {
  const blocks = blocksOf(message);
  const seen = new Set<string>();
  const kept = blocks.filter((block) => {
    if (!isToolCall(block)) return true;
    const call = wholeCall(block);
    if (call === undefined || seen.has(call.id) || !keepsCall(call.id)) return false;
    seen.add(call.id);
    return true;
  });
  if (kept.length === blocks.length) return blocks.length === 0 ? undefined : message;
  return kept.length === 0 ? undefined : { ...message, content: kept };
}

function isToolCall(block: JsonValue): boolean {
  return typeof block === 'object' && block !== null && 'type' in block && block.type === 'toolCall';
}

function interruptedResult(call: { readonly id: string; readonly name: string }, message: JsonObject): ContextMessage {
  const at = message['timestamp'];
  return {
    message: { role: 'toolResult', toolCallId: call.id, toolName: call.name, isError: true, content: [{ type: 'text', text: INTERRUPTED_RESULT_TEXT }], ...(typeof at === 'number' ? { timestamp: at } : {}) },
    lineId: undefined,
  };
}

/**
 * The results to append before the next turn, so that a run which was cut off is closed in the
 * transcript too: the message of each call of the branch that has none, oldest first.
 */
export function missingResults(path: readonly TranscriptLine[]): readonly JsonObject[] {
  return assembleContext(path).filter(({ lineId }) => lineId === undefined).map(({ message }) => message);
}

/** What is wrong with messages that a model is to be shown; empty when they are valid. */
export function contextProblems(messages: readonly JsonObject[]): readonly string[] {
  const problems: string[] = [];
  let awaited: string[] = [];
  messages.forEach((message, at) => {
    const id = resultCallId(message);
    if (id !== undefined) {
      if (awaited[0] === id) awaited = awaited.slice(1);
      else problems.push(`message ${String(at)}: a result without its call before it`);
      return;
    }
    if (awaited.length > 0) problems.push(`message ${String(at)}: ${String(awaited.length)} calls before it have no result`);
    const calls = toolCallsOf(message);
    if (blocksOf(message).filter(isToolCall).length !== (message['role'] === 'assistant' ? calls.length : 0)) problems.push(`message ${String(at)}: half a call`);
    if (new Set(calls.map((call) => call.id)).size !== calls.length) problems.push(`message ${String(at)}: two calls of one id`);
    awaited = calls.map((call) => call.id);
  });
  if (awaited.length > 0) problems.push(`the end: ${String(awaited.length)} calls have no result`);
  return problems;
}
