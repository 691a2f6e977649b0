/**
 * The one port of the router: HTTP requests, and upgrades to the gateway's WebSocket.
 *
 * Every route but health, readiness and the description of the routes wants `Authorization: Bearer`
 * with a token or the password, judged before the path's own content is looked at.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { SessionError } from '@sessions/domain';
import { metaFromClient, toSessionError } from '@sessions/bus';
import type { Bus, CallContext } from '@sessions/bus';
import type { Clock, Health, Logger, Metrics } from '@sessions/host';
import type { Guard, Presented } from '../auth/guard';
import { scopeOfRoute } from '../auth/operations';
import { holdsScope, isRestrictedAlike } from '../auth/scopes';
import type { Listen } from '../deps';
import { dropRest, sendJson, sendMethodNotAllowed, sendRefusal, sendText, sendUnauthorized } from './http-answer';
import { RequestTurns } from './request-turns';

/** Time for the headers of a request, for all of it. */
const HEADERS_TIMEOUT_MS = 15_000;
const REQUEST_TIMEOUT_MS = 120_000;
/** Requests that are worked on at a time; one more is refused. */
const REQUESTS_MAX = 512;
/** Time for one request after its body was read. */
const CALL_DEADLINE_MS = 30_000;

/** What a route gets. */
export interface HttpCall {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  /** What the route's pattern captured, decoded. */
  readonly captured: readonly string[];
  readonly context: CallContext;
  /** True while the caller still holds the route's scope and sees the same agents; for answers that take long. */
  readonly isAllowed: () => boolean;
  /** Whose secret it came with, for what is bound to one principal; undefined: judged by the route itself. */
  readonly principalId: () => string | undefined;
}

export interface HttpRoute {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** As in the table of operations and in the OpenAPI document. */
  readonly path: string;
  readonly pattern: RegExp;
  /** Judges the request by itself, instead of by the gateway's secrets and a scope. */
  readonly isOwnGuard?: boolean;
  readonly serve: (call: HttpCall) => Promise<void>;
}

export interface HttpServerDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly health: Health;
  readonly guard: Guard;
  readonly uptimeMs: () => number;
  readonly routes: readonly HttpRoute[];
  readonly onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

export interface HttpServer {
  /** @throws the system's error when the address cannot be had (EADDRINUSE, EACCES ...) */
  listen(where: Listen): Promise<void>;
  address(): { readonly host: string; readonly port: number };
  /** Takes no new connection; resolves when the requests in hand are answered. */
  drain(): Promise<void>;
  stop(): Promise<void>;
}

export function createHttpServer(deps: HttpServerDeps): HttpServer {
  const open = new Set<ServerResponse>();
  const turns = new RequestTurns(deps.clock);
  let closed: Promise<void> | undefined;
  const requests = deps.metrics.counter('sessions_http_requests_total', 'HTTP requests answered', ['status']);
  const server: Server = createServer({ headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    open.add(response);
    if (closed !== undefined) endsConnection(response);
    response.once('close', () => {
      open.delete(response);
      requests.inc({ status: String(response.statusCode) });
    });
    const openAtOnce = open.size;
    turns.add(() => {
      // Its client has left while it waited.
      if (response.destroyed) return;
      void handle(deps, request, response, openAtOnce).catch((err: unknown) => {
        deps.logger.error('an HTTP request failed', { err });
        if (!response.headersSent) sendRefusal(response, toSessionError(err));
        else response.destroy();
      });
    });
  });
  server.on('upgrade', (request, socket, head) => deps.onUpgrade(request, socket, head));
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
  });
  const close = (): Promise<void> => (closed ??= new Promise((resolve) => server.close(() => resolve())));
  return {
    listen: ({ host, port }) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => {
          server.off('error', reject);
          resolve();
        });
      }),
    address() {
      const { address, port } = server.address() as AddressInfo;
      return { host: address, port };
    },
    async drain() {
      if (!server.listening) return;
      const done = close();
      // A client at work on a kept connection would go on for ever: its next request goes elsewhere.
      for (const response of open) endsConnection(response);
      server.closeIdleConnections();
      await done;
    },
    async stop() {
      const done = server.listening || closed !== undefined ? close() : Promise.resolve();
      server.closeAllConnections();
      await done;
    },
  };
}

function endsConnection(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('Connection', 'close');
}

