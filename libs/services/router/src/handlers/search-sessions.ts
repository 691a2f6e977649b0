/**
 * SearchSessions: hits of one agent, or of several as one list, the newest first: of one time in the order
 * of the agents, of one agent in the order of its store. An answer holds so many hits and asks so much of
 * the stores at most; its cursor says of each agent how far it was given.
 */
import { SearchRequest, SearchSessionsResponse } from '@sessions/contracts';
import type { SearchHit, SearchSessionsRequest } from '@sessions/contracts';
import { SessionError, parseSearchQuery } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import { agentsToRead } from './resolve-address';
import { formatSearchCursor, parseSearchCursor } from './search-cursor';
import type { Place } from './search-cursor';

const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 100;
/** Stores that one search asks at the same time. */
const STORES_AT_ONCE = 8;
/** Calls of stores for one answer beyond the first of each; where there is more to look through, a cursor says so. */
const MORE_CALLS_MAX = 64;
/** Of one agent among many few hits are in the answer: they are asked for in portions. */
const PORTION_MIN = 5;

/** What is known of one agent: hits not given yet, and where its store goes on behind them. */
interface Source {
  readonly agentId: string;
  hits: SearchHit[];
  /** Behind the last hit given; undefined: from the beginning. */
  given: Place;
  /** Behind everything that was asked for; null: that was all. */
  asked: Place;
}

/** @throws VALIDATION for an empty query, a limit out of range, an unknown `in` or a foreign cursor */
export async function searchSessions(deps: HandlerDeps, request: SearchSessionsRequest, context: CallContext): Promise<SearchSessionsResponse> {
  const query = request.query.trim();
  if (query === '') throw new SessionError('VALIDATION', 'query must not be empty');
  if (!['', 'meta', 'text'].includes(request.in)) throw new SessionError('VALIDATION', 'in must be "meta" or "text"');
  const limit = request.limit ?? LIMIT_DEFAULT;
  if (!(limit >= 1 && limit <= LIMIT_MAX)) throw new SessionError('VALIDATION', `limit must be 1 to ${LIMIT_MAX}`);
  const agents = await agentsToRead(deps, { agentId: request.agentId, all: true, discover: true }, context);
  const places = parseSearchCursor(request.cursor, agents.map(({ agentId }) => agentId));
  if (request.in === 'text') parseSearchQuery(query);
  const sources = agents.map(({ agentId }): Source => ({ agentId, hits: [], given: places.get(agentId), asked: places.get(agentId) }));
  const portion = agents.length === 1 ? limit : Math.min(limit, Math.max(PORTION_MIN, Math.ceil((2 * limit) / agents.length)));
  const { channel, sinceAtMs, untilAtMs } = request;
  let incomplete = false;
  const ask = async (source: Source): Promise<void> => {
    const { agentId, asked } = source;
    const page = await deps.stores.read('search', SearchRequest.create({ agentId, query, in: request.in, limit: portion, cursor: asked ?? undefined, channel, sinceAtMs, untilAtMs }), context);
    incomplete ||= page.incomplete;
    source.hits.push(...page.hits);
    source.asked = page.nextCursor ?? null;
    // Looked through, and nothing found: not to be looked through again.
    if (source.hits.length === 0) source.given = source.asked;
  };
  const hits: SearchHit[] = [];
  for (let calls = 0; hits.length < limit; ) {
    const unknown = sources.filter(({ hits: own, asked }) => own.length === 0 && asked !== null);
    if (unknown.length === 0) {
      const newest = newestOf(sources);
      if (newest === undefined) break;
      hits.push(take(newest));
      continue;
    }
    // The first call of each agent is owed to the order; further ones are bounded.
    if (calls >= sources.length + MORE_CALLS_MAX) break;
    const some = unknown.slice(0, STORES_AT_ONCE);
    calls += some.length;
    await Promise.all(some.map(ask));
  }
  const isMore = sources.some(({ given }) => given !== null);
  return SearchSessionsResponse.create({ hits, incomplete, nextCursor: isMore ? formatSearchCursor(sources.map(({ agentId, given }) => [agentId, given] as const)) : undefined });
}

/** The agent whose next hit is the newest; of equal ones the first. */
function newestOf(sources: readonly Source[]): Source | undefined {
  let newest: Source | undefined;
  for (const source of sources) {
    const [hit] = source.hits;
    if (hit !== undefined && (newest === undefined || (hit.atMs ?? 0) > (newest.hits[0]?.atMs ?? 0))) newest = source;
  }
  return newest;
}

/** Its next hit; how to go on behind it stays with the agent. */
function take(source: Source): SearchHit {
  const [hit, ...rest] = source.hits;
  if (hit === undefined) throw new SessionError('INTERNAL', 'an agent without hits has none to give');
  const { cursor, ...shown } = hit;
  source.hits = rest;
  // A store of an older version names none: what follows is given again rather than not at all.
  source.given = rest.length === 0 ? source.asked : (cursor ?? source.given);
  return { ...shown, cursor: undefined };
}
