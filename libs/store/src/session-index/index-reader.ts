/**
 * Queries of the session index on a read-only connection, on the thread that serves requests. Each
 * costs what it returns; rows come as they were encoded when their entry changed.
 */
import type Database from 'better-sqlite3';
import { ROW_FLAGS, type JsonValue, type MaintenanceFacts } from '@sessions/domain';
import { USAGE_LINES_OF_RUN_MAX, type TranscriptTail, type UsageLine } from '../types';
import { matchesQuery, type ListColumns, type RankedRow } from './rank-rows';
import { entryColumns } from './entry-columns';
import { openIndexForReading } from './open-database';
import { META, VISIBILITY, type Visibility } from './schema';
import { toUsageLine, USAGE_COLUMNS, type UsageRow } from './usage-table';

export interface ListQuery {
  /** Which rows; the listed ones when absent. */
  readonly visibilities?: readonly Visibility[];
  /** Rows with `updatedAt` at or after this instant, and none without it. */
  readonly updatedSinceMs?: number;
  /** Exact and case-sensitive. */
  readonly label?: string;
  /** Key that an entry's `spawnedBy` or `parentSessionKey` equals. */
  readonly spawnedBy?: string;
  readonly offset?: number;
  /** Number.MAX_SAFE_INTEGER for all. */
  readonly limit: number;
}

export interface ListedRows {
  /** Each an encoded SessionRow, newest first, ties in store order. */
  readonly encodedRows: Uint8Array[];
  /** Rows that match, whatever offset and limit say. */
  readonly totalCount: number;
}

export interface IndexedEntry {
  readonly key: string;
  readonly text: string;
  readonly sessionId: string | null;
  readonly file: string | null;
  readonly visibility: Visibility;
}

export interface KnownResult {
  readonly hash: string;
  readonly result: JsonValue;
  readonly seq: number;
}

/** Results and notes that are read together; more are passed over. */
export const RESULTS_MAX = 10_000;
/** Ids of one statement of rows. */
const ROWS_A_STATEMENT = 1000;
/** Sorts behind every key, which is of visible ASCII characters. */
const LAST_KEY = '\x7f';
/** More entries than this do not share a transcript; if they do, the rest of them counts as sharing it too. */
const KEYS_OF_FILE_MAX = 16;

/** What plans are made from of one row, without its entry. */
export interface OrderedRow extends MaintenanceFacts {
  /** Place in the store. */
  readonly id: number;
  /** Age of the row in lists: epoch milliseconds; without a time before all others. */
  readonly sortAt: number;
  readonly key: string;
  /** Share of `sessions.json`. */
  readonly entryBytes: number;
  readonly sessionId: string | null;
  readonly file: string | null;
  /** Null when the entry has none that is a number. */
  readonly updatedAt: number | null;
}

export interface OldRow {
  readonly id: number;
  readonly sortAt: number;
  readonly key: string;
  readonly text: string;
  readonly sessionId: string | null;
  readonly file: string | null;
  readonly updatedAt: number | null;
  readonly visibility: Visibility;
}

export interface OpenWorkRow {
  readonly id: number;
  readonly key: string;
  readonly text: string;
  readonly sessionId: string | null;
}

interface OrderedId {
  readonly id: number;
  readonly sort_at: number;
}

interface EntryRow {
  readonly key: string;
  readonly json: Buffer;
  readonly session_id: string | null;
  readonly file: string | null;
  readonly visibility: Visibility;
}

export class IndexReader {
  readonly #db: Database.Database;
  readonly #agentId: string;
  readonly #statements: ReturnType<typeof statementsOf>;

  constructor(indexFile: string, agentId: string, nativeBinding?: string) {
    this.#agentId = agentId;
    this.#db = openIndexForReading(indexFile, nativeBinding);
    this.#statements = statementsOf(this.#db);
  }

  close(): void {
    this.#db.close();
  }

