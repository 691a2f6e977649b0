/**
 * The gateway's own MCP server, as the stdio server asks it: over streamable HTTP, one call at a time on
 * each connection, with a few connections. A gateway that goes away is asked again, with the same
 * idempotency key, so a call that it took before it went counts once.
 */
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport, StreamableHTTPError } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ErrorCode, McpError } from '@modelcontextprotocol/sdk/types.js';
import { SessionError } from '@sessions/domain';
import { randomUUID } from 'node:crypto';
import type { GatewayTarget } from '../gateway/gateway-target';

/** Longest wait for the answer of a tool; the gateway's own limit is a little shorter. Milliseconds. */
const CALL_MS = 620_000;
/** How long a gateway that went away may take to come back, and how often it is looked for. */
const AWAY_MS_MAX = 30_000;
const LOOK_MS = 500;
/** An answer and the end of its stream may come in one piece. */
const STREAM_END_GRACE_MS = 50;
/** Connections that are kept for the next call. */
const IDLE_MAX = 4;
/** As the gateway reads it. */
const IDEMPOTENCY_META = 'openclaw/idempotencyKey';

export interface UpstreamOptions {
  readonly target: GatewayTarget;
  /** Session on whose behalf the tools run; undefined: the default agent's main session. */
  readonly sessionKey: string | undefined;
  readonly version: string;
}

type ToolCall = Parameters<Client['callTool']>[0];

export interface Upstream {
  /** @throws SessionError when nobody answers, or the credentials are not good */
  listTools(): ReturnType<Client['listTools']>;
  callTool(params: ToolCall, signal: AbortSignal): ReturnType<Client['callTool']>;
  close(): Promise<void>;
}

/** The connection ended before the answer came. */
class Lost extends Error {}

interface Connection {
  readonly client: Client;
  /** The call under way; undefined: none. */
  call: { readonly lose: (error: Error) => void } | undefined;
}

export function createUpstream(options: UpstreamOptions): Upstream {
  const idle: Connection[] = [];
  let wasReached = false;
  const use = async <T>(work: (client: Client) => Promise<T>, signal?: AbortSignal): Promise<T> => {
    const awayUntilMs = performance.now() + AWAY_MS_MAX;
    for (;;) {
      let connection: Connection | undefined;
      try {
        connection = idle.pop() ?? (await connect(options));
        wasReached = true;
        const answer = await oneCall(connection, work);
        if (idle.length < IDLE_MAX) idle.push(connection);
        else void connection.client.close();
        return answer;
      } catch (error) {
        void connection?.client.close().catch(() => undefined);
        if (!isPassing(error) || signal?.aborted === true || !wasReached || performance.now() > awayUntilMs) throw toRefusal(error, options.target);
        // Those that are kept have ended with it.
        for (const { client } of idle.splice(0)) void client.close().catch(() => undefined);
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
    }
  };
  return {
    listTools: () => use((client) => client.listTools()),
    callTool(params, signal) {
      const named = { ...params, _meta: { [IDEMPOTENCY_META]: randomUUID() } };
      return use((client) => client.callTool(named, undefined, { signal, timeout: CALL_MS }), signal);
    },
    async close() {
      await Promise.allSettled(idle.splice(0).map(({ client }) => client.close()));
    },
  };
}

async function oneCall<T>(connection: Connection, work: (client: Client) => Promise<T>): Promise<T> {
  const lost = new Promise<never>((_resolve, reject) => (connection.call = { lose: reject }));
  lost.catch(() => undefined);
  try {
    return await Promise.race([work(connection.client), lost]);
  } finally {
    connection.call = undefined;
  }
}

async function connect({ target, sessionKey, version }: UpstreamOptions): Promise<Connection> {
  const url = new URL(target.url.replace(/^ws/, 'http'));
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/mcp`;
  if (sessionKey !== undefined) url.searchParams.set('sessionKey', sessionKey);
  const secret = target.token ?? target.password;
  const connection: Connection = { client: new Client({ name: 'openclaw-mcp', version }), call: undefined };
  const transport = new StreamableHTTPClientTransport(url, {
    requestInit: { headers: secret === undefined ? {} : { authorization: `Bearer ${secret}` } },
    async fetch(input, init) {
      const { call } = connection;
      return whenEnded(await fetch(input, init), () => call?.lose(new Lost('the gateway ended the connection before it answered')));
    },
  });
  // An answer that refuses the request is an answer; all else means that none will come.
  transport.onerror = (error) => connection.call?.lose(error instanceof StreamableHTTPError ? error : new Lost(error.message));
  await connection.client.connect(transport);
  return connection;
}

/** Tells of the end of a stream of events, which the client itself does not mind. */
function whenEnded(response: Response, onEnd: () => void): Response {
  if (response.body === null || response.headers.get('content-type')?.startsWith('text/event-stream') !== true) return response;
  const flush = (): void => void setTimeout(onEnd, STREAM_END_GRACE_MS);
  return new Response(response.body.pipeThrough(new TransformStream<Uint8Array, Uint8Array>({ flush })), response);
}

/** `fetch` says so of every connection that does not come about. */
const isUnreached = (error: unknown): boolean => error instanceof Lost || (typeof error === 'object' && error !== null && 'name' in error && error.name === 'TypeError');

/** A session that is gone, a gateway that is away. */
function isPassing(error: unknown): boolean {
  if (isUnreached(error)) return true;
  if (error instanceof StreamableHTTPError) return error.code === 404 || error.code === 503;
  return error instanceof McpError && error.code === (ErrorCode.ConnectionClosed as number);
}

function toRefusal(error: unknown, { url }: GatewayTarget): unknown {
  if (error instanceof StreamableHTTPError && error.code === 401) return new SessionError('UNAUTHENTICATED', `The gateway at ${url} does not take these credentials.`, { hint: 'Check --token or --password.' });
  if (error instanceof StreamableHTTPError && error.code === 403) return new SessionError('SCOPE_MISSING', `The credentials for the gateway at ${url} do not allow tools.`, { hint: 'They need operator.write.' });
  if (error instanceof StreamableHTTPError && error.code === 413) return new SessionError('TOO_LARGE', `The call is larger than the gateway at ${url} takes. Hand over less at a time.`);
  if (isUnreached(error)) return new SessionError('NO_OWNER', `No gateway answers at ${url}.`, { hint: 'Start one with: openclaw gateway run', cause: error });
  return error;
}
