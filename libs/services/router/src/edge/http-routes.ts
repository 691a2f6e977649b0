/** The routes of the HTTP door; each translates to the RouterService. */
import type { SubmitMessageResponse } from '@sessions/contracts';
import { GetHistoryRequest } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import type { JsonObject } from '@sessions/domain';
import type { HandlerDeps } from '../deps';
import { SCOPE } from '../auth/scopes';
import { toClientMessage } from '../gateway/messages';
import { HISTORY_LIMIT_MAX, readPage } from '../handlers/get-history';
import { submitEnvelope } from '../handlers/submit-message';
import { readJsonBody, sendJson } from './http-answer';
import type { HttpCall, HttpRoute } from './http-server';

/** A page of history ends here too, bytes of JSON. */
const PAGE_BYTES_MAX = 8 * 1024 * 1024;

export function createHttpRoutes(deps: HandlerDeps): readonly HttpRoute[] {
  return [
    { method: 'POST', pattern: /^\/v1\/messages$/, scope: SCOPE.write, serve: (call) => postMessage(deps, call) },
    { method: 'GET', pattern: /^\/sessions\/(.+)\/history$/, scope: SCOPE.read, serve: (call) => getHistoryPage(deps, call) },
  ];
}

/** `POST /v1/messages`: 202 for a message that was taken in, 200 for every other answer. */
async function postMessage(deps: HandlerDeps, { request, response, url, context }: HttpCall): Promise<void> {
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

/** `GET /sessions/{key}/history`: newest page first, each page ascending. */
async function getHistoryPage(deps: HandlerDeps, { response, url, captured, context }: HttpCall): Promise<void> {
  const query = url.searchParams;
  const beforeSeq = cursorOf(query.get('cursor'));
  const includeTools = flagOf('includeTools', query.get('includeTools'));
  const page = await readPage(
    deps,
    GetHistoryRequest.create({ key: captured[0] ?? '', limit: limitOf(query.get('limit')), includeTools, ...(beforeSeq !== undefined && { beforeSeq }) }),
    context,
  );
  const { kept, wasCut } = fitting(page.records.map(toClientMessage).filter((message) => message !== undefined));
  const nextSeq = wasCut ? seqOf(kept[0]) : page.nextBeforeSeq;
  sendJson(response, 200, {
    sessionKey: page.key,
    ...(page.sessionId !== undefined && { sessionId: page.sessionId }),
    items: kept,
    messages: kept,
    hasMore: page.hasMore || wasCut,
    ...(nextSeq !== undefined && { nextCursor: String(nextSeq) }),
  });
}

/** The newest messages that fit. */
function fitting(messages: readonly JsonObject[]): { kept: readonly JsonObject[]; wasCut: boolean } {
  let bytes = 0;
  for (let place = messages.length - 1; place >= 0; place -= 1) {
    bytes += Buffer.byteLength(JSON.stringify(messages[place]));
    if (bytes > PAGE_BYTES_MAX && place < messages.length - 1) return { kept: messages.slice(place + 1), wasCut: true };
  }
  return { kept: messages, wasCut: false };
}

function seqOf(message: JsonObject | undefined): number | undefined {
  const identity = message?.__openclaw as { readonly seq?: number } | undefined;
  return identity?.seq;
}

function limitOf(text: string | null): number {
  if (text === null) return HISTORY_LIMIT_MAX;
  if (!/^\d{1,15}$/.test(text) || Number(text) < 1) throw new SessionError('VALIDATION', 'limit must be a whole number, at least 1');
  return Math.min(Number(text), HISTORY_LIMIT_MAX);
}

function cursorOf(text: string | null): number | undefined {
  if (text === null) return undefined;
  const seq = /^(?:seq:)?(\d{1,15})$/.exec(text)?.[1];
  if (seq === undefined) throw new SessionError('VALIDATION', 'cursor must be a message number such as 13 or seq:13');
  return Number(seq);
}

function flagOf(name: string, text: string | null): boolean {
  if (text === null || text === '0' || text === 'false') return false;
  if (text === '' || text === '1' || text === 'true') return true;
  throw new SessionError('VALIDATION', `${name} must be 1 or 0`);
}
