/**
 * Search in names, ids, keys and models (`meta`), or in what was said in live transcripts (`text`).
 * Nothing of a query or a text is logged.
 */
import { SearchHit, SearchResponse, SessionRow, type SearchRequest } from '@sessions/contracts';
import { QUERY_CHARS_MAX, SessionError, nameSnippetOf, parseSearchQuery } from '@sessions/domain';
import type { IndexedTextHit } from '@sessions/store';
import type { OwnedAgent } from '../owned-agent';

const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 100;
const META_CURSOR = /^o(\d{1,12})$/;
const TEXT_CURSOR = /^t(\d{1,16})$/;

interface Page {
  readonly limit: number;
  readonly cursor: string | undefined;
}

/** @throws VALIDATION */
export async function search(agent: OwnedAgent, request: SearchRequest): Promise<SearchResponse> {
  const { limit = LIMIT_DEFAULT, cursor } = request;
  if (request.in !== '' && request.in !== 'meta' && request.in !== 'text') throw new SessionError('VALIDATION', 'in must be "meta" or "text"');
  if (limit < 1 || limit > LIMIT_MAX) throw new SessionError('VALIDATION', `limit must be 1 to ${String(LIMIT_MAX)}`);
  return request.in === 'text' ? searchTexts(agent, request, { limit, cursor }) : searchNames(agent, request, { limit, cursor });
}

function searchNames(agent: OwnedAgent, { query, channel, sinceAtMs, untilAtMs }: SearchRequest, { limit, cursor }: Page): Promise<SearchResponse> {
  if (query.trim() === '' || query.length > QUERY_CHARS_MAX) throw new SessionError('VALIDATION', `query must have 1 to ${String(QUERY_CHARS_MAX)} characters`);
  const offset = placeOf(cursor, META_CURSOR) ?? 0;
  const filter = {
    ...(channel === undefined ? {} : { channel }),
    ...(sinceAtMs === undefined ? {} : { updatedSinceMs: sinceAtMs }),
    ...(untilAtMs === undefined ? {} : { updatedBeforeMs: untilAtMs }),
  };
  return agent.read(
    async (store, open) => {
      const page = await store.list({ search: query, offset, limit, ...filter });
      const hits = page.encodedRows.map((encoded, at) => nameHit(agent.agentId, SessionRow.decode(encoded), query, `o${String(offset + at + 1)}`));
      const next = offset + hits.length;
      return SearchResponse.create({
        epoch: store.epoch,
        storeSeq: open.seq,
        hits,
        nextCursor: next < page.totalCount && hits.length > 0 ? `o${String(next)}` : undefined,
      });
    },
    () => SearchResponse.create({}),
  );
}

function searchTexts(agent: OwnedAgent, { query, channel, sinceAtMs, untilAtMs }: SearchRequest, { limit, cursor }: Page): Promise<SearchResponse> {
  const terms = parseSearchQuery(query);
  const beforeId = placeOf(cursor, TEXT_CURSOR);
  const filter = {
    ...(channel === undefined ? {} : { channel }),
    ...(sinceAtMs === undefined ? {} : { sinceMs: sinceAtMs }),
    ...(untilAtMs === undefined ? {} : { untilMs: untilAtMs }),
    ...(beforeId === undefined ? {} : { beforeId }),
  };
  return agent.read(
    async (store, open) => {
      const { hits, nextBeforeId, incomplete } = await store.searchTexts({ terms, limit, ...filter });
      return SearchResponse.create({
        epoch: store.epoch,
        storeSeq: open.seq,
        hits: hits.map((hit) => textHit(agent.agentId, hit)),
        nextCursor: nextBeforeId === undefined ? undefined : `t${String(nextBeforeId)}`,
        incomplete,
      });
    },
    () => SearchResponse.create({}),
  );
}

/** @throws VALIDATION */
function placeOf(cursor: string | undefined, form: RegExp): number | undefined {
  if (cursor === undefined) return undefined;
  const place = Number(form.exec(cursor)?.[1] ?? Number.NaN);
  if (!Number.isSafeInteger(place)) throw new SessionError('VALIDATION', 'cursor is not one that a search answered');
  return place;
}

/** The snippet is the name in which the text was found. */
function nameHit(agentId: string, row: SessionRow, query: string, cursor: string): SearchHit {
  const { snippet, highlights } = nameSnippetOf(row, query);
  return SearchHit.create({ agentId, key: row.key, sessionId: row.sessionId ?? '', snippet, highlights: highlights.map((range) => ({ ...range })), atMs: row.updatedAtMs, cursor });
}

function textHit(agentId: string, { id, key, sessionId, messageId, messageSeq, snippet, highlights, atMs, role }: IndexedTextHit): SearchHit {
  return SearchHit.create({ agentId, key, sessionId, messageId, messageSeq, snippet, highlights: highlights.map((range) => ({ ...range })), atMs, role, cursor: `t${String(id)}` });
}
