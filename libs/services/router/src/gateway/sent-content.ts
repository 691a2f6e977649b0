/** Text and attachments that a client sends, within the bounds that hold for messages from outside. */
import { Attachment } from '@sessions/contracts';
import { SessionError, isJsonObject, parseEnvelope } from '@sessions/domain';
import type { JsonObject, JsonValue } from '@sessions/domain';
import { contentBytes, withDecodedContents } from '../large/decoded-contents';
import { textOf } from './method';

export interface SentContent {
  readonly text: string;
  readonly attachments: Attachment[];
}

/** @throws VALIDATION, TOO_LARGE */
export async function sentContent(params: JsonObject): Promise<SentContent> {
  const text = textOf(params, 'message') ?? '';
  const files = Array.isArray(params.attachments) ? (params.attachments as readonly JsonValue[]) : [];
  if (text.trim() === '' && files.length === 0) throw new SessionError('VALIDATION', 'message or attachment required');
  const checked = parseEnvelope({ origin: { kind: 'webchat' }, text, ...(files.length > 0 && { attachments: await withDecodedContents(files.map(toFile)) }) });
  const attachments = checked.attachments.map((file) => Attachment.create({ name: file.name, mimeType: file.mimeType, content: contentBytes(file) }));
  return { text: checked.text, attachments };
}

/** Clients name the file `fileName`; the content may be a data URL. */
function toFile(value: JsonValue): Record<string, unknown> {
  if (!isJsonObject(value)) throw new SessionError('VALIDATION', 'an attachment must be an object');
  const content = typeof value.content === 'string' ? value.content.replace(/^data:[^,]{0,200};base64,/, '') : value.content;
  return { name: value.fileName ?? value.name ?? 'file', mimeType: value.mimeType ?? 'application/octet-stream', content };
}
