/**
 * `openclaw agent --message <text>`: one message to an agent, and its reply, which grows on a terminal
 * as the model says it. `/compact` is refused before anything is read: as a message from here it would
 * be text to a model, not a command.
 */
import { randomUUID } from 'node:crypto';
import { loadCliContext } from '../cli-context';
import { EXIT } from '../cli-io';
import type { CliIo, ExitCode } from '../cli-io';
import { parseStrictPositive } from '../flags/strict-number';
import { agentTurn, stopTurn } from '../gateway/agent-turn';
import type { AgentTurnOptions } from '../gateway/agent-turn';
import { credentialHint } from '../gateway/credential-hint';
import { GatewayRequestError, GatewayTransportError, toGatewayFailure } from '../gateway/gateway-errors';
import { resolveGatewayTarget } from '../gateway/gateway-target';
import type { GatewayFlags } from '../gateway/gateway-target';
import { leastScopes } from '../gateway/method-scopes';
import { StreamedText } from '../render/streamed-text';
import { visibleText } from '../render/visible-text';
import { VERSION } from '../version';
import { gatewaySettings } from './gateway-call';
import { SessionError, isJsonObject } from '@sessions/domain';
import type { JsonObject } from '@sessions/domain';

/** A turn may take minutes. */
export const AGENT_TIMEOUT_SECONDS = 600;
/** What a timer can count. */
const TIMEOUT_SECONDS_MAX = 2_000_000;
/** The gateway ends a run at its limit; its answer comes a little later. Milliseconds. */
const GRACE_MS = 30_000;
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const COMPACT = /^\/compact(?:$|[\s:])/iu;

