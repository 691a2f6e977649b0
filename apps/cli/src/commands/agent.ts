/**
 * `openclaw agent --message <text>`: one message to an agent, and its reply. `/compact` is refused
 * before anything is read: as a message from here it would be text to a model, not a command.
 */
import { randomUUID } from 'node:crypto';
import { loadCliContext } from '../cli-context';
import { EXIT } from '../cli-io';
import type { CliIo, ExitCode } from '../cli-io';
import { parseStrictPositive } from '../flags/strict-number';
import { connectGateway } from '../gateway/gateway-client';
import { GatewayRequestError, GatewayTransportError, toGatewayFailure } from '../gateway/gateway-errors';
import { resolveGatewayTarget } from '../gateway/gateway-target';
import type { GatewayFlags } from '../gateway/gateway-target';
import { leastScopes } from '../gateway/method-scopes';
import { visibleText } from '../render/visible-text';
import { VERSION } from '../version';
import { gatewaySettings } from './gateway-call';
import { SessionError, isJsonObject } from '@sessions/domain';

/** A turn may take minutes. Milliseconds. */
export const AGENT_TIMEOUT_MS = 600_000;
const COMPACT = /^\/compact(?:$|[\s:])/iu;

export interface AgentFlags extends GatewayFlags {
  readonly message?: string | undefined;
  readonly agent?: string | undefined;
  readonly sessionKey?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly to?: string | undefined;
  readonly thinking?: string | undefined;
  readonly timeout?: string | undefined;
  readonly local?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** True for a message that a chat would take as the command. */
export function isCompactCommand(message: string): boolean {
  return COMPACT.test(message.trim());
}

export async function runAgent(io: CliIo, flags: AgentFlags): Promise<ExitCode> {
  const { message = '', agent, sessionKey, sessionId, to, thinking } = flags;
  if (isCompactCommand(message)) {
    throw new SessionError('VALIDATION', '/compact is a chat command and is not run from `openclaw agent`.', { facts: { option: '--message' }, hint: 'Use: openclaw sessions compact <key>' });
  }
  if (message.trim() === '') throw new SessionError('VALIDATION', '--message is required.', { facts: { option: '--message' } });
  if (flags.local === true) throw new SessionError('UNSUPPORTED', '--local is not supported: turns run in the gateway.', { facts: { option: '--local' }, hint: 'Start one with: openclaw gateway run' });
  const timeoutMs = Math.min(parseStrictPositive('--timeout', flags.timeout, String(AGENT_TIMEOUT_MS)) ?? AGENT_TIMEOUT_MS, 2 ** 31 - 1);
  const target = resolveGatewayTarget(flags, gatewaySettings(loadCliContext(io)));
  const given = { agentId: agent, sessionKey, sessionId, to, thinking };
  const params = { message, idempotencyKey: randomUUID(), ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) };
  try {
    const client = await connectGateway({ target, scopes: leastScopes('agent'), timeoutMs, clientVersion: VERSION });
    try {
      const payload = await client.call('agent', params, { expectFinal: true });
      io.out(flags.json === true ? `${JSON.stringify(payload ?? null, null, 2)}\n` : replyOf(payload));
      return EXIT.ok;
    } finally {
      client.close();
    }
  } catch (error) {
    if (!(error instanceof GatewayRequestError) && !(error instanceof GatewayTransportError)) throw error;
    if (flags.json === true) io.out(`${JSON.stringify(toGatewayFailure(error), null, 2)}\n`);
    io.err(`${visibleText(error.message)}\n`);
    return EXIT.failed;
  }
}

function replyOf(payload: unknown): string {
  const result = isJsonObject(payload) ? payload['result'] : undefined;
  const payloads = isJsonObject(result) && Array.isArray(result['payloads']) ? result['payloads'].filter(isJsonObject) : [];
  return payloads.flatMap(({ text }) => (typeof text === 'string' ? text.split('\n').map((line) => `${visibleText(line)}\n`) : [])).join('');
}
