/** Addresses to listen on: the words that stand for them, and when a credential is a must. */
import { SessionError } from '@sessions/domain';
import { errorCode } from './error-code';
import { isIP } from 'node:net';

const LOOPBACK_HOST = '127.0.0.1';
const LAN_HOST = '0.0.0.0';

/**
 * The address to listen on.
 * @param name of the flag or variable, for the refusal
 * @throws VALIDATION for a word that is none
 */
export function parseBind(given: string, name = '--bind'): string {
  if (given === 'loopback' || given === 'localhost') return LOOPBACK_HOST;
  if (given === 'lan') return LAN_HOST;
  if (isIP(given) !== 0) return given;
  throw new SessionError('VALIDATION', `${name} must be loopback, lan or an IP address, for example ${name}${name.startsWith('--') ? ' ' : '='}lan.`, { facts: { option: name, given } });
}

/** 127.0.0.0/8, ::1 and the IPv4 forms of the former. */
export function isLoopback(host: string): boolean {
  return host === '::1' || /^(::ffff:)?127\./iu.test(host);
}

/** `gateway.auth` of the configuration, as far as it says who comes in. */
export interface ConfiguredLogin {
  readonly mode?: string | undefined;
  readonly isSecretExpected: boolean;
  readonly tokens: readonly { readonly token: string }[];
}

/**
 * Users with tokens of their own, or a proxy that vouches for them, close the door as a shared secret does.
 * @throws CONFIG_INVALID where a secret is asked for and none has a value, UNAUTHENTICATED for an open address that nobody has to log in to
 */
export function assertLogin(host: string, login: ConfiguredLogin, { token, password }: SharedSecrets, hint: string): void {
  const own = token ?? login.tokens[0]?.token ?? (login.mode === 'trusted-proxy' ? login.mode : undefined);
  if (own === undefined && password === undefined && login.isSecretExpected) {
    throw new SessionError('CONFIG_INVALID', 'gateway.auth asks for a token or password, and none that it names has a value: nobody could come in.', { hint });
  }
  refuseOpenAddress(host, { token: own, password }, hint);
}

/** Whether nobody has to log in. */
export const isOpenToAll = ({ mode, isSecretExpected }: ConfiguredLogin, { token, password }: SharedSecrets): boolean =>
  !isSecretExpected && mode !== 'trusted-proxy' && token === undefined && password === undefined;

export interface SharedSecrets {
  readonly token?: string | undefined;
  readonly password?: string | undefined;
}

/** @throws UNAUTHENTICATED for an open address that nobody has to log in to */
function refuseOpenAddress(host: string, { token, password }: SharedSecrets, hint: string): void {
  if (isLoopback(host) || token !== undefined || password !== undefined) return;
  throw new SessionError('UNAUTHENTICATED', `Refusing to listen on ${host} without a token or password: anyone on the network could read every session.`, { facts: { host }, hint });
}

/** Errors of the system when listening, as sentences with the next step; others as they are. */
export function listenFailure(error: unknown, { host, port }: { readonly host: string; readonly port: number }, hint: string): unknown {
  const code = errorCode(error);
  if (code === 'EADDRINUSE') {
    return new SessionError('RUN_STILL_ACTIVE', `Port ${port} on ${host} is in use by another program.`, { facts: { host, port }, hint, cause: error });
  }
  if (code === 'EADDRNOTAVAIL' || code === 'EACCES') {
    return new SessionError('VALIDATION', `Cannot listen on ${host}:${port}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  return error;
}
