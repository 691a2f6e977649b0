/** What a transcript's message is made of, for the providers' own forms. */
import { blocksOf, isJsonObject, resultCallId, toolCallsOf, withBoundedDepth, type JsonObject, type JsonValue, type ToolCall } from '@sessions/domain';

export interface MessageParts {
  readonly role: 'user' | 'assistant' | 'tool';
  readonly text: string;
  readonly images: readonly { readonly data: string; readonly mimeType: string }[];
  readonly calls: readonly (ToolCall & { readonly arguments: JsonObject })[];
  /** Of a result. */
  readonly callId: string | undefined;
  readonly isError: boolean;
}

export function partsOf(message: JsonObject): MessageParts {
  const { role, content } = message;
  const blocks = Array.isArray(content) ? content.filter(isJsonObject) : [];
  const text = typeof content === 'string' ? content : blocks.flatMap((block) => (block['type'] === 'text' && typeof block['text'] === 'string' ? [block['text']] : [])).join('\n');
  const images = blocks.flatMap((block) => (block['type'] === 'image' && typeof block['data'] === 'string' ? [{ data: block['data'], mimeType: typeof block['mimeType'] === 'string' ? block['mimeType'] : 'image/png' }] : []));
  const calls = role === 'assistant' ? toolCallsOf(message).map((call) => ({ ...call, arguments: argumentsOf(message, call.id) })) : [];
  return { role: role === 'assistant' ? 'assistant' : role === 'toolResult' ? 'tool' : 'user', text, images, calls, callId: resultCallId(message), isError: message['isError'] === true };
}

/** Thoughts that a model takes back: its own, with the signature it gave them. Others' stay where they are. */
export function thoughtsOf(message: JsonObject, { provider, model }: { readonly provider: string; readonly model: string }): readonly { readonly thinking: string; readonly signature: string }[] {
  if (message['role'] !== 'assistant' || message['provider'] !== provider || message['model'] !== model) return [];
  return blocksOf(message).flatMap((block) => {
    if (!isJsonObject(block) || block['type'] !== 'thinking') return [];
    const { thinking, thinkingSignature: signature } = block;
    return typeof thinking === 'string' && typeof signature === 'string' && signature !== '' ? [{ thinking, signature }] : [];
  });
}

function argumentsOf(message: JsonObject, id: string): JsonObject {
  const block = blocksOf(message).find((each) => isJsonObject(each) && each['type'] === 'toolCall' && each['id'] === id);
  const given = isJsonObject(block) ? block['arguments'] : undefined;
  return isJsonObject(given) ? given : {};
}

/** The only member of arguments that a model wrote wrongly, or did not finish: how many characters they had. Nothing may be done on them. */
export const UNREADABLE_ARGUMENTS = 'unreadableArguments';

/** Arguments as a model wrote them, to JSON_DEPTH_MAX levels. None is none; of what is no JSON object only the length is kept: it may hold what is not for a transcript. */
export function parseArguments(text: string): JsonObject {
  if (text.trim() === '') return {};
  try {
    const value = withBoundedDepth(JSON.parse(text) as JsonValue);
    if (isJsonObject(value)) return value;
  } catch {
    // Said below.
  }
  return { [UNREADABLE_ARGUMENTS]: text.length };
}
