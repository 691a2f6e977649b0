/** Ids that follow from a request, so the same request made again names the same thing. */
import { createHash } from 'node:crypto';
import { idempotencyKeyOf } from '@sessions/bus';
import type { CallMeta } from '@sessions/bus';

/** A UUID (version 8) that follows from a text. */
export function uuidOf(text: string): string {
  const bytes = createHash('sha256').update(text, 'utf8').digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** The UUID of whatever this call makes. */
export const uuidOfCall = (meta: CallMeta): string => uuidOf(idempotencyKeyOf(meta));
