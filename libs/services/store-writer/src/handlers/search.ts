/** Search: sessions whose names, ids, key or model hold a text. */
import { SearchHit, SearchResponse, SessionRow, type SearchRequest } from '@sessions/contracts';
import { SessionError, cutText } from '@sessions/domain';
import type { OwnedAgent } from '../owned-agent';

const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 100;
const QUERY_CHARS_MAX = 512;
const SNIPPET_CHARS_MAX = 200;
const CURSOR = /^o(\d{1,12})$/;

/** @throws VALIDATION; UNSUPPORTED for a search in transcripts */
export function search(agent: OwnedAgent, request: SearchRequest): Promise<SearchResponse> {
  const { query, limit = LIMIT_DEFAULT } = request;
  if (request.in === 'text') {
    throw new SessionError('UNSUPPORTED', 'the texts of transcripts cannot be searched here; names, ids, keys and models can (in: "meta")');
  }
  if (request.in !== '' && request.in !== 'meta') throw new SessionError('VALIDATION', 'in must be "meta" or "text"');
  if (query.trim() === '' || query.length > QUERY_CHARS_MAX) throw new SessionError('VALIDATION', `query must have 1 to ${String(QUERY_CHARS_MAX)} characters`);
  if (limit < 1 || limit > LIMIT_MAX) throw new SessionError('VALIDATION', `limit must be 1 to ${String(LIMIT_MAX)}`);
  const offset = offsetOf(request.cursor);
  return agent.read(
    async (store, open) => {
      const page = await store.list({ search: query, offset, limit });
      const hits = page.encodedRows.map((encoded) => hitOf(agent.agentId, SessionRow.decode(encoded), query));
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

function offsetOf(cursor: string | undefined): number {
  if (cursor === undefined) return 0;
  const offset = CURSOR.exec(cursor)?.[1];
  if (offset === undefined) throw new SessionError('VALIDATION', 'cursor is not one that a search answered');
  return Number(offset);
}

/** The snippet is the name in which the text was found. */
function hitOf(agentId: string, row: SessionRow, query: string): SearchHit {
  const needle = query.toLowerCase();
  const names = [row.displayName, row.label, row.subject, row.key, row.sessionId, row.model];
  const found = names.find((name) => name?.toLowerCase().includes(needle)) ?? row.key;
  return SearchHit.create({ agentId, key: row.key, sessionId: row.sessionId ?? '', snippet: cutText(found, SNIPPET_CHARS_MAX) });
}
