/** Entries of a store as its session index has them, with the journal's newest records laid over. */
import type { JournalRecord } from '../journal/codec';
import { entryColumns, type EntryColumns } from '../session-index/entry-columns';
import type { IndexReader, ListQuery } from '../session-index/index-reader';
import { VISIBILITY } from '../session-index/schema';
import { factRowOf, isWaiting, type FactRow } from './fact-row';
import { overlayOf, type Overlay } from './overlay';
import { matchesQuery, newestFirst, type RankedRow } from '../session-index/rank-rows';
import type { EntrySource, ReadEntry, ReadRows } from './store-reader';

/** Rows read at a time. */
const ROWS_PER_QUERY = 500;

export class IndexEntries implements EntrySource {
  readonly #agentId: string;
  readonly #index: IndexReader;
  readonly #overlay: Overlay;

  constructor(agentId: string, index: IndexReader, records: readonly JournalRecord[]) {
    this.#agentId = agentId;
    this.#index = index;
    this.#overlay = overlayOf(records, (key) => index.text(key));
  }

  list(query: ListQuery): ReadRows {
    if (this.#overlay.texts.size === 0) return this.#index.list(query);
    // Rows that changed since may stand anywhere: as many more are asked for, and theirs replaced.
    const changed = this.#changedRows(query);
    const wider = { ...query, offset: 0, limit: (query.offset ?? 0) + query.limit + this.#overlay.texts.size };
    const listed = this.#index.listRanked(wider);
    const kept = listed.rows.filter((row) => !this.#overlay.texts.has(row.key));
    const rows = [...kept, ...changed].sort(newestFirst);
    const replaced = [...this.#overlay.texts.keys()].filter((key) => this.#index.matches(key, query)).length;
    const offset = query.offset ?? 0;
    return { encodedRows: rows.slice(offset, offset + query.limit).map((row) => row.encoded), totalCount: listed.totalCount - replaced + changed.length };
  }

  firstExisting(keys: readonly string[]): ReadEntry | undefined {
    for (const key of keys) {
      const text = this.#text(key);
      if (text !== undefined) return { key, text };
    }
    return undefined;
  }

  ofSession(sessionId: string): ReadEntry | undefined {
    for (const [key, text] of this.#overlay.texts) {
      if (text !== undefined && this.#columns(key, text).sessionId === sessionId) return { key, text };
    }
    const found = this.#index.entryOfSession(sessionId);
    return found === undefined || this.#overlay.texts.has(found.key) ? undefined : { key: found.key, text: found.text };
  }

  *entries(): Generator<ReadEntry> {
    for (const visibility of Object.values(VISIBILITY)) {
      for (let rows = this.#index.oldestRows(visibility, undefined, ROWS_PER_QUERY); rows.length > 0; rows = this.#index.oldestRows(visibility, rows.at(-1), ROWS_PER_QUERY)) {
        for (const { key, text } of rows) if (!this.#overlay.texts.has(key)) yield { key, text };
      }
    }
    for (const [key, text] of this.#overlay.texts) if (text !== undefined) yield { key, text };
  }

  *factRows(): Generator<FactRow> {
    for (let rows = this.#index.factRows(Number.MIN_SAFE_INTEGER, ROWS_PER_QUERY); rows.length > 0; rows = this.#index.factRows(rows.at(-1)?.id ?? Number.MAX_SAFE_INTEGER, ROWS_PER_QUERY)) {
      for (const row of rows) if (!this.#overlay.texts.has(row.key)) yield row;
    }
    yield* this.#changedFacts();
  }

  *waitingRows(): Generator<FactRow> {
    for (const row of this.#index.waitingRows()) if (!this.#overlay.texts.has(row.key)) yield row;
    for (const row of this.#changedFacts()) if (isWaiting(row)) yield row;
  }

  *#changedFacts(): Generator<FactRow> {
    for (const [key, text] of this.#overlay.texts) if (text !== undefined) yield factRowOf(key, JSON.parse(text), Buffer.byteLength(text));
  }

  close(): void {
    this.#index.close();
  }

  #text(key: string): string | undefined {
    return this.#overlay.texts.has(key) ? this.#overlay.texts.get(key) : this.#index.text(key);
  }

  #columns(key: string, text: string): EntryColumns {
    return entryColumns(key, this.#agentId, JSON.parse(text), (file) => {
      const known = this.#index.transcript(file)?.exchanges;
      const added = this.#overlay.exchanges.get(file);
      return known === undefined && added === undefined ? undefined : (known ?? 0) + (added ?? 0);
    });
  }

  #changedRows(query: ListQuery): RankedRow[] {
    const rows: RankedRow[] = [];
    for (const [key, text] of this.#overlay.texts) {
      if (text === undefined) continue;
      const columns = this.#columns(key, text);
      const order = this.#index.orderOf(key) ?? Number.MAX_SAFE_INTEGER;
      if (columns.visibility !== VISIBILITY.unlisted && matchesQuery(columns, query)) rows.push({ key, sortAt: columns.sortAt, order, encoded: columns.row });
    }
    return rows;
  }
}
