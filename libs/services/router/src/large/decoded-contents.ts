/** Contents of files as bytes, decoded one after the other: of several megabytes each takes milliseconds. */
import { base64Bytes, isJsonObject } from '@sessions/domain';
import { LoopRest } from './loop-rest';

/** The bytes of a file that has been checked. @param content as text: base64 */
export function contentBytes({ content }: { readonly content: string | Uint8Array }): Buffer {
  return typeof content === 'string' ? Buffer.from(content, 'base64') : Buffer.from(content.buffer, content.byteOffset, content.length);
}

/**
 * The files with their content as bytes where it is base64; what else one is, whoever checks them says.
 * @param files as a message has them; anything
 */
export async function withDecodedContents(files: unknown): Promise<unknown> {
  if (!Array.isArray(files)) return files;
  const rest = new LoopRest();
  const decoded: unknown[] = [];
  for (const file of files as readonly unknown[]) {
    const content = isJsonObject(file) ? file['content'] : undefined;
    if (typeof content !== 'string' || content === '' || base64Bytes(content) === undefined) decoded.push(file);
    else {
      await rest.ifDue();
      decoded.push({ ...(file as object), content: Buffer.from(content, 'base64') });
    }
    await rest.ifDue();
  }
  return decoded;
}
