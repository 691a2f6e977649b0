/**
 * A pairing as a token: what a device was granted, signed by the gateway. It is handed out when a
 * device with a good secret connects, and lets that device come again without the secret.
 *
 *     dt1.<base64url of { d: device id, s: scopes, u?: user, i: issued at, ms }>.<base64url of HMAC-SHA-256>
 *
 * Nothing is kept: every router with the same secrets knows the token, and a changed secret ends all
 * pairings. Scopes are judged again at each use, so a narrowed configuration holds at once.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { isJsonObject } from '@sessions/domain';
import type { Authority } from './credentials';

export const DEVICE_TOKEN_AGE_MAX_MS = 90 * 24 * 60 * 60 * 1000;
const TOKEN_LENGTH_MAX = 4096;

export interface Pairing {
  readonly deviceId: string;
  readonly scopes: readonly string[];
  /** Name of the user whose token was presented; undefined: the shared secret. */
  readonly user: string | undefined;
  readonly issuedAtMs: number;
}

/** Without a secret there is nothing to sign with, and nothing to keep anybody out. */
const keyOf = ({ token = '', password = '' }: Authority, user: string): string => `device-token\n${token}\n${password}\n${user}`;

function signatureOf(body: string, authority: Authority, userToken: string): Buffer {
  return createHmac('sha256', keyOf(authority, userToken)).update(body).digest();
}

const userTokenOf = ({ users }: Authority, name: string | undefined): string | undefined =>
  name === undefined ? '' : users.find((user) => user.name === name)?.token;

export function writeDeviceToken({ deviceId, scopes, user, issuedAtMs }: Pairing, authority: Authority): string {
  const body = Buffer.from(JSON.stringify({ d: deviceId, s: scopes, ...(user !== undefined && { u: user }), i: issuedAtMs })).toString('base64url');
  return `dt1.${body}.${signatureOf(body, authority, userTokenOf(authority, user) ?? '').toString('base64url')}`;
}

/** @returns undefined for a token that is not ours, of another device, or too old */
export function readDeviceToken(token: string, deviceId: string, authority: Authority, nowMs: number): Pairing | undefined {
  const [, body, signature] = token.length > TOKEN_LENGTH_MAX ? [] : (/^dt1\.([\w-]+)\.([\w-]+)$/.exec(token) ?? []);
  if (body === undefined || signature === undefined) return undefined;
  const read = parsePairing(body);
  const userToken = read === undefined ? undefined : userTokenOf(authority, read.user);
  if (read === undefined || userToken === undefined) return undefined;
  const expected = signatureOf(body, authority, userToken);
  const given = Buffer.from(signature, 'base64url');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
  const isYoung = nowMs - read.issuedAtMs <= DEVICE_TOKEN_AGE_MAX_MS;
  return read.deviceId === deviceId && isYoung ? read : undefined;
}

function parsePairing(body: string): Pairing | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(body, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
  if (!isJsonObject(value)) return undefined;
  const { d, s, u, i } = value;
  if (typeof d !== 'string' || typeof i !== 'number' || !Array.isArray(s) || !s.every((scope) => typeof scope === 'string')) return undefined;
  return { deviceId: d, scopes: s as readonly string[], user: typeof u === 'string' ? u : undefined, issuedAtMs: i };
}
