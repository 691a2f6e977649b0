/**
 * `demo/echo`: no model, but a stand-in that repeats what it was told, word by word. It works without
 * a network and without keys, so that a first message and a demonstration have an answer; whoever
 * configures it asks for exactly that.
 */
import { estimateTextTokens, type ModelRef } from '@sessions/domain';
import { ModelFailure, type ChatEvent, type ChatModel, type ChatOptions, type ChatRequest } from './chat-model';
import { partsOf } from './message-parts';

export const ECHO_REF = { provider: 'demo', model: 'echo' } as const satisfies ModelRef;

/** What it answers a message without words with. */
const NOTHING_SAID = 'There were no words to repeat.';
/** Between two words: enough to see that they come one after the other. Milliseconds. */
const WORD_MS = 5;
/** Characters that are repeated; the rest is left out. */
export const ECHO_CHARS_MAX = 4_000;

export function createEchoModel(wordMs: number = WORD_MS): ChatModel {
  return { ...ECHO_REF, api: 'demo-echo', stream: (request, options = {}) => stream(request, options, wordMs) };
}

async function* stream({ messages }: ChatRequest, { signal }: ChatOptions, wordMs: number): AsyncGenerator<ChatEvent> {
  const said = messages.findLast((message) => message['role'] === 'user');
  const text = said === undefined ? '' : partsOf(said).text.trim().slice(0, ECHO_CHARS_MAX);
  const answer = text === '' ? NOTHING_SAID : `Echo: ${text}`;
  for (const word of answer.match(/\s*\S+\s*/gu) ?? [answer]) {
    if (signal?.aborted === true) throw new ModelFailure('aborted', ECHO_REF);
    yield { type: 'text', text: word };
    if (wordMs > 0) await new Promise((resolve) => setTimeout(resolve, wordMs));
  }
  if (signal?.aborted === true) throw new ModelFailure('aborted', ECHO_REF);
  const inputTokens = messages.reduce((sum, message) => sum + estimateTextTokens(partsOf(message).text), 0);
  yield { type: 'end', stopReason: 'stop', usage: { inputTokens, outputTokens: estimateTextTokens(answer), cacheReadTokens: 0, cacheWriteTokens: 0 } };
}
