/**
 * `openclaw sessions compact <key>`: asks the running gateway to summarise a session, or to cut it to
 * its last lines. It reads no store and guesses nothing: only an answer that says `ok` is a success.
 */
import { loadCliContext } from '../cli-context';
import { EXIT } from '../cli-io';
import type { CliIo, ExitCode } from '../cli-io';
import { toFailureDocument } from '../failure';
import { parseStrictPositive } from '../flags/strict-number';
import { connectGateway } from '../gateway/gateway-client';
import { credentialHint } from '../gateway/credential-hint';
import { GatewayRequestError, GatewayTransportError } from '../gateway/gateway-errors';
import { resolveGatewayTarget } from '../gateway/gateway-target';
import type { GatewayFlags } from '../gateway/gateway-target';
import { leastScopes } from '../gateway/method-scopes';
import { keyText } from '../render/key-text';
import { visibleText } from '../render/visible-text';
import { VERSION } from '../version';
import { gatewaySettings } from './gateway-call';
import { SessionError, isJsonObject } from '@sessions/domain';
import type { JsonObject, JsonValue } from '@sessions/domain';

export const METHOD = 'sessions.compact';
/** A model may take minutes. Milliseconds. */
export const COMPACT_TIMEOUT_MS = 180_000;
/** Longest delay of a timer. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export interface CompactFlags extends GatewayFlags {
  readonly key: string;
  readonly agent?: string | undefined;
  readonly maxLines?: string | undefined;
  readonly timeout?: string | undefined;
  readonly json?: boolean | undefined;
}

export async function runSessionsCompact(io: CliIo, flags: CompactFlags): Promise<ExitCode> {
  const { key, agent } = flags;
  const maxLines = parseStrictPositive('--max-lines', flags.maxLines, '200');
  const timeoutMs = Math.min(parseStrictPositive('--timeout', flags.timeout, String(COMPACT_TIMEOUT_MS)) ?? COMPACT_TIMEOUT_MS, TIMER_MS_MAX);
  if (key.trim().toLowerCase() === 'global' && agent === undefined) {
    throw new SessionError('AGENT_REQUIRED', 'The global session exists once an agent: --agent is required.', { hint: 'openclaw sessions compact global --agent <id>' });
  }
  const context = loadCliContext(io);
  const target = resolveGatewayTarget(flags, gatewaySettings(context));
  let payload: unknown;
  try {
    const client = await connectGateway({ target, scopes: leastScopes(METHOD), timeoutMs, clientVersion: VERSION });
    try {
      payload = await client.call(METHOD, { key, ...(agent !== undefined && { agentId: agent }), ...(maxLines !== undefined && { maxLines }) });
    } finally {
      client.close();
    }
  } catch (error) {
    if (!(error instanceof GatewayRequestError) && !(error instanceof GatewayTransportError)) throw error;
    return failed(io, flags, {}, errorOf(error, context.environment.configPath), error instanceof GatewayTransportError ? 'Compaction failed: ' : '');
  }
  return answered(io, flags, payload);
}

interface ErrorMember {
  readonly code: string;
  readonly message: string;
  readonly details: JsonValue;
}

function errorOf(error: GatewayRequestError | GatewayTransportError, configPath: string): ErrorMember {
  if (error instanceof GatewayRequestError) return { code: error.code, message: error.message, details: (error.details ?? {}) as JsonValue };
  const hint = credentialHint(error, configPath) ?? (error.kind === 'timeout' ? 'It goes on in the gateway; --timeout waits longer.' : 'Is a gateway running? Start one with: openclaw gateway run');
  return { code: 'UNAVAILABLE', message: error.message, details: { reason: error.kind === 'timeout' ? 'DEADLINE' : 'NO_OWNER', url: error.target.url, hint } };
}

/** Reason of a summary that was overtaken. */
const STALE = 'stale';

function refusal(reason: 'SUMMARY_FAILED' | 'INTERNAL', message: string): ErrorMember {
  const { code, details } = toFailureDocument(new SessionError(reason, message)).error;
  return { code, message, details: details as JsonValue };
}

function answered(io: CliIo, flags: CompactFlags, payload: unknown): ExitCode {
  const shown = keyText(flags.key);
  if (!isJsonObject(payload) || typeof payload['ok'] !== 'boolean') {
    return failed(io, flags, isJsonObject(payload) ? payload : {}, refusal('INTERNAL', `Compaction of session ${shown}: the gateway sent a malformed response (no ok).`));
  }
  if (!payload['ok']) {
    const given = typeof payload['reason'] === 'string' && payload['reason'] !== '' ? payload['reason'] : 'no reason given';
    const why = given === STALE ? `${STALE}: the transcript was cut, begun anew or brought back while it was summarised; nothing was written, run it again` : given;
    return failed(io, flags, payload, refusal('SUMMARY_FAILED', `Compaction failed for session ${shown}: ${why}`));
  }
  io.out(flags.json === true ? `${JSON.stringify(payload, null, 2)}\n` : visibleLines(textOf(payload, shown)));
  return EXIT.ok;
}

function failed(io: CliIo, { key, json }: CompactFlags, payload: JsonObject, error: ErrorMember, prefix = ''): ExitCode {
  if (json === true) io.out(`${JSON.stringify({ ...payload, ok: false, key, error }, null, 2)}\n`);
  const hint = isJsonObject(error.details) && typeof error.details['hint'] === 'string' ? [error.details['hint']] : [];
  // With --json the sentence of the document, to the letter.
  io.err(visibleLines([json === true ? error.message : `${prefix}${error.message}`, ...hint]));
  return EXIT.failed;
}

const visibleLines = (lines: readonly string[]): string => lines.map((line) => `${visibleText(line)}\n`).join('');

function textOf(payload: JsonObject, key: string): string[] {
  const { compacted, archived, kept, result, reason } = payload;
  if (compacted !== true) {
    if (isPending(payload)) return [`Compaction started for session ${key} and is still running.`];
    return [`No compaction needed for session ${key}${typeof reason === 'string' && reason !== '' ? ` (${reason})` : ''}.`];
  }
  if (typeof archived === 'string') return [`Compacted session ${key} (kept ${String(kept)} lines).`, `Archived transcript: ${archived}`];
  const { tokensBefore, tokensAfter } = isJsonObject(result) ? result : {};
  if (typeof tokensBefore === 'number' && typeof tokensAfter === 'number') return [`Compacted session ${key} (${String(tokensBefore)} → ${String(tokensAfter)} tokens).`];
  return [`Compacted session ${key}.`];
}

/** The mark stands at one of three places, by who compacts. */
function isPending({ pending, result }: JsonObject): boolean {
  if (pending === true) return true;
  if (!isJsonObject(result)) return false;
  const { details } = result;
  return result['pending'] === true || (isJsonObject(details) && (details['pending'] === true || details['signal'] === 'thread/compact/start'));
}
