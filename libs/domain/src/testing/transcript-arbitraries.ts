/** Generators of transcripts: whole ones as the gateway writes them, forked ones, damaged ones. */
import fc from 'fast-check';
import type { JsonObject } from '../json';

const texts = fc.oneof(fc.string({ maxLength: 30 }), fc.constantFrom('Plan the release', 'NO_REPLY', '[[reply_to_current]] yes', '[Wed 2026-03-11 23:51 PDT] hi', '😀 ok', ''));
const START_MS = Date.UTC(2026, 0, 1);

/** Chat messages of every role. */
export const chatMessages: fc.Arbitrary<JsonObject> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ role: fc.constantFrom('user', 'assistant'), content: texts.map((text) => [{ type: 'text', text }]) }) },
  { weight: 1, arbitrary: fc.record({ role: fc.constantFrom('user', 'assistant'), content: texts }) },
  { weight: 1, arbitrary: fc.record({ role: fc.constant('toolResult'), toolCallId: fc.uuid(), toolName: fc.constant('read'), isError: fc.boolean(), content: texts.map((text) => [{ type: 'text', text }]) }) },
);

const nativeId = (index: number): string => index.toString(16).padStart(8, '0');

interface Step {
  readonly message: JsonObject;
  /** How far back the parent is; 0 for the active leaf. */
  readonly back: number;
  readonly shape: 'message' | 'side' | 'leaf';
}

/** A transcript and, told while it was made, what its active branch is. */
export interface KnownTranscript {
  readonly lines: readonly string[];
  /** Ids from root to leaf. */
  readonly branch: readonly string[];
}

/** Native transcripts with forks, side lines and moved leaves. */
export const nativeTranscripts: fc.Arbitrary<KnownTranscript> = fc
  .array(
    fc.record({
      message: chatMessages,
      back: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(6) }),
      shape: fc.oneof({ weight: 8, arbitrary: fc.constant('message' as const) }, { weight: 1, arbitrary: fc.constantFrom('side' as const, 'leaf' as const) }),
    }),
    { maxLength: 25 },
  )
  .map(growTranscript);

function growTranscript(steps: readonly Step[]): KnownTranscript {
  const lines = [JSON.stringify({ type: 'session', version: 3, id: 'generated', timestamp: new Date(START_MS).toISOString(), cwd: '/' })];
  /** Of each message line: its ids from the root to itself. */
  const paths: string[][] = [];
  let branch: string[] = [];
  steps.forEach(({ message, back, shape }, index) => {
    const target = back === 0 ? branch : (paths[paths.length - back] ?? branch);
    const around = { id: nativeId(index + 1), parentId: target.at(-1) ?? null, timestamp: new Date(START_MS + index).toISOString() };
    if (shape === 'leaf') {
      lines.push(JSON.stringify({ type: 'leaf', ...around, targetId: target.at(-1) ?? null }));
      branch = target;
      return;
    }
    const path = [...target, around.id];
    lines.push(JSON.stringify({ type: 'message', ...around, ...(shape === 'side' ? { appendMode: 'side' } : {}), message }));
    paths.push(path);
    if (shape === 'message') branch = path;
  });
  return { lines, branch };
}

/** Transcripts of the simple format. */
export const simpleTranscripts: fc.Arbitrary<readonly string[]> = fc
  .array(fc.record({ role: fc.constantFrom('user', 'assistant'), content: texts }), { maxLength: 20 })
  .map((messages) => messages.map((message, index) => JSON.stringify({ ...message, timestamp: new Date(START_MS + index).toISOString() })));

/** Lines as no program should have written them. */
export const oddLines: fc.Arbitrary<string> = fc.oneof(
  fc.string(),
  fc.json(),
  fc.constantFrom('', ' ', '{', 'null', '[]', '{}', '\u0000', '{"type":"message","id":"x","parentId":"x"}', '{"type":"leaf","id":"y","targetId":"gone"}', '{"type":7}', '{"role":"user"}'),
  fc.record({ type: fc.constantFrom('message', 'leaf', 'compaction', 'session', 'custom'), id: fc.constantFrom('a', 'b', 'c'), parentId: fc.constantFrom('a', 'b', 'c', null), targetId: fc.constantFrom('a', 'b', null), message: fc.jsonValue() }).map((line) => JSON.stringify(line)),
);
