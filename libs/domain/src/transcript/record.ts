/**
 * Lines of a transcript, built with ids and instants given from outside. One JSON value a line, no
 * newline at its end.
 *
 * Native lines form a tree: `id` is 8 hexadecimal digits, `parentId` names the line before.
 */
import type { JsonObject, JsonValue } from '../json';

/** Version of the native format that headers name. */
export const TRANSCRIPT_VERSION = 3;

/** Blocks of a message's content. */
export type ContentBlock =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image'; readonly data: string; readonly mimeType: string };

export type MessageContent = string | readonly ContentBlock[];

export interface HeaderFields {
  readonly sessionId: string;
  readonly nowMs: number;
  /** Working directory of the agent. */
  readonly cwd: string;
  /** Ours beyond the original's header: lets a store be rebuilt from transcripts alone. */
  readonly sessionKey: string;
  readonly parentSession?: string;
}

/** First line of a native transcript. */
export function sessionHeaderLine({ sessionId, nowMs, cwd, sessionKey, parentSession }: HeaderFields): string {
  const header = { type: 'session', version: TRANSCRIPT_VERSION, id: sessionId, timestamp: new Date(nowMs).toISOString(), cwd, sessionKey };
  return JSON.stringify(parentSession === undefined ? header : { ...header, parentSession });
}

export interface MessageFields {
  /** 8 hexadecimal digits. */
  readonly id: string;
  readonly parentId: string | null;
  readonly nowMs: number;
  readonly content: MessageContent;
  readonly idempotencyKey?: string;
  /** Mark of text that did not come from a person. */
  readonly provenance?: JsonObject;
}

/** A message of the user. */
export function userMessageLine(fields: MessageFields): string {
  return messageLine(fields, { role: 'user', ...bodyOf(fields) });
}

/** A message of the assistant that no model wrote. */
export function injectedMessageLine(fields: MessageFields & { readonly label?: string }): string {
  const content = fields.label === undefined ? fields.content : `[${fields.label}]\n\n${textOf(fields.content)}`;
  return messageLine(fields, { role: 'assistant', ...bodyOf({ ...fields, content }), stopReason: 'injected' });
}

function bodyOf({ content, nowMs, idempotencyKey, provenance }: MessageFields): JsonObject {
  const blocks: JsonValue = typeof content === 'string' ? [{ type: 'text', text: content }] : (content as readonly JsonObject[]);
  return {
    content: blocks,
    timestamp: nowMs,
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    ...(provenance === undefined ? {} : { provenance }),
  };
}

function messageLine({ id, parentId, nowMs }: MessageFields, message: JsonObject): string {
  return JSON.stringify({ type: 'message', id, parentId, timestamp: new Date(nowMs).toISOString(), message });
}

/** A line of the tutorial's format: no ids, file order is the branch. */
export function simpleMessageLine(role: 'user' | 'assistant', content: MessageContent, nowMs: number): string {
  return JSON.stringify({ role, content: textOf(content), timestamp: new Date(nowMs).toISOString() });
}

function textOf(content: MessageContent): string {
  if (typeof content === 'string') return content;
  return content.map((block) => (block.type === 'text' ? block.text : `[${block.mimeType}]`)).join('\n');
}
