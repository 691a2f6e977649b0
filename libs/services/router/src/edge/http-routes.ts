/** The routes of the HTTP door; each translates to the RouterService. */
import { GetHistoryRequest } from '@sessions/contracts';
import type { SubmitMessageResponse } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import { SCOPE } from '../auth/scopes';
import { readPage } from '../handlers/get-history';
import { submitEnvelope } from '../handlers/submit-message';
import { readHistoryQuery, toHistoryJson } from './history-page';
import { readJsonBody, sendJson } from './http-answer';
import type { HttpCall, HttpRoute } from './http-server';
import { streamHistory } from './sse';
import type { SseDeps } from './sse';

export function createHttpRoutes(deps: SseDeps): readonly HttpRoute[] {
  return [
    { method: 'POST', pattern: /^\/v1\/messages$/, scope: SCOPE.write, serve: (call) => postMessage(deps, call) },
    { method: 'GET', pattern: /^\/sessions\/(.+)\/history$/, scope: SCOPE.read, serve: (call) => getSessionHistory(deps, call) },
  ];
}

/** `POST /v1/messages`: 202 for a message that was taken in, 200 for every other answer. */
async function postMessage(deps: SseDeps, { request, response, url, context }: HttpCall): Promise<void> {
  const wait = url.searchParams.get('wait');
  if (wait !== null && !/^\d{1,9}$/.test(wait)) throw new SessionError('VALIDATION', 'wait must be a number of milliseconds');
  const body = await readJsonBody(request);
  const answer = await submitEnvelope(deps, body, wait === null ? undefined : Number(wait), context);
  sendJson(response, answer.status === 'accepted' ? 202 : 200, toJson(answer));
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
