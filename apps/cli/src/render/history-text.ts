/** Messages as lines of text: `[timestamp] role: text`. */
import type { HistoryMessage } from '../offline/read-history';
import { visibleText } from './visible-text';
import { isJsonObject } from '@sessions/domain';
import type { JsonObject, JsonValue } from '@sessions/domain';

const textOf = (value: JsonValue | undefined): string => (typeof value === 'string' ? value : '');

/** One block of a message: its text, or in brackets what it is. Thinking is not shown. */
function blockText(block: JsonObject): string[] {
  switch (block['type']) {
    case 'text':
      return [textOf(block['text'])];
    case 'thinking':
      return [];
    case 'toolCall':
      return [`[tool call ${textOf(block['name'])}]`];
    default:
      return [`[${textOf(block['type']) || 'block'}]`];
  }
}

/** The text of a message's content. */
export function contentText(message: JsonObject): string {
  const { content } = message;
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.flatMap((block: JsonValue) => (isJsonObject(block) ? blockText(block) : [])).join('\n');
}

export function renderMessage({ timestamp, role, message }: HistoryMessage): string {
  const tool = textOf(message['toolName']);
  const speaker = role === 'toolResult' && tool !== '' ? `${role} ${tool}` : role;
  return `[${timestamp ?? 'unknown'}] ${visibleText(speaker)}: ${visibleText(contentText(message))}\n`;
}
