/** The two searches without a gateway: over the rows of a store, and through its transcripts. */
import { readerOptions, readStore } from './read-store';
import type { StoreChoice } from './select-stores';
import { SessionRow } from '@sessions/contracts';
import { familyIdsOf, isInChannel, nameSnippetOf, nativeView, parseEntry, parseSearchQuery, searchTextOf } from '@sessions/domain';
import { VISIBILITY, searchOffline, transcriptsById } from '@sessions/store';
import type { SearchedSession, StoreReader } from '@sessions/store';
import { dirname } from 'node:path';

export interface SearchFilter {
  readonly query: string;
  /** Null: all. */
  readonly channel: string | null;
  readonly sinceMs: number | null;
  readonly untilMs: number | null;
  /** Hits at most. */
  readonly limit: number;
}

/** As the gateway answers it. */
export interface SearchHit {
  readonly agentId: string;
  readonly key: string;
  readonly sessionId: string;
  /** Of messages alone, as the three below. */
  readonly messageId?: string;
  readonly seq?: number;
  readonly role?: string;
  /** Epoch milliseconds. */
  readonly at?: number;
  readonly snippet: string;
  /** Pairs of positions in the snippet. */
  readonly highlights: readonly (readonly [number, number])[];
}

export interface SearchPage {
  readonly hits: readonly SearchHit[];
  readonly hasMore: boolean;
  readonly warnings: readonly string[];
}

const ALL = Number.MAX_SAFE_INTEGER;

/** @throws STORE_UNREADABLE */
export function searchRows(store: StoreChoice, { query, channel, sinceMs, untilMs, limit }: SearchFilter): Promise<SearchPage> {
  const sought = query.trim();
  const needle = sought.toLowerCase();
  return readStore(store, (reader) => {
    const rows = rowsOf(reader, [VISIBILITY.listed]).filter(
      (row) =>
        searchTextOf(row).includes(needle) &&
        (channel === null || isInChannel(row, channel)) &&
        (sinceMs === null || (row.updatedAtMs ?? -1) >= sinceMs) &&
        (untilMs === null || (row.updatedAtMs !== undefined && row.updatedAtMs < untilMs)),
    );
    return { hits: rows.slice(0, limit).map((row) => rowHit(store.agentId, row, sought)), hasMore: rows.length > limit, warnings: warningsOf(reader) };
  });
}

/** @throws STORE_UNREADABLE; VALIDATION for a query with nothing to search for */
export async function searchTranscripts(store: StoreChoice, { query, channel, sinceMs, untilMs, limit }: SearchFilter): Promise<SearchPage> {
  const terms = parseSearchQuery(query);
  let byId: ReturnType<typeof transcriptsById> | undefined;
  const earlier = (id: string): readonly string[] => (byId ??= transcriptsById(dirname(store.path))).get(id) ?? [];
  const { sessions, warnings } = await readStore(store, (reader) => ({
    sessions: rowsOf(reader, [VISIBILITY.listed, VISIBILITY.global, VISIBILITY.unknown, VISIBILITY.cronRun])
      .filter((row) => channel === null || isInChannel(row, channel))
      .flatMap((row) => transcriptsOf(reader, row, earlier)),
    warnings: warningsOf(reader),
  }));
  // What another row goes on with is its own, whoever went on from it besides.
  const present = new Set(sessions.filter(({ isEarlier }) => !isEarlier).map(({ file }) => file));
  const searched = sessions.filter(({ isEarlier, file }) => !isEarlier || !present.has(file));
  const found = await searchOffline(readerOptions(store), searched, { terms, limit, ...(sinceMs !== null && { sinceMs }), ...(untilMs !== null && { untilMs }) });
  const unreadable = found.unreadableCount === 0 ? [] : [`${String(found.unreadableCount)} transcripts cannot be read and are left out; see: openclaw sessions verify`];
  return {
    hits: found.hits.map(({ messageSeq, atMs, highlights, ...hit }) => ({ agentId: store.agentId, ...hit, seq: messageSeq, at: atMs, highlights: highlights.map(({ start, end }) => [start, end] as const) })),
    hasMore: found.hasMore,
    warnings: [...warnings, ...unreadable],
  };
}

function rowsOf(reader: StoreReader, visibilities: readonly (typeof VISIBILITY)[keyof typeof VISIBILITY][]): SessionRow[] {
  return reader.list({ visibilities, limit: ALL }).encodedRows.map((encoded) => SessionRow.decode(encoded));
}

const warningsOf = ({ warning }: StoreReader): string[] => (warning === undefined ? [] : [warning]);

/** Its transcript, and those that it went on from after compactions. */
function transcriptsOf(reader: StoreReader, row: SessionRow, earlier: (id: string) => readonly string[]): (SearchedSession & { readonly isEarlier: boolean })[] {
  const text = reader.firstExisting([row.key])?.text;
  const entry = text === undefined ? undefined : parseEntry(JSON.parse(text));
  if (entry?.listed !== true || entry.file === null) return [];
  const { file, members } = entry;
  const before = [...familyIdsOf(nativeView(members))].filter((id) => id !== entry.sessionId).flatMap((sessionId) => earlier(sessionId).map((name) => ({ sessionId, file: name, isEarlier: true })));
  return [{ sessionId: row.sessionId ?? '', file, isEarlier: false }, ...before].map((one) => ({ key: row.key, ...one, updatedAtMs: row.updatedAtMs ?? null }));
}

function rowHit(agentId: string, row: SessionRow, query: string): SearchHit {
  const { snippet, highlights } = nameSnippetOf(row, query);
  return { agentId, key: row.key, sessionId: row.sessionId ?? '', ...(row.updatedAtMs !== undefined && { at: row.updatedAtMs }), snippet, highlights: highlights.map(({ start, end }) => [start, end] as const) };
}