async function handle(deps: HttpServerDeps, request: IncomingMessage, response: ServerResponse, open: number): Promise<void> {
  const url = readUrl(request);
  if (url === undefined) return sendRefusal(response, new SessionError('VALIDATION', 'the address is not valid'));
  const method = request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET');
  if (/^\/(health|healthz|ready|readyz)$/.test(url.pathname)) {
    return method === 'GET' ? sendHealth(deps, url.pathname, response) : sendMethodNotAllowed(response, ['GET', 'HEAD']);
  }
  if (open > REQUESTS_MAX) return sendRefusal(response, new SessionError('OVERLOADED', 'too many requests at a time', { retryAfterMs: 1000 }));
  const found = deps.routes.flatMap((route) => {
    const match = route.pattern.exec(url.pathname);
    return match === null ? [] : [{ route, captured: match.slice(1) }];
  });
  if (found.length === 0) return sendText(response, 404, 'Not Found');
  const chosen = found.find(({ route }) => route.method === method);
  if (chosen === undefined) {
    return sendMethodNotAllowed(response, found.flatMap(({ route }) => (route.method === 'GET' ? ['GET', 'HEAD'] : [route.method])));
  }
  await serveRoute(deps, chosen.route, { request, response, url, captured: chosen.captured });
}

async function serveRoute(deps: HttpServerDeps, route: HttpRoute, call: Omit<HttpCall, 'context' | 'isAllowed' | 'principalId'>): Promise<void> {
  const { request, response } = call;
  const operation = `${route.method} ${route.path}`;
  const needed = scopeOfRoute(operation);
  const presented: Presented = { door: 'http', operation, address: request.socket.remoteAddress, headers: request.headers };
  try {
    const scopes = route.isOwnGuard === true ? [] : deps.guard.admit(presented);
    if (route.isOwnGuard !== true) deps.guard.assertScope(presented, scopes, needed);
    const captured = call.captured.map(decoded);
    const isAllowed = (): boolean => {
      const now = deps.guard.again(presented) ?? [];
      return holdsScope(now, needed) && isRestrictedAlike(now, scopes);
    };
    await route.serve({ ...call, captured, isAllowed, principalId: () => deps.guard.principalId(presented), context: contextOf(deps, request, response, scopes) });
  } catch (thrown) {
    const error = toSessionError(thrown);
    if (error.reason === 'INTERNAL') deps.logger.error('an HTTP request failed', { err: error });
    if (response.headersSent) return void response.destroy();
    if (error.reason === 'UNAUTHENTICATED') return sendUnauthorized(response);
    if (error.reason === 'TOO_LARGE') {
      await dropRest(request);
      response.shouldKeepAlive = false;
    }
    sendRefusal(response, error);
  }
}

function contextOf(deps: HttpServerDeps, request: IncomingMessage, response: ServerResponse, scopes: readonly string[]): CallContext {
  const leaving = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) leaving.abort(new SessionError('SHUTTING_DOWN', 'the client has left'));
  });
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) if (typeof value === 'string') headers[name] = value;
  const idempotencyKey = headers['idempotency-key'];
  if (idempotencyKey !== undefined) headers['sess-idempotency-key'] = idempotencyKey;
  const meta = metaFromClient(headers, { caller: 'client:http', scopes });
  return { ...meta, signal: leaving.signal, deadlineAtMs: deps.bus.clock.nowMs() + CALL_DEADLINE_MS };
}

function sendHealth(deps: HttpServerDeps, path: string, response: ServerResponse): void {
  if (path.startsWith('/health')) return sendJson(response, 200, { ok: true, status: 'live' });
  const { ready, phase, parts } = deps.health.report();
  const failing = [...(phase === 'serving' ? [] : [phase]), ...Object.entries(parts).flatMap(([name, part]) => (part.state === 'down' ? [name] : []))];
  const eventLoop = { longestStallMs: Math.round(deps.metrics.eventLoopStallMs()) };
  sendJson(response, ready ? 200 : 503, { ready, failing, uptimeMs: deps.uptimeMs(), eventLoop });
}

/** Keys may stand in a path as they are, so what is not escaped properly is taken literally. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function readUrl(request: IncomingMessage): URL | undefined {
  try {
    return new URL(request.url ?? '/', 'http://router');
  } catch {
    return undefined;
  }
}
