/**
 * Entries of a store straight from `sessions.json`, scanned entry by entry: for stores without a
 * usable index. Keeps the encoded rows and nothing else of each entry, so a store of any size that
 * fits the disk can be listed; one entry is found by scanning again.
 */
import * as fs from 'node:fs';
import { SessionError } from '@sessions/domain';
import type { JournalRecord } from '../journal/codec';
import { entryColumns } from '../session-index/entry-columns';
import { toIndexKey } from '../session-index/index-key';
import type { ListQuery } from '../session-index/index-reader';
import { scanSessionsFileSync } from '../sessions-file/scan-sessions-file';
import { factRowOf, isWaiting, type FactRow } from './fact-row';
import { overlayOf, type Overlay } from './overlay';
import { matchesQuery, newestFirst, type RankedRow } from '../session-index/rank-rows';
import type { EntrySource, ReadEntry, ReadRows } from './store-reader';

const NO_COUNT = (): undefined => undefined;

export class FileEntries implements EntrySource {
  readonly #agentId: string;
  readonly #file: string | undefined;
  readonly #overlay: Overlay;

  /**
   * @param file undefined: there is none, only what the journal has.
   * @throws STORE_UNREADABLE when the file is no JSON object.
   */
  constructor(agentId: string, file: string | undefined, records: readonly JournalRecord[]) {
    this.#agentId = agentId;
    this.#file = file;
    const touched = new Set(records.flatMap((record) => record.ops.flatMap((op) => (op.op === 'set' || op.op === 'remove' ? [op.key] : []))));
    const before = new Map<string, string>();
    // Reads the file once to its end: what cannot be read is known before the first answer.
    this.#scan((key, text) => {
      if (touched.has(key)) before.set(key, text());
    });
    this.#overlay = overlayOf(records, (key) => before.get(key));
  }

  list(query: ListQuery): ReadRows {
    const rows = new Map<string, RankedRow>();
    let order = 0;
    const take = (key: string, value: unknown): void => {
      const columns = entryColumns(key, this.#agentId, value, NO_COUNT);
      if (matchesQuery(columns, query)) rows.set(key, { key, sortAt: columns.sortAt, order, encoded: columns.row });
      else rows.delete(key);
      order += 1;
    };
    this.#scan((key, text, value) => {
      if (!this.#overlay.texts.has(key)) take(key, value);
      else if (this.#overlay.texts.get(key) !== undefined) take(key, JSON.parse(this.#overlay.texts.get(key) as string));
    });
    for (const [key, text] of this.#overlay.texts) if (text !== undefined && !rows.has(key)) take(key, JSON.parse(text));
    const sorted = [...rows.values()].sort(newestFirst);
    const offset = query.offset ?? 0;
    return { encodedRows: sorted.slice(offset, offset + query.limit).map((row) => row.encoded), totalCount: sorted.length };
  }

  firstExisting(keys: readonly string[]): ReadEntry | undefined {
    const found = new Map<string, string>();
    this.#scan((key, text) => {
      if (keys.includes(key)) found.set(key, text());
    });
    for (const key of keys) {
      const text = this.#overlay.texts.has(key) ? this.#overlay.texts.get(key) : found.get(key);
      if (text !== undefined) return { key, text };
    }
    return undefined;
  }

  ofSession(sessionId: string): ReadEntry | undefined {
    let found: ReadEntry | undefined;
    const look = (key: string, text: () => string, value: unknown): void => {
      if (found === undefined && entryColumns(key, this.#agentId, value, NO_COUNT).sessionId === sessionId) found = { key, text: text() };
    };
    for (const [key, text] of this.#overlay.texts) if (text !== undefined) look(key, () => text, JSON.parse(text));
    this.#scan((key, text, value) => {
      if (!this.#overlay.texts.has(key)) look(key, text, value);
    });
    return found;
  }

  /** Holds all of them at once. */
  entries(): Iterable<ReadEntry> {
    const found = new Map<string, string>();
    this.#scan((key, text) => found.set(key, text()));
    for (const [key, text] of this.#overlay.texts) {
      if (text === undefined) found.delete(key);
      else found.set(key, text);
    }
    return [...found].map(([key, text]) => ({ key, text }));
  }

  factRows(): Iterable<FactRow> {
    const found = new Map<string, FactRow>();
    this.#scan((key, text, value) => {
      if (!this.#overlay.texts.has(key)) found.set(key, factRowOf(key, value, Buffer.byteLength(text())));
    });
    for (const [key, text] of this.#overlay.texts) if (text !== undefined) found.set(key, factRowOf(key, JSON.parse(text), Buffer.byteLength(text)));
    return found.values();
  }

  waitingRows(): Iterable<FactRow> {
    return [...this.factRows()].filter(isWaiting);
  }

  close(): void {
    // No file stays open between two calls.
  }

  #scan(visit: (key: string, text: () => string, value: unknown) => void): void {
    if (this.#file === undefined) return;
    const fd = fs.openSync(this.#file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
    try {
      const summary = scanSessionsFileSync(fd, (entry) => visit(toIndexKey(entry.key), () => entry.valueBytes.toString('utf8'), entry.value));
      if (summary.outcome === 'empty') throw new SessionError('STORE_UNREADABLE', `${this.#file} has 0 bytes`, { facts: { path: this.#file } });
    } finally {
      fs.closeSync(fd);
    }
  }
}
