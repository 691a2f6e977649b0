/** What a user does about a gateway that does not let the command line in. */
import type { GatewayTransportError } from './gateway-errors';

/** Close code of a refused handshake, and of others that break a rule. */
const POLICY_VIOLATION = 1008;
/** Of the handshakes that are refused for their credentials. */
const REFUSED = /^(?:unauthorized|device identity required)/;

/** @returns undefined when the connection ended for another reason */
export function credentialHint({ code, closeReason, target: { token, password } }: GatewayTransportError, configPath: string): string | undefined {
  if (code !== POLICY_VIOLATION || !REFUSED.test(closeReason ?? '')) return undefined;
  const what = token === undefined && password === undefined ? 'No token was sent.' : "The gateway does not take the token or password that was sent.";
  return `${what} Pass --token or --password, or set OPENCLAW_GATEWAY_TOKEN, or gateway.auth.token in ${configPath}.`;
}
