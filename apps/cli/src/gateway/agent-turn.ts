/**
 * One turn of an agent over the gateway: the message, its text as it grows, its end.
 *
 * The message has an idempotency key, so a connection that breaks costs nothing: the same message is
 * sent again over a new one, and the gateway says how far its run is.
 */
import { connectGateway } from './gateway-client';
import type { GatewayClient, GatewayConnectOptions } from './gateway-client';
import { GatewayRequestError, GatewayTransportError } from './gateway-errors';
import { isJsonObject } from '@sessions/domain';
import type { JsonObject, JsonValue } from '@sessions/domain';

/** Time for a connection to come about. Milliseconds. */
const CONNECT_MS = 10_000;
/** How long a gateway that went away may take to come back, and how often it is looked for. */
const AWAY_MS_MAX = 60_000;
const LOOK_MS = 500;
/** Longest wait that a gateway takes at a time. */
const WAIT_MS_MAX = 600_000;
/** Close codes of a gateway that goes away or is gone; others it means. */
const PASSING_CODES: ReadonlySet<number> = new Set([1000, 1001, 1005, 1006, 1012, 1013]);

export interface AgentTurnOptions extends Pick<GatewayConnectOptions, 'target' | 'scopes' | 'clientVersion'> {
  /** Of the method `agent`, with its `idempotencyKey`, which names the run. */
  readonly params: JsonObject & { readonly idempotencyKey: string };
  /** For the whole turn. Milliseconds. */
  readonly timeoutMs: number;
  /** Ends the wait; the run goes on. */
  readonly signal?: AbortSignal;
  /** News of the run's text. */
  readonly onText?: (news: { readonly text?: string | undefined; readonly delta?: string | undefined }) => void;
}

/**
 * @returns the last answer: `status` `ok`, or `timeout` for a run that was stopped or ran out of time
 * @throws GatewayRequestError when the run failed or was refused, GatewayTransportError
 */
export async function agentTurn(options: AgentTurnOptions): Promise<unknown> {
  const endsAtMs = performance.now() + options.timeoutMs;
  const leftMs = (): number => Math.max(1, Math.round(endsAtMs - performance.now()));
  for (let client = await connect(options); ; ) {
    const own = client;
    const leave = (): void => own.close();
    options.signal?.addEventListener('abort', leave, { once: true });
    try {
      const answer = await client.call('agent', options.params, { expectFinal: true, timeoutMs: leftMs() });
      return isJsonObject(answer) && answer['status'] === 'in_flight' ? await waitFor(client, options.params.idempotencyKey, leftMs) : answer;
    } catch (error) {
      if (!isPassing(error) || options.signal?.aborted === true) throw error;
      client = await connectAgain(options, error, leftMs);
    } finally {
      options.signal?.removeEventListener('abort', leave);
      own.close();
    }
  }
}

/** Ends the run, as far as the gateway can be asked to. */
export async function stopTurn(options: AgentTurnOptions): Promise<void> {
  const client = await connectGateway({ ...options, timeoutMs: CONNECT_MS });
  try {
    await client.call('sessions.abort', { runId: options.params.idempotencyKey });
  } finally {
    client.close();
  }
}

function connect({ params, onText, ...options }: AgentTurnOptions): Promise<GatewayClient> {
  const onEvent = (event: string, payload: JsonObject): void => {
    const { data } = payload;
    if (event !== 'agent' || payload['runId'] !== params.idempotencyKey || payload['stream'] !== 'assistant' || !isJsonObject(data)) return;
    onText?.({ text: textOf(data['text']), delta: textOf(data['delta']) });
  };
  return connectGateway({ ...options, timeoutMs: CONNECT_MS, ...(onText !== undefined && { onEvent }) });
}

/** @throws `broken` when nobody comes back in time */
async function connectAgain(options: AgentTurnOptions, broken: unknown, leftMs: () => number): Promise<GatewayClient> {
  const awayUntilMs = performance.now() + Math.min(AWAY_MS_MAX, leftMs());
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    try {
      return await connect(options);
    } catch (error) {
      if (!isPassing(error)) throw error;
      if (performance.now() > awayUntilMs || options.signal?.aborted === true) throw broken;
    }
  }
}

/** The end of a run that another connection began. */
async function waitFor(client: GatewayClient, runId: string, leftMs: () => number): Promise<unknown> {
  for (;;) {
    const timeoutMs = Math.min(WAIT_MS_MAX, leftMs());
    const end = await client.call('agent.wait', { runId, timeoutMs }, { timeoutMs: timeoutMs + CONNECT_MS });
    if (!isJsonObject(end)) return end;
    if (end['status'] === 'error') throw new GatewayRequestError('UNAVAILABLE', textOf(end['error']) ?? 'the run failed', false, undefined);
    const isOver = end['status'] === 'ok' || 'endedAt' in end;
    if (!isOver && leftMs() > 1) continue;
    const reply = textOf(end['reply']);
    const result = { payloads: reply === undefined || reply === '' ? [] : [{ text: reply, mediaUrl: null }], meta: {} };
    const summary = end['status'] === 'ok' ? 'completed' : isOver ? 'aborted' : 'still running';
    return { runId, status: textOf(end['status']) ?? 'timeout', summary, result };
  }
}

const textOf = (value: JsonValue | undefined): string | undefined => (typeof value === 'string' ? value : undefined);

const isPassing = (error: unknown): boolean => error instanceof GatewayTransportError && error.kind === 'closed' && error.code !== null && PASSING_CODES.has(error.code);
