/**
 * Sessions of MCP clients over HTTP: one transport and one server each, in this process only. A client
 * whose session is gone (this router restarted, another router was reached, too many were open) is
 * answered 404 and begins another, as the protocol wants it; nothing is lost with a session.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { SessionError } from '@sessions/domain';
import type { Clock, Timer } from '@sessions/host';
import { createMcpServer } from './mcp-server';
import type { McpTools } from './mcp-server';

/** Sessions at a time; for one more the one that was unused longest ends. */
export const MCP_SESSIONS_MAX = 256;
/** A session that was unused for so long ends. Milliseconds. */
export const MCP_IDLE_MS = 30 * 60_000;
/** Largest message of a client, bytes: a spawn with all the files that it may hand over, in base64. */
export const MESSAGE_BYTES_MAX = 8 * 1024 * 1024;

/** What a session is bound to: another principal does not come in by its id. */
export interface McpOwner {
  /** Whose secret the requests come with. */
  readonly principalId: string | undefined;
  /** Words `agent:<id>` among them restrict it. */
  readonly scopes: readonly string[];
  /** Session on whose behalf the tools run; undefined: the default agent's main session. */
  readonly sessionKey: string | undefined;
}

interface McpSession {
  readonly transport: StreamableHTTPServerTransport;
  readonly owner: McpOwner;
  calls: number;
  usedAtMs: number;
}

export interface McpSessionsDeps {
  readonly clock: Clock;
  readonly version: string;
  readonly toolsFor: (owner: McpOwner) => McpTools;
  readonly sessionsMax?: number;
}

/** A request, and what its handlers are told of it. */
export interface McpRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly owner: McpOwner;
  readonly extra: Record<string, unknown>;
}

export class McpSessions {
  readonly #deps: McpSessionsDeps;
  readonly #sessions = new Map<string, McpSession>();
  #timer: Timer | undefined;
  #closed = false;

  constructor(deps: McpSessionsDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** @throws OVERLOADED, SHUTTING_DOWN */
  async handle({ request, response, owner, extra }: McpRequest): Promise<void> {
    if (this.#closed) throw new SessionError('SHUTTING_DOWN', 'the router is going away');
    const id = request.headers['mcp-session-id'];
    const session = id === undefined ? await this.#begin(owner) : this.#sessions.get(String(id));
    // An id of somebody else is as unknown as any other.
    if (session === undefined || !isSame(session.owner, owner)) return notFound(response);
    session.usedAtMs = this.#deps.clock.monotonicMs();
    const authorised = Object.assign(request, { auth: { token: '', clientId: '', scopes: [...owner.scopes], extra } });
    await session.transport.handleRequest(authorised, response);
    if (id === undefined && session.transport.sessionId === undefined) await session.transport.close();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await Promise.allSettled([...this.#sessions.values()].map(({ transport }) => transport.close()));
    this.#sessions.clear();
  }

  async #begin(owner: McpOwner): Promise<McpSession> {
    this.#makeRoom();
    const { clock, version, toolsFor } = this.#deps;
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      maxRequestBodySize: MESSAGE_BYTES_MAX,
      onsessioninitialized: (id) => {
        this.#sessions.set(id, session);
        this.#watch();
      },
      onsessionclosed: (id) => void this.#sessions.delete(id),
    });
    const session: McpSession = { transport, owner, calls: 0, usedAtMs: clock.monotonicMs() };
    const onCall = (change: 1 | -1): void => {
      session.calls += change;
      session.usedAtMs = clock.monotonicMs();
    };
    await createMcpServer({ version, sessionName: () => transport.sessionId ?? 'new', tools: toolsFor(owner), onCall }).connect(transport);
    return session;
  }

  /** @throws OVERLOADED while every session has a call under way */
  #makeRoom(): void {
    if (this.#sessions.size < (this.#deps.sessionsMax ?? MCP_SESSIONS_MAX)) return;
    const [oldest] = [...this.#sessions].filter(([, { calls }]) => calls === 0).sort(([, a], [, b]) => a.usedAtMs - b.usedAtMs);
    if (oldest === undefined) throw new SessionError('OVERLOADED', 'too many MCP sessions are at work', { retryAfterMs: 5_000 });
    this.#end(oldest[0]);
  }

  #end(id: string): void {
    const session = this.#sessions.get(id);
    this.#sessions.delete(id);
    void session?.transport.close().catch(() => undefined);
  }

  #watch(): void {
    if (this.#timer !== undefined || this.#closed || this.#sessions.size === 0) return;
    this.#timer = this.#deps.clock.setTimer(
      MCP_IDLE_MS / 10,
      () => {
        this.#timer = undefined;
        const unusedSinceMs = this.#deps.clock.monotonicMs() - MCP_IDLE_MS;
        for (const [id, { calls, usedAtMs }] of this.#sessions) if (calls === 0 && usedAtMs < unusedSinceMs) this.#end(id);
        this.#watch();
      },
      { keepsAlive: false },
    );
  }
}

const isSame = (a: McpOwner, b: McpOwner): boolean => a.principalId === b.principalId && a.sessionKey === b.sessionKey && a.scopes.length === b.scopes.length && a.scopes.every((scope) => b.scopes.includes(scope));

function notFound(response: ServerResponse): void {
  const body = JSON.stringify({ jsonrpc: '2.0', error: { code: -32_001, message: 'Session not found' }, id: null });
  response.writeHead(404, { 'content-type': 'application/json' }).end(body);
}