  list(query: ListQuery): ListedRows {
    return this.#db.transaction(() => {
      const { ids, totalCount } = this.#select(query);
      return { encodedRows: this.rowsOf(ids), totalCount };
    })();
  }

  /** As `list`, with what a caller needs to put other rows between them. */
  listRanked(query: ListQuery): { readonly rows: readonly RankedRow[]; readonly totalCount: number } {
    return this.#db.transaction(() => {
      const { ids, totalCount } = this.#select(query);
      return { rows: ids.map((id) => this.#rankedRow(id)), totalCount };
    })();
  }

  #rankedRow(id: number): RankedRow {
    const row = this.#statements.rankedRow().get(id) as Omit<RankedRow, 'encoded'> & { readonly encoded: Uint8Array | null };
    return { ...row, encoded: row.encoded ?? this.#makeRow(id) };
  }

  /** After an import rows are made in the background; one that is asked for before is made here. */
  #makeRow(id: number): Uint8Array {
    const { key, json } = this.#statements.entryById().get(id) as { key: string; json: Buffer };
    return entryColumns(key, this.#agentId, JSON.parse(json.toString('utf8')), (file) => this.transcript(file)?.exchanges).row;
  }

  /** Place of a key in the store; undefined for keys that the index has not. */
  orderOf(key: string): number | undefined {
    return this.#statements.orderOfKey().get(key) as number | undefined;
  }

  /** Whether the indexed entry of this key is among those that a query asks for, its page apart. */
  matches(key: string, query: ListQuery): boolean {
    const columns = this.#statements.columnsOfKey().get(key) as ListColumns | undefined;
    return columns !== undefined && matchesQuery(columns, query);
  }

  /** Rows by id, in the order given. One statement for many: a call of SQLite costs more than a row. */
  rowsOf(ids: readonly number[]): Uint8Array[] {
    const rows: Uint8Array[] = [];
    for (let from = 0; from < ids.length; from += ROWS_A_STATEMENT) {
      const some = ids.slice(from, from + ROWS_A_STATEMENT);
      const found = this.#statements.rowsOfIds().all(JSON.stringify(some)) as (Uint8Array | null)[];
      found.forEach((row, place) => rows.push(row ?? this.#makeRow(some[place] as number)));
    }
    return rows;
  }

  entry(key: string): IndexedEntry | undefined {
    return toEntry(this.#statements.entryByKey().get(key) as EntryRow | undefined);
  }

  /** JSON of one key's entry. By the index of keys alone: a decision needs nothing else of the row. */
  text(key: string): string | undefined {
    return this.#statements.textOfKey().get(key) as string | undefined;
  }

  entryOfSession(sessionId: string): IndexedEntry | undefined {
    return toEntry(this.#statements.entryBySession().get(sessionId) as EntryRow | undefined);
  }

  entryOfLabel(label: string): IndexedEntry | undefined {
    return toEntry(this.#statements.entryByLabel().get(label) as EntryRow | undefined);
  }

  /** The next rows of one visibility, oldest first, behind the row given. */
  oldestRows(visibility: Visibility, after: { readonly sortAt: number; readonly id: number } | undefined, limit: number): OldRow[] {
    const { sortAt, id } = after ?? { sortAt: Number.MIN_SAFE_INTEGER, id: Number.MAX_SAFE_INTEGER };
    const rows = this.#statements.oldestRows().all(visibility, sortAt, sortAt, id, limit) as (Omit<OldRow, 'text'> & { readonly json: Buffer })[];
    return rows.map(({ json, ...row }) => ({ ...row, text: json.toString('utf8') }));
  }

  /** What plans are made from of the next rows behind the id given, of any visibility, in the order in which they lie. */
  factRows(afterId: number, limit: number): OrderedRow[] {
    return this.#statements.factRows().all(afterId, limit) as OrderedRow[];
  }

  /** Rows whose archive is due by then, by an index of their own: those behind the id given, in the order in which they lie. */
  dueRows(nowMs: number, afterId: number, limit: number): OrderedRow[] {
    return this.#statements.dueRows().all(nowMs, afterId, limit) as OrderedRow[];
  }

  /** Rows whose removal was announced, and rows with a message that nobody has acknowledged: by indexes of their own. */
  *waitingRows(): Generator<OrderedRow> {
    const announced = this.#statements.announcedRows().all() as OrderedRow[];
    yield* announced;
    for (const row of this.#statements.undeliveredRows().iterate() as IterableIterator<OrderedRow>) if (row.removalAnnouncedAtMs === null) yield row;
  }

  /** Entries that hold work which has not ended, in the order of the store, behind the id given. */
  openWork(afterId: number, limit: number): OpenWorkRow[] {
    const rows = this.#statements.openWork().all(afterId, limit) as (Omit<OpenWorkRow, 'text'> & { readonly json: Buffer })[];
    return rows.map(({ json, ...row }) => ({ ...row, text: json.toString('utf8') }));
  }

  /** Keys of the entries with this transcript, at most KEYS_OF_FILE_MAX. */
  keysOfFile(file: string): string[] {
    return this.#statements.keysOfFile().all(file, KEYS_OF_FILE_MAX) as string[];
  }

  /** Row of one key, encoded. */
  row(key: string): Uint8Array | undefined {
    const found = this.#statements.rowOfKey().get(key) as { id: number; row: Uint8Array | null } | undefined;
    return found === undefined ? undefined : (found.row ?? this.#makeRow(found.id));
  }

  transcript(file: string): TranscriptTail | undefined {
    const row = this.#statements.transcript().get(file) as
      | { bytes: number; messages: number; exchanges: number; leaf_id: string | null; kind: TranscriptTail['kind'] }
      | undefined;
    if (row === undefined) return undefined;
    return { kind: row.kind, leafId: row.leaf_id, messages: row.messages, exchanges: row.exchanges, bytes: row.bytes };
  }

  result(key: string): KnownResult | undefined {
    const row = this.#statements.result().get(key) as { hash: string; json: string; seq: number } | undefined;
    return row === undefined ? undefined : { hash: row.hash, result: JSON.parse(row.json) as JsonValue, seq: Math.abs(row.seq) };
  }

  /** Of all keys that begin with the prefix, in the order of the keys. */
  resultsOf(prefix: string, limit: number): JsonValue[] {
    return (this.#statements.results().all(prefix, prefix + LAST_KEY, limit) as { json: string }[]).map(({ json }) => JSON.parse(json) as JsonValue);
  }

  usageOfRun(runId: string): UsageLine[] {
    return (this.#statements.usageOfRun().all(runId, USAGE_LINES_OF_RUN_MAX) as UsageRow[]).map(toUsageLine);
  }

  hasUsageOf(sessionId: string): boolean {
    return this.#statements.usageOfSession().get(sessionId) !== undefined;
  }

  meta(name: string): string | undefined {
    return this.#statements.meta().get(name) as string | undefined;
  }

  countOf(visibility: Visibility): number {
    return Number(this.meta(`${META.countPrefix}${visibility}`) ?? 0);
  }

  /** Rows that name one of these keys as `spawnedBy` or `parentSessionKey`, newest first, by that key; a key without such rows is absent. */
  childrenOf(keys: readonly string[], limitEach: number): ReadonlyMap<string, readonly Uint8Array[]> {
    const children = new Map<string, readonly Uint8Array[]>();
    // Most stores have none; then nothing is looked for.
    if (this.#statements.anyChild().get() === undefined) return children;
    for (const key of this.#statements.keysWithChild().all(JSON.stringify(keys)) as string[]) {
      const { ids } = this.#selectNarrow({ spawnedBy: key, limit: limitEach }, [VISIBILITY.listed], 0, limitEach);
      children.set(key, this.rowsOf(ids));
    }
    return children;
  }

  /** All entries that stand in the sessions file, unlisted ones included. */
  get entriesCount(): number {
    return Object.values(VISIBILITY).reduce<number>((sum, visibility) => sum + this.countOf(visibility), 0);
  }

  #select(query: ListQuery): { ids: number[]; totalCount: number } {
    const visibilities = query.visibilities ?? [VISIBILITY.listed];
    const offset = query.offset ?? 0;
    const end = Math.min(offset + query.limit, Number.MAX_SAFE_INTEGER);
    if (query.label !== undefined || query.spawnedBy !== undefined) return this.#selectNarrow(query, visibilities, offset, end);
    const since = query.updatedSinceMs;
    const plain = since === undefined;
    const only = visibilities.length === 1 ? visibilities[0] : undefined;
    if (only !== undefined) {
      const ids = plain
        ? this.#statements.newest().all(only, query.limit, offset)
        : this.#statements.newestSince().all(only, since, since, query.limit, offset);
      return { ids: (ids as OrderedId[]).map((row) => row.id), totalCount: this.#countMatching(only, since) };
    }
    const merged = visibilities.flatMap((visibility) => {
      const rows = plain ? this.#statements.newest().all(visibility, end, 0) : this.#statements.newestSince().all(visibility, since, since, end, 0);
      return rows as OrderedId[];
    });
    merged.sort(newestFirst);
    const totalCount = visibilities.reduce<number>((sum, visibility) => sum + this.#countMatching(visibility, since), 0);
    return { ids: merged.slice(offset, end).map((row) => row.id), totalCount };
  }

  #countMatching(visibility: Visibility, since: number | undefined): number {
    if (since === undefined) return this.countOf(visibility);
    return this.#statements.countSince().get(visibility, since, since) as number;
  }

  /** Labels and spawners match few rows, found by their own indexes. */
  #selectNarrow(query: ListQuery, visibilities: readonly Visibility[], offset: number, end: number): { ids: number[]; totalCount: number } {
    const found = (
      query.label !== undefined
        ? this.#statements.byLabel().all(query.label)
        : this.#statements.bySpawner().all(query.spawnedBy, query.spawnedBy)
    ) as (OrderedId & { visibility: Visibility; updated_at: number | null; spawned_by: string | null; parent_key: string | null })[];
    const rows = found.filter(
      (row) =>
        visibilities.includes(row.visibility) &&
        (query.updatedSinceMs === undefined || (row.updated_at !== null && row.updated_at >= query.updatedSinceMs)) &&
        (query.spawnedBy === undefined || row.spawned_by === query.spawnedBy || row.parent_key === query.spawnedBy),
    );
    rows.sort(newestFirst);
    return { ids: rows.slice(offset, end).map((row) => row.id), totalCount: rows.length };
  }
}

function newestFirst(a: OrderedId, b: OrderedId): number {
  return b.sort_at - a.sort_at || a.id - b.id;
}

function toEntry(row: EntryRow | undefined): IndexedEntry | undefined {
  if (row === undefined) return undefined;
  return { key: row.key, text: row.json.toString('utf8'), sessionId: row.session_id, file: row.file, visibility: row.visibility };
}

const FACT_COLUMNS = `id, sort_at AS sortAt, key, entry_bytes AS entryBytes, session_id AS sessionId, file, updated_at AS updatedAt, flags, active_at AS activeAtMs,
  other_ids AS otherIds, label, model, archive_at AS archiveAtMs, cleanup, removal_announced_at AS removalAnnouncedAtMs`;
const ENTRY_COLUMNS = 's.key, e.json, s.session_id, s.file, s.visibility';

/** Binds any values; the typed form of better-sqlite3 would fix them by the first call. */
type AnyStatement = Database.Statement<unknown[]>;

/** Each is prepared when it is first used: a command that asks for one list needs three of them. */
function statementsOf(db: Database.Database) {
  const query = (sql: string): (() => AnyStatement) => {
    let statement: AnyStatement | undefined;
    return () => (statement ??= db.prepare(sql));
  };
  const value = (sql: string): (() => AnyStatement) => {
    let statement: AnyStatement | undefined;
    return () => (statement ??= db.prepare(sql).pluck());
  };
  const entryWhere = (condition: string): (() => AnyStatement) =>
    query(`SELECT ${ENTRY_COLUMNS} FROM session s JOIN entry e ON e.id = s.id WHERE ${condition} ORDER BY s.sort_at DESC, s.id LIMIT 1`);
  const narrow = 'id, sort_at, visibility, updated_at, spawned_by, parent_key';
  return {
    newest: query('SELECT id, sort_at FROM session WHERE visibility = ? ORDER BY sort_at DESC, id LIMIT ? OFFSET ?'),
    newestSince: query(
      'SELECT id, sort_at FROM session WHERE visibility = ? AND sort_at >= ? AND updated_at >= ? ORDER BY sort_at DESC, id LIMIT ? OFFSET ?',
    ),
    countSince: value('SELECT count(*) FROM session WHERE visibility = ? AND sort_at >= ? AND updated_at >= ?'),
    byLabel: query(`SELECT ${narrow} FROM session WHERE label = ?`),
    bySpawner: query(`SELECT ${narrow} FROM session WHERE spawned_by = ? UNION SELECT ${narrow} FROM session WHERE parent_key = ?`),
    anyChild: value('SELECT 1 FROM (SELECT 1 FROM session WHERE spawned_by IS NOT NULL LIMIT 1) UNION ALL SELECT 1 FROM (SELECT 1 FROM session WHERE parent_key IS NOT NULL LIMIT 1) LIMIT 1'),
    keysWithChild: value(
      'SELECT value FROM json_each(?) WHERE EXISTS (SELECT 1 FROM session WHERE spawned_by = value) OR EXISTS (SELECT 1 FROM session WHERE parent_key = value)',
    ),
    // CROSS JOIN keeps the order of the ids.
    rowsOfIds: value('SELECT session.row FROM json_each(?) AS asked CROSS JOIN session ON session.id = asked.value'),
    rankedRow: query('SELECT key, sort_at AS sortAt, id AS "order", row AS encoded FROM session WHERE id = ?'),
    orderOfKey: value('SELECT id FROM session WHERE key = ?'),
    columnsOfKey: query(
      `SELECT visibility, updated_at AS updatedAt, sort_at AS sortAt, session_id AS sessionId, file, label,
       spawned_by AS spawnedBy, parent_key AS parentKey, status, open_work AS openWork, search FROM session WHERE key = ?`,
    ),
    rowOfKey: query('SELECT id, row FROM session WHERE key = ?'),
    entryById: query('SELECT s.key, e.json FROM session s JOIN entry e ON e.id = s.id WHERE s.id = ?'),
    // As text: a buffer of its own for each costs the collector more than SQLite's copy.
    textOfKey: value('SELECT CAST(json AS TEXT) FROM entry WHERE id = (SELECT id FROM session WHERE key = ?)'),
    entryByKey: entryWhere('s.key = ?'),
    entryBySession: entryWhere('s.session_id = ?'),
    entryByLabel: entryWhere('s.label = ?'),
    // Backwards through the index of lists: the order of ties is the other way round too.
    oldestRows: query(
      `SELECT s.id, s.sort_at AS sortAt, s.key, e.json, s.session_id AS sessionId, s.file, s.updated_at AS updatedAt, s.visibility
       FROM session s JOIN entry e ON e.id = s.id
       WHERE s.visibility = ? AND s.sort_at >= ? AND (s.sort_at > ? OR s.id < ?) ORDER BY s.sort_at, s.id DESC LIMIT ?`,
    ),
    factRows: query(`SELECT ${FACT_COLUMNS} FROM session WHERE id > ? ORDER BY id LIMIT ?`),
    dueRows: query(`SELECT ${FACT_COLUMNS} FROM session WHERE archive_at IS NOT NULL AND archive_at <= ? AND id > ? ORDER BY id LIMIT ?`),
    announcedRows: query(`SELECT ${FACT_COLUMNS} FROM session WHERE removal_announced_at IS NOT NULL ORDER BY id`),
    undeliveredRows: query(`SELECT ${FACT_COLUMNS} FROM session WHERE open_work = 1 AND flags & ${String(ROW_FLAGS.undelivered)} ORDER BY id`),
    openWork: query(
      'SELECT s.id, s.key, e.json, s.session_id AS sessionId FROM session s JOIN entry e ON e.id = s.id WHERE s.open_work = 1 AND s.id > ? ORDER BY s.id LIMIT ?',
    ),
    keysOfFile: value('SELECT key FROM session WHERE file = ? LIMIT ?'),
    transcript: query('SELECT bytes, messages, exchanges, leaf_id, kind FROM transcript WHERE file = ?'),
    result: query('SELECT hash, json, seq FROM result WHERE key = ?'),
    results: query('SELECT json FROM result WHERE key >= ? AND key < ? ORDER BY key LIMIT ?'),
    usageOfRun: query(`SELECT ${USAGE_COLUMNS} FROM usage WHERE run_id = ? ORDER BY epoch, seq, n LIMIT ?`),
    usageOfSession: value('SELECT 1 FROM usage WHERE session_id = ? LIMIT 1'),
    meta: value('SELECT value FROM meta WHERE name = ?'),
  };
}
