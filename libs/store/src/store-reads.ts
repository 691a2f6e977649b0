/**
 * Reads of a held store: each first waits until the index has everything that was acknowledged when
 * the call came in, so a client sees its own writes, and then costs what it returns.
 */
import * as path from 'node:path';
import { insideSessionsDir, type JsonValue } from '@sessions/domain';
import type { ExternalEdits } from './external-edits';
import type { FileSystem } from './files/file-system';
import type { StoreLayout } from './files/layout';
import { assertStandingDirectory } from './files/real-directories';
import type { IndexWorkerClient } from './index-worker-client';
import type { Journal } from './journal/journal';
import type { IndexedEntry, IndexReader, ListQuery as IndexQuery } from './session-index/index-reader';
import { META, VISIBILITY } from './session-index/schema';
import { RESULTS_MAX } from './session-index/index-reader';
import { USAGE_LIMIT_MAX } from './session-index/usage-sums';
import type { SearchTextsReply, SearchTextsRequest, StoreNotice, UsageAnswer, UsageQuery } from './session-index/worker-protocol';
import { byteSourceOf } from './transcript/byte-source';
import { openTranscript } from './transcript/open-transcript';
import { readHistoryPage } from './transcript/read-history';
import type { TranscriptFiles } from './transcript/transcript-files';
import type { TranscriptTail } from './types';

export interface ListQuery extends IndexQuery {
  /** Case-insensitive substring of names, ids, key and model; never of transcript text. */
  readonly search?: string;
  /** With `search` only: sessions of this channel. */
  readonly channel?: string;
  /** With `search` only: rows with `updatedAt` before this instant. */
  readonly updatedBeforeMs?: number;
}

export interface ListPage {
  /** Each an encoded SessionRow, newest first, ties in store order. */
  readonly encodedRows: Uint8Array[];
  readonly totalCount: number;
  /** Sentences about this store that a reader of the list should see. */
  readonly warnings: readonly string[];
}

/** One of: a key, a session id, an exact label, or the first existing of several keys. */
export type EntryRef =
  | { readonly key: string }
  | { readonly sessionId: string }
  | { readonly label: string }
  | { readonly anyOf: readonly string[] };

export interface StoredEntry {
  readonly key: string;
  /** The exact JSON bytes. */
  readonly text: string;
  /** Null when the entry has none that can name a file. */
  readonly sessionId: string | null;
  /** Transcript's file name inside the store's directory; null without a session id. */
  readonly file: string | null;
  /** Encoded SessionRow. */
  readonly encodedRow: Uint8Array;
  /** Undefined while the transcript has not been counted. */
  readonly tail: TranscriptTail | undefined;
}

export interface HistoryQuery {
  readonly key?: string;
  readonly sessionId?: string;
  /** Messages in the page, 1 to HISTORY_LIMIT_MAX. */
  readonly limit: number;
  /** Only messages with a lower ordinal. */
  readonly beforeSeq?: number;
  /** Only messages with a higher ordinal. */
  readonly afterSeq?: number;
  readonly includeTools?: boolean;
  /** Name of a transcript inside the store's directory that is read instead of the row's present one. */
  readonly file?: string;
}

export interface HistoryRecord {
  /** Ordinal from 1 among all message records of the transcript. */
  readonly messageSeq: number;
  readonly id: string;
  readonly role: string;
  /** JSON text of the whole transcript line. */
  readonly line: string;
}

export interface HistoryPage {
  readonly key: string;
  readonly sessionId: string | null;
  /** In file order. */
  readonly records: readonly HistoryRecord[];
  readonly totalMessages: number | null;
  readonly hasMore: boolean;
  /** `beforeSeq` of the next older page. */
  readonly nextBefore?: number;
}

export interface StoreInfo {
  readonly agentId: string;
  /** Path of `sessions.json`. */
  readonly path: string;
  readonly epoch: number;
  /** Last acknowledged mutation. */
  readonly seq: number;
  readonly entriesCount: number;
  readonly listedCount: number;
  readonly checkpointSeq: number;
  /** Age of `sessions.json` against what is acknowledged; 0 when it has everything. */
  readonly checkpointAgeMs: number;
  readonly journalBytes: number;
  readonly writable: boolean;
  readonly notices: readonly StoreNotice[];
}

