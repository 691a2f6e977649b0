/** Secrets of the gateway, compared in constant time, and who somebody is by the one presented. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { UserToken } from '@sessions/domain';
import { isInRanges } from './address-ranges';
import { agentWords, narrowScopes } from './scopes';

export interface Credentials {
  readonly token?: string;
  readonly password?: string;
}

/** What is admitted at this moment. */
export interface Authority extends Credentials {
  /** `gateway.auth.scopes`: what token and password grant; absent: whatever is asked for. */
  readonly grantedScopes?: readonly string[];
  /** Tokens of single users. */
  readonly users: readonly UserToken[];
  /** True: nobody comes in without a secret, also when there is none that anybody could present. */
  readonly isSecretExpected?: boolean;
  /** `gateway.controlUi.allowedOrigins`: of pages that are not the gateway's own. */
  readonly allowedOrigins?: readonly string[];
  /** Proxies that vouch for their users, under `gateway.auth.mode` `trusted-proxy`. */
  readonly proxy?: TrustedProxy;
}

export interface TrustedProxy {
  /** Addresses and ranges. */
  readonly addresses: readonly string[];
  readonly userHeader: string;
  /** What a request has to have to be one of the proxy's. */
  readonly requiredHeaders: readonly string[];
  /** Users that are let in; empty: all. */
  readonly allowUsers: readonly string[];
}

/** Who somebody was found to be. */
export interface Principal {
  /** `shared`, `nobody`, `user:<name>` or `proxy`. */
  readonly name: string;
  /** Tells two principals apart that have the same name and rights; for what is bound to one of them. Not for logs. */
  readonly id: string;
  /** undefined: whatever is asked for. */
  readonly granted: readonly string[] | undefined;
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
  return principalOf(bearerOf(header), { ...credentials, users: [] }) !== undefined;
}

/** The secret of an `Authorization: Bearer` header. */
export const bearerOf = (header: string | undefined): string | undefined => BEARER.exec(header ?? '')?.[1]?.trim();

/** Who presents this secret; every comparison is made, whichever matches. */
export function principalOf(given: string | undefined, authority: Authority): Principal | undefined {
  const token = judgeSecret(given, authority.token) === 'match';
  const password = judgeSecret(given, authority.password) === 'match';
  const user = authority.users.filter((one) => judgeSecret(given, one.token) === 'match')[0];
  if (token || password) return sharedPrincipal(authority);
  return user === undefined ? undefined : userPrincipal(user);
}

export const sharedPrincipal = ({ grantedScopes }: Pick<Authority, 'grantedScopes'>): Principal => ({ name: 'shared', id: 'shared', granted: grantedScopes });

export const userPrincipal = ({ name, token, scopes, agents }: UserToken): Principal => ({
  name: `user:${name}`,
  // Nothing keeps the configuration from naming two tokens alike.
  id: `user:${createHash('sha256').update(token, 'utf8').digest('hex')}`,
  granted: [...scopes, ...agentWords(agents)],
});

/** True when nobody has to present anything. */
export function isOpen({ token, password, users, proxy, isSecretExpected = false }: Authority): boolean {
  return !isSecretExpected && (token ?? '') === '' && (password ?? '') === '' && users.length === 0 && proxy === undefined;
}

/** Headers of a request, as far as they say who it comes from. */
export type ProxyHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * A user that a trusted proxy names. Its scopes are those that the proxy passes on, none without:
 * the proxy has to remove the header from what its users send.
 */
export function proxiedPrincipal({ proxy, grantedScopes }: Authority, address: string, headers: ProxyHeaders): Principal | undefined {
  if (proxy === undefined || !isInRanges(address, proxy.addresses)) return undefined;
  const valueOf = (name: string): string => {
    const value = headers[name];
    return typeof value === 'string' ? value.trim() : '';
  };
  const user = valueOf(proxy.userHeader);
  if (user === '' || proxy.requiredHeaders.some((name) => valueOf(name) === '')) return undefined;
  if (proxy.allowUsers.length > 0 && !proxy.allowUsers.includes(user)) return undefined;
  const passed = scopesHeader(headers['x-openclaw-scopes']) ?? [];
  return { name: 'proxy', id: `proxy:${user}`, granted: grantedScopes === undefined ? passed : narrowScopes(passed, grantedScopes) };
}

/** Scopes of the header that narrows them; undefined without it. */
export function scopesHeader(header: string | readonly string[] | undefined): readonly string[] | undefined {
  if (typeof header !== 'string') return undefined;
  return header.split(',').map((scope) => scope.trim()).filter((scope) => scope !== '');
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

/** Names of this machine that no foreign DNS gives out: `localhost`, or an address. */
const OWN_HOST = /^(?:(?:[\w-]+\.)*localhost|\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]+\])(?::\d+)?$/i;

/**
 * False for a request that a page of another site may have had its visitor's browser make: it names
 * that site's origin, or, where nobody has to present anything, came over a name that somebody else
 * points at this machine. Without secret, or where a proxy knows the visitor by a cookie, nothing
 * else keeps such a page out.
 */
export function isOwnPage({ origin, host }: { readonly origin: string | undefined; readonly host: string | undefined }, authority: Authority): boolean {
  if (origin !== undefined && isListedOrigin(origin, authority.allowedOrigins)) return true;
  return isSameOrigin(origin, host) && (!isOpen(authority) || host === undefined || OWN_HOST.test(host));
}

/** True when the configuration names the origin of a page; scheme, host and port count, nothing else. */
export function isListedOrigin(origin: string, allowed: readonly string[] = []): boolean {
  const given = originOf(origin);
  return given !== undefined && allowed.some((one) => originOf(one) === given);
}

/** `null` is what a browser says of a page without an origin, a file or a sandbox: it is nobody's. */
function originOf(text: string): string | undefined {
  try {
    const { origin } = new URL(text);
    return origin === 'null' ? undefined : origin;
  } catch {
    return undefined;
  }
}

/** An address as it is compared and logged: IPv4 in its own form, also behind an IPv6 socket. */
export const plainAddress = (address: string | undefined): string => (address ?? '').replace(/^::ffff:(?=\d+\.)/, '');
