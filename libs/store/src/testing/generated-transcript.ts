/** Transcripts as the original writes them, each a pure function of seed and index. */
import { SeededRandom } from './seeded-random';

export interface TranscriptRecipe {
  readonly seed: number;
  readonly sessionId: string;
  readonly startedAtMs: number;
  /** Message records, tool results included. */
  readonly messages: number;
  /** Aimed-at length of a message's text. */
  readonly textLength: number;
}

const CWD = '~/projects/demo';

/**
 * Yields the lines, each with its newline: header, then a chain of messages of which every fourth
 * pair is a tool call and its result.
 */
export function* generateTranscriptLines(recipe: TranscriptRecipe, index: number): Generator<string, void, undefined> {
  const random = new SeededRandom(recipe.seed ^ 0x5bd1e995, index);
  let atMs = recipe.startedAtMs;
  yield lineOf({ type: 'session', version: 3, id: recipe.sessionId, timestamp: isoOf(atMs), cwd: CWD });
  let parentId: string | null = null;
  let openCall: string | undefined;
  for (let number = 0; number < recipe.messages; number += 1) {
    const id = (number + 1).toString(16).padStart(8, '0');
    atMs += 1 + random.below(60_000);
    const common = { type: 'message', id, parentId, timestamp: isoOf(atMs) };
    const text = random.prose(recipe.textLength);
    const last = number === recipe.messages - 1;
    if (openCall !== undefined) {
      yield lineOf({ ...common, message: { role: 'toolResult', toolCallId: openCall, toolName: 'exec', content: [{ type: 'text', text }], isError: false, timestamp: atMs } });
      openCall = undefined;
    } else if (number % 8 === 5 && !last) {
      openCall = `call_${id}`;
      const call = { type: 'toolCall', id: openCall, name: 'exec', arguments: { command: `ls ${random.hex(8)}` } };
      yield lineOf({ ...common, message: assistantOf([{ type: 'text', text }, call], 'toolUse', atMs, random) });
    } else if (number % 2 === 0) {
      yield lineOf({ ...common, message: { role: 'user', content: [{ type: 'text', text }], timestamp: atMs } });
    } else {
      yield lineOf({ ...common, message: assistantOf([{ type: 'text', text }], 'stop', atMs, random) });
    }
    parentId = id;
  }
}

function assistantOf(content: readonly object[], stopReason: string, timestamp: number, random: SeededRandom): object {
  const input = random.below(100_000);
  const output = random.below(4_000);
  return {
    role: 'assistant',
    content,
    api: 'anthropic-messages',
    provider: 'anthropic',
    model: 'claude-sonnet-4-5',
    usage: { input, output, cacheRead: 0, cacheWrite: 0, totalTokens: input + output },
    stopReason,
    timestamp,
  };
}

function lineOf(record: object): string {
  return `${JSON.stringify(record)}\n`;
}

function isoOf(atMs: number): string {
  return new Date(atMs).toISOString();
}
