/** What of a configuration must never leave in an export, whatever form it has. */
import type { SessionConfig } from './parse-config';

/** Every value of an option that is a secret: what `secret(…)` marks in the option table. */
export function configuredSecrets({ gateway, hooks, models }: SessionConfig): readonly string[] {
  const { auth, remote } = gateway;
  return [auth.token, auth.password, ...auth.tokens.map(({ token }) => token), remote.token, remote.password, hooks.token, ...Object.values(models.providers).map(({ apiKey }) => apiKey)].filter((secret) => secret !== undefined);
}
