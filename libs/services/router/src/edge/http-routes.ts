/** The routes of the HTTP door, one table; each translates to the RouterService. */
import { GetHistoryRequest, KillSessionRequest } from '@sessions/contracts';
import type { SubmitMessageResponse } from '@sessions/contracts';
import { SessionError, isJsonObject } from '@sessions/domain';
import type { Metrics } from '@sessions/host';
import type { Guard } from '../auth/guard';
import { readPage } from '../handlers/get-history';
import type { RouterHandlers } from '../handlers/router-service';
import { submitEnvelope } from '../handlers/submit-message';
import { createDeliveryRoutes } from './delivery-routes';
import { readHistoryQuery, toHistoryJson } from './history-page';
import { createHookRoutes } from './hook-routes';
import { BODY_BYTES_MAX, readJsonBody, sendJson, sendText } from './http-answer';
import type { HttpCall, HttpRoute } from './http-server';
import { openApiDocument } from './open-api';
import { streamHistory } from './sse';
import type { SseDeps } from './sse';
import { createMcpRoutes } from '../mcp/mcp-route';
import type { McpSessions } from '../mcp/mcp-sessions';
import { createToolRoute } from './tool-route';

export interface HttpRoutesDeps extends SseDeps {
  readonly handlers: RouterHandlers;
  readonly guard: Guard;
  readonly metrics: Metrics;
  readonly version: string;
  readonly mcp: McpSessions;
}

export function createHttpRoutes(deps: HttpRoutesDeps): readonly HttpRoute[] {
  return [
    { method: 'POST', path: '/v1/messages', pattern: /^\/v1\/messages$/, serve: (call) => postMessage(deps, call) },
    ...createDeliveryRoutes(deps),
    { method: 'GET', path: '/sessions/{sessionKey}/history', pattern: /^\/sessions\/(.+)\/history$/, serve: (call) => getSessionHistory(deps, call) },
    { method: 'POST', path: '/sessions/{sessionKey}/kill', pattern: /^\/sessions\/(.+)\/kill$/, serve: (call) => postKill(deps, call) },
    createToolRoute(deps),
    ...createMcpRoutes(deps.mcp),
    ...createHookRoutes(deps),
    {
      method: 'GET',
      path: '/metrics',
      pattern: /^\/metrics$/,
      serve: async ({ response }) => sendText(response, 200, await deps.metrics.text(), { 'content-type': deps.metrics.contentType }),
    },
    {
      method: 'GET',
      path: '/openapi.json',
      pattern: /^\/openapi\.json$/,
      isOwnGuard: true,
      serve: async ({ response }) => sendJson(response, 200, openApiDocument(deps.version)),
    },
  ];
}

/** Characters of a key that a refusal repeats: as many as one has. */
const KEY_SHOWN_MAX = 256;

/** `POST /v1/messages`: 202 for a message that was taken in, 200 for every other answer. */
async function postMessage(deps: SseDeps, { request, response, url, context }: HttpCall): Promise<void> {
  const wait = url.searchParams.get('wait');
  if (wait !== null && !/^\d{1,9}$/.test(wait)) throw new SessionError('VALIDATION', 'wait must be a number of milliseconds');
  const body = await readJsonBody(request, BODY_BYTES_MAX);
  assertOneKey(request.headers['idempotency-key'], body);
  const answer = await submitEnvelope(deps, body, wait === null ? undefined : Number(wait), context);
  sendJson(response, answer.status === 'accepted' ? 202 : 200, toJson(answer));
}

/** A repeat is known by its key: of two nobody could say which one counts. @throws VALIDATION */
function assertOneKey(header: string | string[] | undefined, body: unknown): void {
  const member = isJsonObject(body) ? body['idempotencyKey'] : undefined;
  if (typeof header !== 'string' || typeof member !== 'string' || header === member) return;
  throw new SessionError('VALIDATION', 'the header Idempotency-Key and the member idempotencyKey must be the same key, or one of them absent', { facts: { header, idempotencyKey: member.slice(0, KEY_SHOWN_MAX) } });
}

function toJson(answer: SubmitMessageResponse): Record<string, unknown> {
  const { status, agentId, sessionKey, sessionId, runId, queued, position, matchedBy, reset, reply, ignoredReason, outcome, text } = answer;
  // Absent members are left out by JSON itself.
  return { ok: true, status, agentId, sessionKey, sessionId, runId, queued, position, matchedBy, reset, reply, ignoredReason, outcome, text };
}

/** `GET /sessions/{key}/history`: one page, or a live view for who follows. */
async function getSessionHistory(deps: SseDeps, { request, response, url, captured, context, isAllowed }: HttpCall): Promise<void> {
  const query = readHistoryQuery(url.searchParams);
  const key = captured[0] ?? '';
  if (query.follow || /\btext\/event-stream\b/.test(request.headers.accept ?? '')) {
    const header = request.headers['last-event-id'];
    const lastEventId = (typeof header === 'string' ? header : undefined) ?? url.searchParams.get('lastEventId') ?? undefined;
    return streamHistory(deps, response, { key, query, lastEventId, isAllowed }, context);
  }
  const { limit, beforeSeq, includeTools } = query;
  sendJson(response, 200, toHistoryJson(await readPage(deps, GetHistoryRequest.create({ key, limit, beforeSeq, includeTools }), context)));
}

/** `POST /sessions/{key}/kill`: ends the run of a session and of its children. */
async function postKill({ handlers }: HttpRoutesDeps, { response, captured, context }: HttpCall): Promise<void> {
  const { killed } = await handlers.killSession(KillSessionRequest.create({ key: captured[0] ?? '' }), context);
  sendJson(response, 200, { ok: true, killed });
}
