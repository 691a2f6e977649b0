/**
 * A pairing as a token: what a device was granted, signed by the gateway. It is handed out when a
 * device with a good secret connects, and lets that device come again without the secret.
 *
 *     dt1.<base64url of { d: device id, s: scopes, u?: user, i: issued at, ms }>.<base64url of HMAC-SHA-256>
 *
 * Nothing is kept: every router with the same secrets knows the token, and a changed secret ends all
 * pairings. Scopes are judged again at each use, so a narrowed configuration holds at once.
 *
 * The key is made of the secret that the device came with. Where there is none (everybody has a token
 * of their own, or a proxy vouches) there is no key, and what claims to be signed with it is nobody's:
 * a key of known text would let anybody write a pairing.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { isJsonObject } from '@sessions/domain';
import type { UserToken } from '@sessions/domain';
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

/** A token that holds, and whose it is. */
export interface KnownPairing extends Pairing {
  /** By whose token it was signed; undefined: by the shared secret. Users may be named alike. */
  readonly owner: UserToken | undefined;
}

/** Undefined where there is no secret to sign with. */
function keyOf({ token = '', password = '' }: Authority, owner: UserToken | undefined): string | undefined {
  if (owner === undefined && token === '' && password === '') return undefined;
  return `device-token\n${token}\n${password}\n${owner?.token ?? ''}`;
}

const signatureOf = (body: string, key: string): Buffer => createHmac('sha256', key).update(body).digest();

/** @returns undefined where nothing can be signed: without a shared secret, for who is no user */
export function writeDeviceToken({ deviceId, scopes, issuedAtMs }: Omit<Pairing, 'user'>, owner: UserToken | undefined, authority: Authority): string | undefined {
  const key = keyOf(authority, owner);
  if (key === undefined) return undefined;
  const body = Buffer.from(JSON.stringify({ d: deviceId, s: scopes, ...(owner !== undefined && { u: owner.name }), i: issuedAtMs })).toString('base64url');
  return `dt1.${body}.${signatureOf(body, key).toString('base64url')}`;
}

/** @returns undefined for a token that is not ours, of another device, or too old */
export function readDeviceToken(token: string, deviceId: string, authority: Authority, nowMs: number): KnownPairing | undefined {
  const [, body, signature] = token.length > TOKEN_LENGTH_MAX ? [] : (/^dt1\.([\w-]+)\.([\w-]+)$/.exec(token) ?? []);
  const read = body === undefined ? undefined : parsePairing(body);
  if (body === undefined || signature === undefined || read === undefined) return undefined;
  const given = Buffer.from(signature, 'base64url');
  const isSignedBy = (owner: UserToken | undefined): boolean => {
    const key = keyOf(authority, owner);
    if (key === undefined) return false;
    const expected = signatureOf(body, key);
    return given.length === expected.length && timingSafeEqual(given, expected);
  };
  const owner = read.user === undefined ? undefined : authority.users.find((user) => user.name === read.user && isSignedBy(user));
  if (read.user === undefined ? !isSignedBy(undefined) : owner === undefined) return undefined;
  const isYoung = nowMs - read.issuedAtMs <= DEVICE_TOKEN_AGE_MAX_MS;
  return read.deviceId === deviceId && isYoung ? { ...read, owner } : undefined;
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
