import { MemberReader, type Problems } from './member-reader';

/** Files of one message. */
export const ATTACHMENTS_MAX = 10;
/** Decoded bytes of one file. */
export const ATTACHMENT_BYTES_MAX = 5 * 1024 ** 2;
/** Decoded bytes of all files of one message. */
export const ATTACHMENTS_BYTES_MAX = 20 * 1024 ** 2;
const NAME_LENGTH_MAX = 255;
const MIME_LENGTH_MAX = 127;
const MIME = /^[a-z0-9][a-z0-9!#$&^_.+-]*\/[a-z0-9][a-z0-9!#$&^_.+-]*$/i;

export interface Attachment {
  readonly name: string;
  readonly mimeType: string;
  /** Base64 with padding, or the bytes where they were decoded before. */
  readonly content: string | Uint8Array;
  /** Size of the decoded content. */
  readonly bytes: number;
}

/** Decoded size of strict base64 (full alphabet, padding), or `undefined` when it is not that. */
export function base64Bytes(content: string): number | undefined {
  if (content.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(content)) return undefined;
  const padding = content.endsWith('==') ? 2 : content.endsWith('=') ? 1 : 0;
  return (content.length / 4) * 3 - padding;
}

/** Reads `attachments`: at most `ATTACHMENTS_MAX`, each and all within their byte limits. */
export function parseAttachments(raw: unknown, problems: Problems): readonly Attachment[] {
  if (raw === undefined) return [];
  if (!Array.isArray(raw)) {
    problems.add('attachments', 'must be a list');
    return [];
  }
  if (raw.length > ATTACHMENTS_MAX) {
    problems.addTooLarge('attachments', `must have at most ${String(ATTACHMENTS_MAX)} items`);
    return [];
  }
  const attachments = raw.map((item, index) => parseAttachment(item, `attachments[${String(index)}]`, problems));
  const sum = attachments.reduce((bytes, attachment) => bytes + attachment.bytes, 0);
  if (sum > ATTACHMENTS_BYTES_MAX) problems.addTooLarge('attachments', `must have at most ${String(ATTACHMENTS_BYTES_MAX)} bytes in all`);
  return attachments;
}

function parseAttachment(raw: unknown, path: string, problems: Problems): Attachment {
  const members = new MemberReader(raw, path, problems);
  const name = members.required('name', NAME_LENGTH_MAX);
  const mimeType = members.required('mimeType', MIME_LENGTH_MAX);
  if (mimeType !== '' && !MIME.test(mimeType)) members.problem('mimeType', 'must be a type such as image/png');
  const content = members.raw('content');
  const bytes = content instanceof Uint8Array ? content.length : typeof content === 'string' && content !== '' ? base64Bytes(content) : undefined;
  if (bytes === undefined) members.problem('content', 'must be base64 with padding, not empty');
  else if (bytes > ATTACHMENT_BYTES_MAX) problems.addTooLarge(members.pathOf('content'), `must have at most ${String(ATTACHMENT_BYTES_MAX)} bytes`);
  members.close();
  return { name, mimeType, content: typeof content === 'string' || content instanceof Uint8Array ? content : '', bytes: bytes ?? 0 };
}
