/**
 * `openclaw sessions search <query>`: sessions by their names, messages by what was said. The gateway
 * answers where one listens and no store is named by its file; else the files do.
 */
import { loadCliContext } from '../cli-context';
import type { CliContext } from '../cli-context';
import { EXIT } from '../cli-io';
import type { CliIo, ExitCode } from '../cli-io';
import { parsePositive } from '../flags/list-flags';
import type { ScopeFlags } from '../flags/list-flags';
import { parseMoment } from '../flags/moment';
import { askGateway } from '../gateway/ask-gateway';
import { searchRows, searchTranscripts } from '../offline/search-files';
import type { SearchFilter, SearchHit, SearchPage } from '../offline/search-files';
import { selectStores } from '../offline/select-stores';
import { renderHit } from '../render/search-text';
import { visibleText } from '../render/visible-text';
import { QUERY_CHARS_MAX, SessionError, isJsonObject, parseSearchQuery } from '@sessions/domain';
import type { JsonObject, JsonValue } from '@sessions/domain';

export interface SearchFlags extends ScopeFlags {
  readonly query: string;
  readonly in?: string | undefined;
  readonly channel?: string | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly limit?: string | undefined;
  readonly json?: boolean | undefined;
}

type Place = 'meta' | 'text';

const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 100;
const PLACES: Readonly<Record<string, readonly Place[]>> = { meta: ['meta'], text: ['text'], all: ['meta', 'text'] };

/** @throws VALIDATION, AGENT_UNKNOWN, STORE_UNREADABLE; what the gateway refuses with */
export async function runSessionsSearch(io: CliIo, flags: SearchFlags): Promise<ExitCode> {
  const { query } = flags;
  const places = PLACES[flags.in ?? 'all'];
  if (places === undefined) throw new SessionError('VALIDATION', '--in must be meta, text or all.', { facts: { option: '--in', given: flags.in ?? '' } });
  const filter = filterOf(flags, io.nowMs());
  const context = loadCliContext(io);
  const pages: SearchPage[] = [];
  for (const place of places) pages.push(await searchIn(context, flags, place, filter));
  const hits = pages.flatMap((page) => page.hits);
  const hasMore = pages.some((page) => page.hasMore);
  const warnings = [...new Set(pages.flatMap((page) => page.warnings))];
  if (flags.json === true) {
    io.out(`${JSON.stringify({ query, in: flags.in ?? 'all', count: hits.length, hasMore, hits, ...(warnings.length > 0 && { warnings }) }, null, 2)}\n`);
    return EXIT.ok;
  }
  io.out(hits.map(renderHit).join(''));
  for (const warning of warnings) io.err(`warning: ${visibleText(warning)}\n`);
  if (hits.length === 0) io.err('Nothing found.\n');
  if (hasMore) io.err(`There are more hits: raise --limit (${String(filter.limit)}), or narrow the query.\n`);
  return EXIT.ok;
}

/** @throws VALIDATION */
function filterOf({ query, limit: given, channel, since, until, in: place }: SearchFlags, nowMs: number): SearchFilter {
  if (query.trim() === '' || query.length > QUERY_CHARS_MAX) throw new SessionError('VALIDATION', `The query must have 1 to ${String(QUERY_CHARS_MAX)} characters.`, { facts: { queryChars: query.length } });
  // A query without a letter or digit may still be a piece of a key.
  if (place === 'text') parseSearchQuery(query);
  const limit = given === undefined ? LIMIT_DEFAULT : (parsePositive(given.trim()) ?? 0);
  if (limit < 1 || limit > LIMIT_MAX) throw new SessionError('VALIDATION', `--limit must be 1 to ${String(LIMIT_MAX)}.`, { facts: { option: '--limit', given: given ?? '' } });
  return { query, channel: channel ?? null, sinceMs: parseMoment('--since', since, nowMs), untilMs: parseMoment('--until', until, nowMs), limit };
}

async function searchIn(context: CliContext, flags: SearchFlags, place: Place, filter: SearchFilter): Promise<SearchPage> {
  if (place === 'text' && flags.in !== 'text' && !hasWords(filter.query)) return { hits: [], hasMore: false, warnings: [] };
  const { stores, allAgents } = selectStores(flags, context);
  const isByPath = flags.store !== undefined && flags.store !== '';
  const asked = isByPath ? undefined : await askGateway(context, 'sessions.search', paramsOf(place, filter, allAgents ? undefined : stores[0]?.agentId));
  if (asked !== undefined) return pageOf(asked);
  const search = place === 'meta' ? searchRows : searchTranscripts;
  const pages: SearchPage[] = [];
  for (const store of stores) pages.push(await search(store, filter));
  const hits = pages.flatMap((page) => page.hits).sort((a, b) => (b.at ?? 0) - (a.at ?? 0));
  return { hits: hits.slice(0, filter.limit), hasMore: hits.length > filter.limit || pages.some((page) => page.hasMore), warnings: pages.flatMap((page) => page.warnings) };
}

function hasWords(query: string): boolean {
  try {
    return parseSearchQuery(query).length > 0;
  } catch (error) {
    if (error instanceof SessionError && error.reason === 'VALIDATION') return false;
    throw error;
  }
}

function paramsOf(place: Place, { query, channel, sinceMs, untilMs, limit }: SearchFilter, agentId: string | undefined): JsonObject {
  return {
    query,
    in: place,
    limit,
    ...(agentId !== undefined && { agentId }),
    ...(channel !== null && { channel }),
    ...(sinceMs !== null && { since: Math.floor(sinceMs) }),
    ...(untilMs !== null && { until: Math.floor(untilMs) }),
  };
}

function pageOf(payload: JsonObject): SearchPage {
  const hits = Array.isArray(payload['hits']) ? (payload['hits'] as readonly JsonValue[]).filter(isJsonObject) : [];
  const warnings = payload['incomplete'] === true ? ['some transcripts are not indexed yet; what they say is missing'] : [];
  return { hits: hits as unknown as readonly SearchHit[], hasMore: payload['nextCursor'] !== undefined, warnings };
}