export interface AgentFlags extends GatewayFlags {
  readonly message?: string | undefined;
  readonly agent?: string | undefined;
  readonly sessionKey?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly to?: string | undefined;
  readonly model?: string | undefined;
  readonly thinking?: string | undefined;
  readonly deliver?: boolean | undefined;
  readonly channel?: string | undefined;
  readonly replyTo?: string | undefined;
  readonly replyChannel?: string | undefined;
  readonly replyAccount?: string | undefined;
  readonly timeout?: string | undefined;
  readonly local?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** True for a message that a chat would take as the command. */
export function isCompactCommand(message: string): boolean {
  return COMPACT.test(message.trim());
}

/** @param until ends the wait, and the run with it. Default: SIGINT and SIGTERM of this process. */
export async function runAgent(io: CliIo, flags: AgentFlags, until?: Promise<void>): Promise<ExitCode> {
  const { message = '' } = flags;
  if (isCompactCommand(message)) {
    throw new SessionError('VALIDATION', '/compact is a chat command and is not run from `openclaw agent`.', { facts: { option: '--message' }, hint: 'Use: openclaw sessions compact <key>' });
  }
  if (message.trim() === '') throw new SessionError('VALIDATION', '--message is required.', { facts: { option: '--message' } });
  if (flags.local === true) throw new SessionError('UNSUPPORTED', '--local is not supported: turns run in the gateway.', { facts: { option: '--local' }, hint: 'Start one with: openclaw gateway run' });
  const timeoutSeconds = parseStrictPositive('--timeout', flags.timeout, String(AGENT_TIMEOUT_SECONDS)) ?? AGENT_TIMEOUT_SECONDS;
  if (timeoutSeconds > TIMEOUT_SECONDS_MAX) throw new SessionError('VALIDATION', `--timeout must be at most ${String(TIMEOUT_SECONDS_MAX)} seconds.`, { facts: { option: '--timeout', given: timeoutSeconds } });
  const isJson = flags.json === true;
  const text = new StreamedText((news) => io.out(news));
  const leaving = new AbortController();
  const settings = gatewaySettings(loadCliContext(io));
  const turn: AgentTurnOptions = {
    target: resolveGatewayTarget(flags, settings),
    scopes: leastScopes('agent'),
    clientVersion: VERSION,
    params: { ...paramsOf(flags, message), timeout: timeoutSeconds, idempotencyKey: randomUUID() },
    timeoutMs: timeoutSeconds * 1000 + GRACE_MS,
    signal: leaving.signal,
    ...(!isJson && io.columns() !== undefined && { onText: (news) => text.grow(news) }),
  };
  const signals = until === undefined ? listenForSignals() : { heard: until, release: () => undefined };
  const answer = agentTurn(turn).then((payload) => ({ payload }));
  // Given up on, it ends in an error that nobody needs.
  answer.catch(() => undefined);
  try {
    const ended = await Promise.race([answer, signals.heard.then(() => 'interrupted' as const)]);
    if (ended === 'interrupted') {
      text.end('');
      leaving.abort();
      await stopTurn(turn).catch((error: unknown) => io.err(`The run goes on: ${visibleText(error instanceof Error ? error.message : String(error))}\n`));
      return EXIT.interrupted;
    }
    const { payload } = ended;
    if (isJson) io.out(`${JSON.stringify(payload ?? null, null, 2)}\n`);
    else text.end(replyOf(payload));
    return isOk(payload) ? EXIT.ok : notOk(io, payload);
  } catch (error) {
    if (!(error instanceof GatewayRequestError) && !(error instanceof GatewayTransportError)) throw error;
    if (isJson) io.out(`${JSON.stringify(toGatewayFailure(error), null, 2)}\n`);
    else text.end('');
    io.err(`${visibleText(error.message)}\n`);
    const hint = error instanceof GatewayTransportError ? credentialHint(error, settings.configPath) : undefined;
    if (hint !== undefined) io.err(`${visibleText(hint)}\n`);
    if (error instanceof GatewayTransportError && isNobodyThere(error)) io.err('Turns run in the gateway. Start one with: openclaw gateway run\n');
    return EXIT.failed;
  } finally {
    signals.release();
  }
}

/** No connection came about: nothing listens there. */
const isNobodyThere = ({ closeReason }: GatewayTransportError): boolean => /ECONNREFUSED|ENOTFOUND|EHOSTUNREACH/.test(closeReason ?? '');

function listenForSignals(): { readonly heard: Promise<void>; readonly release: () => void } {
  let hear: () => void = () => undefined;
  const heard = new Promise<void>((resolve) => (hear = resolve));
  for (const signal of SIGNALS) process.on(signal, hear);
  return { heard, release: () => SIGNALS.forEach((signal) => process.off(signal, hear)) };
}

/** Parameters of the method `agent`, those that were given. */
function paramsOf(flags: AgentFlags, message: string): JsonObject {
  const { agent, sessionKey, sessionId, to, model, thinking, channel, replyTo, replyChannel, replyAccount, deliver } = flags;
  const given = { agentId: agent, sessionKey, sessionId, to, model, thinking, channel, replyTo, replyChannel, replyAccountId: replyAccount };
  const known = Object.entries(given).filter((member): member is [string, string] => member[1] !== undefined);
  return { message, ...Object.fromEntries(known), ...(deliver === true && { deliver }) };
}

const isOk = (payload: unknown): boolean => !isJsonObject(payload) || payload['status'] === undefined || payload['status'] === 'ok';

/** A run that was stopped, or whose time was up, has no whole answer. */
function notOk(io: CliIo, payload: unknown): ExitCode {
  const { summary, stopReason } = isJsonObject(payload) ? payload : {};
  const why = stopReason === 'timeout' ? 'its time was up' : typeof summary === 'string' ? summary : 'it was stopped';
  io.err(`The run did not finish: ${visibleText(why)}.\n`);
  return EXIT.failed;
}

function replyOf(payload: unknown): string {
  const result = isJsonObject(payload) ? payload['result'] : undefined;
  const payloads = isJsonObject(result) && Array.isArray(result['payloads']) ? result['payloads'].filter(isJsonObject) : [];
  return payloads.flatMap(({ text }) => (typeof text === 'string' ? [text] : [])).join('\n');
}
