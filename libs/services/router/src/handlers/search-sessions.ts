/** SearchSessions: hits of one agent, or of one agent after the other, behind one cursor. */
import { SearchRequest, SearchSessionsResponse } from '@sessions/contracts';
import type { SearchHit, SearchSessionsRequest } from '@sessions/contracts';
import { SessionError, parseSearchQuery } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import { agentsToRead } from './resolve-address';

const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 100;
/** Calls of stores for one answer; where there is more to look through, a cursor says so. */
const CALLS_MAX = 64;

interface Cursor {
  readonly agentId: string;
  readonly inner: string | undefined;
}

/** @throws VALIDATION for an empty query, a limit out of range, an unknown `in` or a foreign cursor */
export async function searchSessions(
  deps: HandlerDeps,
  request: SearchSessionsRequest,
  context: CallContext,
): Promise<SearchSessionsResponse> {
  const query = request.query.trim();
  if (query === '') throw new SessionError('VALIDATION', 'query must not be empty');
  if (!['', 'meta', 'text'].includes(request.in)) throw new SessionError('VALIDATION', 'in must be "meta" or "text"');
  const limit = request.limit ?? LIMIT_DEFAULT;
  if (!(limit >= 1 && limit <= LIMIT_MAX)) throw new SessionError('VALIDATION', `limit must be 1 to ${LIMIT_MAX}`);
  const agents = await agentsToRead(deps, { agentId: request.agentId, all: true, discover: true }, context);
  const from = request.cursor === undefined ? undefined : parseCursor(request.cursor);
  const first = from === undefined ? 0 : agents.findIndex((agent) => agent.agentId === from.agentId);
  const { channel, sinceAtMs, untilAtMs } = request;
  if (request.in === 'text') parseSearchQuery(query);
  const hits: SearchHit[] = [];
  let incomplete = false;
  let calls = 0;
  // Of an agent that is gone, or that this caller does not see: beginning anew would give the same hits twice.
  if (first === -1) throw foreignCursor();
  for (let place = first; place < agents.length; place += 1) {
    const agentId = agents[place]?.agentId ?? '';
    let cursor = place === first ? from?.inner : undefined;
    do {
      if (hits.length >= limit || calls >= CALLS_MAX) return SearchSessionsResponse.create({ hits, nextCursor: formatCursor({ agentId, inner: cursor }), incomplete });
      calls += 1;
      const page = await deps.stores.read(
        'search',
        SearchRequest.create({ agentId, query, in: request.in, limit: limit - hits.length, cursor, channel, sinceAtMs, untilAtMs }),
        context,
      );
      hits.push(...page.hits);
      incomplete ||= page.incomplete;
      cursor = page.nextCursor;
    } while (cursor !== undefined);
  }
  return SearchSessionsResponse.create({ hits, incomplete });
}

function formatCursor({ agentId, inner }: Cursor): string {
  return Buffer.from(JSON.stringify([agentId, inner ?? null]), 'utf8').toString('base64url');
}

function parseCursor(text: string): Cursor {
  try {
    const [agentId, inner] = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as unknown[];
    if (typeof agentId === 'string' && (inner === null || typeof inner === 'string')) return { agentId, inner: inner ?? undefined };
  } catch {
    // Not one of ours: refused below like any other text.
  }
  throw foreignCursor();
}

const foreignCursor = (): SessionError => new SessionError('VALIDATION', 'cursor is not one that a search answered');
