/**
 * The RouterService as an agent's session meets it on the bus: it reads what it may see, and everything
 * that changes something it does with the session tools, which know of hops, policies and marks.
 * What is hidden answers as what does not exist.
 */
import { GetUsageResponse, ListSessionsResponse, ResolveSessionResponse, SearchSessionsResponse, SessionRow, WaitRunResponse } from '@sessions/contracts';
import { SessionError, isSameKey } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import { agentCallerOf, createSight, notVisible, ownAddress } from '../auth/sight';
import type { SeenAddress, Sight } from '../auth/sight';
import { encodedWithShownLinks, entryWithShownLinks, eventWithShownLinks, linksOfEntry, linksOfEvent, linksOfRow } from '../auth/shown-links';
import type { HandlerDeps } from '../deps';
import { findRun } from './find-run';
import { LIST_LIMIT_DEFAULT } from './list-sessions';
import { storedAddressOfKey } from './resolve-address';
import type { RouterHandlers } from './router-service';

/** Rows that are looked through for one list. */
const ROWS_READ_MAX = 10_000;
const SEARCH_LIMIT_DEFAULT = 20;
const SEARCH_LIMIT_MAX = 100;
/** Pages of hits that are looked through for one search. */
const SEARCH_PAGES_MAX = 50;

/** What an agent's session calls as it is: it reads, and each address is judged where it is resolved. */
const JUDGED_BELOW: ReadonlySet<string> = new Set<keyof RouterHandlers>(['previewSessions', 'getHistory', 'listAgents', 'invokeTool']);

type Handler = (request: never, context: CallContext) => unknown;

/** The same handlers; those that an agent's session may call judge what it sees, all others refuse it. */
export function forAgents(deps: HandlerDeps, handlers: RouterHandlers): RouterHandlers {
  const own = ownHandlers(deps, handlers);
  const guarded = Object.entries(handlers).map(([name, handler]) => {
    const judging = own[name as keyof RouterHandlers] as unknown as Handler | undefined;
    const chosen = (request: never, context: CallContext): unknown => {
      if (agentCallerOf(context) === undefined || JUDGED_BELOW.has(name)) return (handler as Handler)(request, context);
      if (judging === undefined) return refuse(name);
      return judging(request, context);
    };
    return [name, chosen] as const;
  });
  // Names and kinds of the methods stay what they were.
  return Object.fromEntries(guarded) as unknown as RouterHandlers;
}

const STREAMS: ReadonlySet<string> = new Set<keyof RouterHandlers>(['streamDeliveries', 'subscribe', 'getHistory']);

function refuse(name: string): unknown {
  const refusal = new SessionError('NOT_VISIBLE', 'an agent does this with its session tools');
  if (!STREAMS.has(name)) return Promise.reject(refusal);
  return { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(refusal) }) };
}

