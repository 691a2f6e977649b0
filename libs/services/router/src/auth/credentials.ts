/** The shared secrets of the gateway, compared in constant time. */
import { createHash, timingSafeEqual } from 'node:crypto';

export interface Credentials {
  readonly token?: string;
  readonly password?: string;
}

/** What a client presented, judged. */
export type SecretVerdict = 'match' | 'mismatch' | 'missing';

/** Compares digests, so neither the length nor the place of a difference shows in the time. */
export function sameSecret(given: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text, 'utf8').digest();
  return timingSafeEqual(digest(given), digest(expected));
}

/** `expected` absent or empty: nothing matches it. */
export function judgeSecret(given: string | undefined, expected: string | undefined): SecretVerdict {
  if (given === undefined || given === '') return 'missing';
  return expected !== undefined && expected !== '' && sameSecret(given, expected) ? 'match' : 'mismatch';
}

const BEARER = /^bearer +(\S.*)$/i;

/** True when an `Authorization: Bearer` header holds the token or the password. */
export function bearerMatches(header: string | undefined, credentials: Credentials): boolean {
  const given = BEARER.exec(header ?? '')?.[1]?.trim();
  const token = judgeSecret(given, credentials.token) === 'match';
  const password = judgeSecret(given, credentials.password) === 'match';
  return token || password;
}

/** True when nobody has to present anything. */
export function isOpen(credentials: Credentials): boolean {
  return (credentials.token ?? '') === '' && (credentials.password ?? '') === '';
}

/**
 * True when a request is not one that a page of another site makes. Without `Origin` it comes from
 * a program; a browser always sends it where it matters.
 */
export function isSameOrigin(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return true;
  try {
    return host !== undefined && new URL(origin).host === host.toLowerCase();
  } catch {
    return false;
  }
}
