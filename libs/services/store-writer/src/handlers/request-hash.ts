/** Hash of what a mutation asks for: the same idempotency key with another hash is a mistake. */
import { createHash } from 'node:crypto';
import type { JsonValue } from '@sessions/domain';

/** @param content in a fixed order of members; bytes as their own hashes. */
export function requestHash(method: string, content: JsonValue): string {
  return createHash('sha256').update(JSON.stringify([method, content])).digest('base64url');
}

export function bytesHash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64url');
}