export const HISTORY_LIMIT_MAX = 1000;

export interface ReadParts {
  readonly agentId: string;
  readonly layout: StoreLayout;
  readonly fs: FileSystem;
  readonly journal: Journal;
  readonly worker: IndexWorkerClient;
  readonly reader: IndexReader;
  readonly transcripts: TranscriptFiles;
  readonly edits: ExternalEdits;
  readonly epoch: number;
  readonly writable: boolean;
  readonly notices: readonly StoreNotice[];
  readonly nowMs: () => number;
  /** True while `sessions.json` is missing or broken and not yet written again. */
  readonly rewriteDue: () => boolean;
}

export class StoreReads {
  readonly #parts: ReadParts;

  constructor(parts: ReadParts) {
    this.#parts = parts;
  }

  async list(query: ListQuery): Promise<ListPage> {
    await this.upToDate();
    const { reader, worker } = this.#parts;
    if (query.search === undefined || query.search === '') return { ...reader.list(query), warnings: this.#warnings() };
    const { ids, totalCount } = await worker.call('search', {
      text: query.search,
      visibilities: query.visibilities ?? [VISIBILITY.listed],
      offset: query.offset ?? 0,
      limit: query.limit,
      ...(query.updatedSinceMs === undefined ? {} : { updatedSinceMs: query.updatedSinceMs }),
      ...(query.updatedBeforeMs === undefined ? {} : { updatedBeforeMs: query.updatedBeforeMs }),
      ...(query.channel === undefined ? {} : { channel: query.channel }),
      ...(query.label === undefined ? {} : { label: query.label }),
      ...(query.spawnedBy === undefined ? {} : { spawnedBy: query.spawnedBy }),
    });
    return { encodedRows: reader.rowsOf(ids), totalCount, warnings: this.#warnings() };
  }

  /** Encoded rows of the sessions that came from each of these, newest first; sessions without any are absent. */
  async childrenOf(keys: readonly string[], limitEach: number): Promise<ReadonlyMap<string, readonly Uint8Array[]>> {
    await this.upToDate();
    return this.#parts.reader.childrenOf(keys, limitEach);
  }

  /** Search in what was said in live transcripts. */
  async searchTexts(request: SearchTextsRequest): Promise<SearchTextsReply> {
    await this.upToDate();
    await this.#parts.transcripts.allSettled();
    return this.#parts.worker.call('searchTexts', request);
  }

  async entry(ref: EntryRef): Promise<StoredEntry | undefined> {
    await this.upToDate();
    return this.#storedEntry(this.#find(ref));
  }

  /** @returns undefined when there is no such session; an empty page for one without a transcript. */
  async history(query: HistoryQuery): Promise<HistoryPage | undefined> {
    await this.upToDate();
    const ref = query.key !== undefined ? { key: query.key } : { sessionId: query.sessionId ?? '' };
    const entry = this.#find(ref);
    if (entry === undefined) return undefined;
    const head = { key: entry.key, sessionId: entry.sessionId };
    const file = query.file === undefined ? entry.file : (insideSessionsDir(query.file) ?? null);
    if (file === null) return { ...head, records: [], totalMessages: 0, hasMore: false };
    // Before the wait: what the index knows by now is in the file after it, what it learns later may not be.
    const known = this.#parts.reader.transcript(file);
    await this.#parts.transcripts.settled(file);
    return { ...head, ...(await this.#readPage(file, query, known)) };
  }

  async storedResult(key: string): Promise<JsonValue | undefined> {
    await this.upToDate();
    return this.#parts.reader.result(key)?.result;
  }

  async storedResults(prefix: string): Promise<JsonValue[]> {
    await this.upToDate();
    return this.#parts.reader.resultsOf(prefix, RESULTS_MAX);
  }

  async usage<Q extends UsageQuery>(query: Q): Promise<UsageAnswer<Q>> {
    await this.upToDate();
    const bounded = { ...query, limit: Math.min(Math.max(query.limit, 1), USAGE_LIMIT_MAX) };
    return (await this.#parts.worker.call(query.view === 'sums' ? 'sumUsage' : 'usageLines', bounded)) as UsageAnswer<Q>;
  }

  async info(): Promise<StoreInfo> {
    await this.upToDate();
    const { agentId, layout, journal, reader, epoch, writable, notices } = this.#parts;
    const checkpointSeq = this.checkpointSeq;
    const lastAtMs = Number(reader.meta(META.lastCheckpointAtMs) ?? 0);
    return {
      agentId,
      path: layout.sessionsFile,
      epoch,
      seq: journal.syncedSeq,
      entriesCount: reader.entriesCount,
      listedCount: reader.countOf(VISIBILITY.listed),
      checkpointSeq,
      checkpointAgeMs: journal.syncedSeq > checkpointSeq && lastAtMs > 0 ? Math.max(0, this.#parts.nowMs() - lastAtMs) : 0,
      journalBytes: journal.keptBytes,
      writable,
      notices: [...notices],
    };
  }

  /** The mutation that `sessions.json` is up to. */
  get checkpointSeq(): number {
    return Number(this.#parts.reader.meta(META.checkpointSeq) ?? 0);
  }

  /** Resolves when queries see everything that was acknowledged when the call came in. */
  async upToDate(): Promise<void> {
    const { edits, worker, journal } = this.#parts;
    if (edits.due) await edits.check();
    await worker.reached(journal.syncedSeq);
  }

  #find(ref: EntryRef): IndexedEntry | undefined {
    const { reader } = this.#parts;
    if ('key' in ref) return reader.entry(ref.key);
    if ('sessionId' in ref) return reader.entryOfSession(ref.sessionId);
    if ('label' in ref) return reader.entryOfLabel(ref.label);
    for (const key of ref.anyOf) {
      const found = reader.entry(key);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #storedEntry(entry: IndexedEntry | undefined): StoredEntry | undefined {
    if (entry === undefined) return undefined;
    const { reader } = this.#parts;
    return {
      key: entry.key,
      text: entry.text,
      sessionId: entry.sessionId,
      file: entry.file,
      encodedRow: reader.row(entry.key) as Uint8Array,
      tail: entry.file === null ? undefined : reader.transcript(entry.file),
    };
  }

  async #readPage(file: string, query: HistoryQuery, remembered: TranscriptTail | undefined): Promise<Pick<HistoryPage, 'records' | 'totalMessages' | 'hasMore' | 'nextBefore'>> {
    const { fs, layout, worker } = this.#parts;
    await assertStandingDirectory(path.dirname(path.join(layout.dir, file)));
    const fd = await openTranscript(fs, layout.dir, file);
    if (fd === undefined) return { records: [], totalMessages: 0, hasMore: false };
    try {
      const size = await fs.size(fd);
      let known = remembered;
      // Counted once; later appends count on from there.
      if (known === undefined || known.bytes !== size) known = await worker.call('scanTranscript', { file, ...(known === undefined ? {} : { known }) });
      const page = await readHistoryPage(byteSourceOf(fs, fd), {
        endOffset: known.bytes,
        totalMessages: known.messages,
        limit: Math.min(Math.max(query.limit, 1), HISTORY_LIMIT_MAX),
        includeTools: query.includeTools ?? false,
        ...(query.beforeSeq === undefined ? {} : { beforeSeq: query.beforeSeq }),
      });
      const afterSeq = query.afterSeq ?? 0;
      const records = page.items
        .filter((item) => (item.seq ?? 0) > afterSeq)
        .map((item) => ({ messageSeq: item.seq ?? 0, id: item.id ?? '', role: item.role, line: item.line }));
      const hasMore = page.hasMore && records.length === page.items.length;
      return {
        records,
        totalMessages: page.totalMessages ?? null,
        hasMore,
        ...(hasMore && page.nextBefore !== undefined ? { nextBefore: page.nextBefore } : {}),
      };
    } finally {
      await fs.close(fd);
    }
  }

  #warnings(): string[] {
    const { writable, rewriteDue, layout } = this.#parts;
    if (!writable) return [`${layout.sessionsFile} cannot be read; the rows are what the transcripts tell`];
    return rewriteDue() ? [`${layout.sessionsFile} is missing or damaged and about to be written again; the rows come from the session index`] : [];
  }
}