function ownHandlers(deps: HandlerDeps, handlers: RouterHandlers): Partial<RouterHandlers> {
  const sightOf = (context: CallContext): Sight => createSight(deps, ownAddress(deps, agentCallerOf(context) ?? ''), context);
  return {
    async listSessions(request, context) {
      const sight = sightOf(context);
      // Whose children are asked for must be known, or the answer tells of it.
      if (request.spawnedBy !== undefined && (await sight.hiddenOf([request.spawnedBy], sight.caller.agentId)).size > 0) throw notVisible();
      const sees = await seenBy(sight);
      const { limit = LIST_LIMIT_DEFAULT, offset = 0 } = request;
      const all = await handlers.listSessions({ ...request, limit: ROWS_READ_MAX, offset: 0 }, asRouter(context));
      const visible = all.encodedRows.filter((bytes) => sees(SessionRow.decode(bytes)));
      const encodedRows = await shownRows(sight, visible.slice(offset, offset + limit));
      const nextOffset = offset + encodedRows.length;
      const hasMore = encodedRows.length > 0 && nextOffset < visible.length;
      return ListSessionsResponse.create({ ...all, encodedRows, totalCount: visible.length, limitApplied: limit, hasMore, nextOffset: hasMore ? nextOffset : undefined, path: undefined, stores: [], warnings: [] });
    },
    async describeSession(request, context) {
      // Its address is judged where it is resolved.
      const answer = await handlers.describeSession(request, context);
      const { encodedRow, entryJson } = answer;
      if (encodedRow === undefined) return answer;
      const sight = sightOf(context);
      const { agentId } = SessionRow.decode(encodedRow);
      const hidden = entryJson === undefined ? new Set<string>() : await sight.hiddenOf(linksOfEntry(entryJson), agentId);
      return { ...answer, encodedRow: (await shownRows(sight, [encodedRow]))[0], entryJson: entryJson === undefined ? undefined : entryWithShownLinks(entryJson, (key) => hidden.has(key)) };
    },
    async searchSessions(request, context) {
      const sees = await seenBy(sightOf(context));
      const limit = Math.min(request.limit ?? SEARCH_LIMIT_DEFAULT, SEARCH_LIMIT_MAX);
      const hits: SearchSessionsResponse['hits'] = [];
      let cursor: string | undefined;
      // No cursor is given on: where the next page begins would say how much was passed over.
      for (let page = 0; page < SEARCH_PAGES_MAX && hits.length < limit; page += 1) {
        const answer = await handlers.searchSessions({ ...request, limit: SEARCH_LIMIT_MAX, cursor }, asRouter(context));
        hits.push(...answer.hits.filter((hit) => sees(hit)));
        cursor = answer.nextCursor;
        if (cursor === undefined) break;
      }
      return SearchSessionsResponse.create({ hits: hits.slice(0, limit) });
    },
    async resolveSession(request, context) {
      const sight = sightOf(context);
      if (request.spawnedBy !== undefined && (await sight.hiddenOf([request.spawnedBy], sight.caller.agentId)).size > 0) throw notVisible();
      if (request.by?.$case === 'key') {
        const address = await storedAddressOfKey(deps, { key: request.by.value, agentId: request.agentId }, context);
        if (!(await sight.sees(address))) throw notVisible();
      }
      // Its own agent first, so that a stranger's session of the same name changes nothing.
      for (const agentId of request.agentId === undefined ? [sight.caller.agentId, undefined] : [request.agentId]) {
        const found = await handlers.resolveSession({ ...request, agentId, allowMissing: true }, asRouter(context)).catch(onAmbiguous);
        if (found.key !== undefined && (await sight.sees({ agentId: found.agentId ?? '', key: found.key }))) return found;
      }
      if (request.allowMissing) return ResolveSessionResponse.create({});
      throw new SessionError('SESSION_NOT_FOUND', request.by?.$case === 'label' ? `No session found with label: ${request.by.value}` : `No session found: ${request.by?.value ?? ''}`);
    },
    async getUsage(request, context) {
      if (request.key === undefined) throw notVisible();
      return GetUsageResponse.create(await handlers.getUsage(request, context));
    },
    async waitRun(request, context) {
      const sight = sightOf(context);
      const found = await findRun(deps, { runId: request.runId, agentId: request.agentId, nearAgentId: sight.caller.agentId, sees: (address) => sight.sees(address) }, asRouter(context));
      if (found === undefined) return WaitRunResponse.create({ state: 'unknown' });
      return handlers.waitRun({ ...request, agentId: found.agentId }, asRouter(context));
    },
    async *subscribe(request, context) {
      const sight = sightOf(context);
      if (request.all) throw notVisible();
      for (const key of request.keys) if (!(await sight.sees(await storedAddressOfKey(deps, { key }, context)))) throw notVisible();
      for await (const { event } of handlers.subscribe(request, asRouter(context))) {
        if (event === undefined) continue;
        // Anew for each: what was spawned since is seen.
        const hidden = await sightOf(context).hiddenOf(linksOfEvent(event), event.agentId);
        yield { event: eventWithShownLinks(event, (key) => hidden.has(key)) };
      }
    },
  };
}

/** Rows without the keys of which their reader may not know. */
async function shownRows(sight: Sight, encodedRows: readonly Buffer[]): Promise<Buffer[]> {
  const shown: Buffer[] = [];
  for (const encoded of encodedRows) {
    const row = SessionRow.decode(encoded);
    const hidden = await sight.hiddenOf(linksOfRow(row), row.agentId);
    shown.push(hidden.size === 0 ? encoded : encodedWithShownLinks(encoded, (key) => hidden.has(key)));
  }
  return shown;
}

/** What was judged here is read as the router itself; rights and time stay the caller's. */
const asRouter = (context: CallContext): CallContext => ({ ...context, caller: 'service:router/for-agents' });

function onAmbiguous(error: unknown): ResolveSessionResponse {
  if (error instanceof SessionError && error.reason === 'KEY_AMBIGUOUS') return ResolveSessionResponse.create({});
  throw error;
}

/** A test for many rows, made with one look at the tree. */
async function seenBy(sight: Sight): Promise<(address: SeenAddress) => boolean> {
  const tree = sight.range === 'self' ? [] : await sight.tree();
  const keys = new Set(tree.map(({ agentId, key }) => `${agentId} ${key}`));
  return ({ agentId, key }) => sight.seesAllOf(agentId) || keys.has(`${agentId} ${key}`) || (agentId === sight.caller.agentId && isSameKey(key, sight.caller.key));
}
