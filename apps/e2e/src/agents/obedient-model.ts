/**
 * A model that does what the newest message tells it, one line a step:
 *
 *     do: <tool> <arguments as JSON>
 *     say: <text>
 *
 * Lines of `do:` are called one after the other; then it says what `say:` has, or what `otherwise`
 * answers. So a test writes what agents do into the messages that it sends.
 */
import type { AskedModel, ScriptedAnswer } from '@sessions/llm/testing';

interface ChatMessage {
  readonly role: string;
  readonly content: unknown;
}

export interface ObedientTurn {
  /** The newest message of a user, as the model reads it. */
  readonly message: string;
  /** Results of the tools that were called since, in order. */
  readonly results: readonly string[];
  /** Of the system's instructions: whose turn it is. */
  readonly sessionKey: string;
  readonly instructions: string;
}

export type Otherwise = (turn: ObedientTurn) => ScriptedAnswer;

export function obedientModel(otherwise: Otherwise = () => ({ chunks: ['NO_REPLY'] })): (asked: AskedModel) => ScriptedAnswer {
  return ({ body, number }) => {
    const turn = turnOf(body['messages'] as readonly ChatMessage[]);
    const lines = turn.message.split('\n');
    const calls = lines.flatMap((line) => {
      const [, name, given] = /^do: (\w+) (.*)$/u.exec(line) ?? [];
      return name === undefined || given === undefined ? [] : [{ name, arguments: JSON.parse(given) as unknown }];
    });
    const call = calls[turn.results.length];
    if (call !== undefined) return { toolCalls: [{ id: `call-${String(number)}`, ...call }] };
    const said = lines.find((line) => line.startsWith('say: '));
    return said === undefined ? otherwise(turn) : { chunks: [said.slice('say: '.length)], usage: { input: 10, output: 2 } };
  };
}

function turnOf(messages: readonly ChatMessage[]): ObedientTurn {
  const at = messages.findLastIndex(({ role }) => role === 'user');
  const instructions = messages.filter(({ role }) => role === 'system' || role === 'developer').map(({ content }) => textOf(content)).join('\n');
  return {
    message: textOf(messages[at]?.content),
    results: messages.slice(at + 1).filter(({ role }) => role === 'tool').map(({ content }) => textOf(content)),
    sessionKey: /This conversation is the session (\S+)\.\n/u.exec(`${instructions}\n`)?.[1] ?? '',
    instructions,
  };
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  return Array.isArray(content) ? (content as { text?: unknown }[]).map(({ text }) => (typeof text === 'string' ? text : '')).join('\n') : '';
}
