/** Generators of conversations with tools, as an agent writes them: plain branches, cut off anywhere. */
import fc from 'fast-check';
import type { JsonObject, JsonValue } from '../json';
import { parseTranscriptLine, type ParsedLine, type TranscriptLine } from '../transcript/parse-line';

const START_MS = Date.UTC(2026, 0, 1);

/** Lines of a native transcript, header first, each the child of the one before. */
export function nativeLines(messages: readonly JsonObject[]): readonly string[] {
  const header = { type: 'session', version: 3, id: 'generated', timestamp: new Date(START_MS).toISOString(), cwd: '/' };
  const id = (index: number): string => index.toString(16).padStart(8, '0');
  return [header, ...messages.map((message, index) => ({ type: 'message', id: id(index + 1), parentId: index === 0 ? null : id(index), timestamp: new Date(START_MS + index).toISOString(), message }))].map((line) => JSON.stringify(line));
}

export function parseLines(lines: readonly string[]): readonly ParsedLine[] {
  return lines.map((line, index) => parseTranscriptLine(line, index + 1));
}

/** The records of lines that are one branch. */
export function branchOf(lines: readonly string[]): readonly TranscriptLine[] {
  return parseLines(lines).filter((line): line is TranscriptLine => line.ok && line.kind !== 'header');
}

export const userText = (text: string): JsonObject => ({ role: 'user', content: [{ type: 'text', text }] });
export const toolCall = (id: string): JsonObject => ({ type: 'toolCall', id, name: 'read', arguments: { path: `/${id}` } });
export const toolResult = (id: string, text = 'done'): JsonObject => ({ role: 'toolResult', toolCallId: id, toolName: 'read', isError: false, content: [{ type: 'text', text }] });
export const assistant = (text: string, calls: readonly JsonValue[] = [], stopReason?: string): JsonObject => ({ role: 'assistant', content: [...(text === '' ? [] : [{ type: 'text', text }]), ...calls], ...(stopReason === undefined ? {} : { stopReason }) });

const texts = fc.oneof(fc.string({ maxLength: 40 }), fc.integer({ min: 1, max: 4_000 }).map((length) => 'x'.repeat(length)));

/** Steps of one turn; calls are named by the turn's number and their own. */
interface Step {
  readonly text: string;
  readonly callsCount: number;
  readonly results: readonly string[];
  /** Results are written in this order. */
  readonly backwards: boolean;
  readonly stopReason: string | undefined;
}

const steps: fc.Arbitrary<Step> = fc.record({
  text: texts,
  callsCount: fc.nat(3),
  results: fc.array(texts, { minLength: 3, maxLength: 3 }),
  backwards: fc.boolean(),
  stopReason: fc.constantFrom(undefined, undefined, undefined, 'toolUse', 'aborted', 'error'),
});

/** Messages of whole turns: a user, then steps of an assistant with calls, each call answered once. */
export const toolConversations: fc.Arbitrary<readonly JsonObject[]> = fc
  .array(fc.record({ prompt: texts, steps: fc.array(steps, { maxLength: 3 }) }), { maxLength: 6 })
  .map((turns) =>
    turns.flatMap(({ prompt, steps: own }, turn) => [
      userText(prompt),
      ...own.flatMap(({ text, callsCount, results, backwards, stopReason }, step) => {
        const ids = Array.from({ length: callsCount }, (_, call) => `c${String(turn)}-${String(step)}-${String(call)}`);
        const answers = ids.map((id, call) => toolResult(id, results[call]));
        return [assistant(text, ids.map(toolCall), stopReason), ...(backwards ? answers.reverse() : answers)];
      }),
    ]),
  );

const HALF_CALLS: readonly JsonObject[] = [{ type: 'toolCall' }, { type: 'toolCall', id: 'h' }, { type: 'toolCall', id: 'h', name: 'read' }, { type: 'toolCall', id: 'h', name: 'read', arguments: '{"pa' }, { type: 'toolCall', id: '', name: 'read', arguments: {} }];

/** The same with what interruptions leave behind: lost lines, doubled ones, strangers, half written calls. */
export const brokenConversations: fc.Arbitrary<readonly JsonObject[]> = fc
  .record({ messages: toolConversations, hurts: fc.array(fc.record({ at: fc.nat(60), how: fc.constantFrom('lose', 'double', 'stranger', 'half', 'move', 'repeat-id') }), { maxLength: 8 }), half: fc.constantFrom(...HALF_CALLS) })
  .map(({ messages, hurts, half }) =>
    hurts.reduce<JsonObject[]>(
      (list, { at, how }) => {
        const place = list.length === 0 ? 0 : at % list.length;
        const [one] = list.slice(place, place + 1);
        if (one === undefined) return list;
        if (how === 'lose') return list.toSpliced(place, 1);
        if (how === 'double') return list.toSpliced(place, 0, one);
        if (how === 'stranger') return list.toSpliced(place, 0, toolResult('stranger'));
        if (how === 'half') return list.toSpliced(place, 0, assistant('', [half]));
        if (how === 'repeat-id') return list.toSpliced(place, 0, assistant('again', [toolCall('c0-0-0'), toolCall('c0-0-0')]));
        return [...list.toSpliced(place, 1), one];
      },
      [...messages],
    ),
  );
