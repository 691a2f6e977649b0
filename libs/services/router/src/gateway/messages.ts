/** Transcript records as the messages that clients show. */
import type { TranscriptRecord } from '@sessions/contracts';
import { isJsonObject, withBoundedDepth } from '@sessions/domain';
import type { JsonObject, JsonValue } from '@sessions/domain';

/** A message with its identity beside it; undefined for a line that is none. */
export function toClientMessage(record: Pick<TranscriptRecord, 'lineJson' | 'recordId' | 'messageSeq'>): JsonObject | undefined {
  let line: unknown;
  try {
    line = withBoundedDepth(JSON.parse(record.lineJson.toString('utf8')) as JsonValue);
  } catch {
    return undefined;
  }
  if (!isJsonObject(line)) return undefined;
  // The simpler transcript format has role and content on the line itself.
  const message = isJsonObject(line.message) ? line.message : typeof line.role === 'string' ? line : undefined;
  if (message === undefined) return undefined;
  const identity = { ...(record.recordId !== undefined && { id: record.recordId }), ...(record.messageSeq !== undefined && { seq: record.messageSeq }) };
  return { ...message, __openclaw: identity };
}

/** The same message with each of its texts cut to `maxChars` characters. */
export function withCutTexts(message: JsonObject, maxChars: number): JsonObject {
  const { content } = message;
  if (typeof content === 'string') return { ...message, content: cut(content, maxChars) };
  if (!Array.isArray(content)) return message;
  const blocks = (content as readonly JsonValue[]).map((block) =>
    isJsonObject(block) && typeof block.text === 'string' ? { ...block, text: cut(block.text, maxChars) } : block,
  );
  return { ...message, content: blocks };
}

const cut = (text: string, maxChars: number): string =>
  text.length <= maxChars ? text : `${text.slice(0, maxChars).replace(/[\uD800-\uDBFF]$/, '')}...`;
