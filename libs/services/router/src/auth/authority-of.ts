/** Who is admitted, from the secrets that the process was started with and the configuration in force. */
import type { SessionConfig } from '@sessions/domain';
import type { Authority, Credentials } from './credentials';

export function authorityOf(secrets: Credentials, { gateway }: SessionConfig): Authority {
  const { scopes, tokens, trustedProxy, mode, isSecretExpected } = gateway.auth;
  return {
    ...secrets,
    ...(scopes !== undefined && { grantedScopes: scopes }),
    users: tokens,
    isSecretExpected,
    allowedOrigins: gateway.allowedOrigins,
    ...(mode === 'trusted-proxy' && { proxy: { addresses: gateway.trustedProxies, ...trustedProxy } }),
  };
}

/** The word that administrators are shown. */
export function authModeOf({ token = '', password = '' }: Credentials, { gateway }: SessionConfig): string {
  if (gateway.auth.mode === 'trusted-proxy') return 'trusted-proxy';
  if (token !== '' || gateway.auth.tokens.length > 0) return 'token';
  return password === '' ? 'none' : 'password';
}
