/**
 * What the worker thread does for each request. Owns the writing connection; the decisions how an
 * index that is missing, stale or beside a changed file is brought up to date are in `open-index.ts`.
 */

import * as fs from 'node:fs';
import * as path from 'node:path';
import { clearPlaces } from '../erase/clear-places';
import { surveyErasure } from '../erase/survey';
import { assertNever } from './assert-never';
import type { IndexWriter } from './index-writer';
import { writeSnapshot } from './checkpoint-writer';
import { mergeEdits, openIndex } from './open-index';
import { isIndexDamage, openIndexForReading } from './open-database';
import { appendResults, expireResults } from './results-file';
import { META } from './schema';
import { searchSessions } from './search';
import { searchTexts } from './search-texts';
import { TextFeed } from './text-feed';
import { TextIndex } from './text-index';
import { scanTailOf } from './transcript-facts';
import { appendUsage } from './usage-file';
import { sumUsage, usageLines } from './usage-sums';
import type { OpenIndexRequest, WorkerCallName, WorkerCalls } from './worker-protocol';

type Call<Name extends WorkerCallName> = WorkerCalls[Name]['request'];
type Reply<Name extends WorkerCallName> = WorkerCalls[Name]['reply'];

/** Imported rows made in one step; some milliseconds of the worker's time. */
const ROWS_PER_STEP = 100;

interface OpenIndex {
  readonly writer: IndexWriter;
  readonly request: OpenIndexRequest;
  /** Of the database file when it was opened. */
  readonly inode: number | undefined;
}

/** Results that a checkpoint looks at for their time. */
const RESULTS_LOOKED_AT_MIN = 1000;

export class IndexService {
  readonly #breathe: () => Promise<void>;
  #opened: OpenIndex | undefined;
  #rowsMade: Promise<void> = Promise.resolve();
  #texts: TextFeed | undefined;
  /** Ancestor generation that the checkpoint under way ends. */
  #endingGeneration = 0;

  /** @param breathe resolves after other messages had their turn. */
  constructor(breathe: () => Promise<void>) {
    this.#breathe = breathe;
  }

  async serve(name: WorkerCallName, request: unknown): Promise<unknown> {
    switch (name) {
      case 'open':
        return this.#open(request as Call<'open'>);
      case 'apply':
        return this.#apply(request as Call<'apply'>);
      case 'merge':
        return this.#merge(request as Call<'merge'>);
      case 'writeCheckpoint':
        return this.#writeCheckpoint(request as Call<'writeCheckpoint'>);
      case 'announceCheckpoint':
        return this.#announceCheckpoint(request as Call<'announceCheckpoint'>);
      case 'finishCheckpoint':
        return this.#finishCheckpoint(request as Call<'finishCheckpoint'>);
      case 'scanTranscript':
        return this.#scanTranscript(request as Call<'scanTranscript'>);
      case 'search':
        return this.#search(request as Call<'search'>);
      case 'searchTexts':
        return this.#searchTexts(request as Call<'searchTexts'>);
      case 'sumUsage':
        return sumUsage(this.#index.writer.db, request as Call<'sumUsage'>, this.#breathe);
      case 'usageLines':
        return usageLines(this.#index.writer.db, request as Call<'usageLines'>);
      case 'checkFile':
        return checkFile(request as Call<'checkFile'>);
      case 'surveyErasure':
        return surveyErasure(request as Call<'surveyErasure'>);
      case 'clearPlaces':
        return clearPlaces(request as Call<'clearPlaces'>);
      case 'close':
        return this.#close(request as Call<'close'>);
      default:
        return assertNever(name);
    }
  }

  get #index(): OpenIndex {
    if (this.#opened === undefined) throw new Error('the index is not open');
    return this.#opened;
  }

  #open(request: Call<'open'>): Reply<'open'> {
    const { writer, reply } = openIndex(request);
    this.#opened = { writer, request, inode: inodeOf(request.indexFile) };
    this.#rowsMade = this.#makeRows(writer);
    const texts = new TextIndex(writer.db, request.dir, (work) => writer.transaction(work));
    this.#texts = new TextFeed({ texts, isOpen: () => request.indexesTexts !== false && this.#opened?.writer === writer, after: this.#rowsMade, breathe: this.#breathe });
    const feed = this.#texts;
    writer.onTranscript = (file) => feed.noteChanged(file);
    return reply;
  }

  /** After an import: rows are made a few at a time between the messages. */
  async #makeRows(writer: IndexWriter): Promise<void> {
    await this.#breathe();
    while (this.#opened?.writer === writer && writer.makeRows(ROWS_PER_STEP)) await this.#breathe();
  }

  /** Only rows that are made can be searched. */
  async #search(request: Call<'search'>): Promise<Reply<'search'>> {
    await this.#rowsMade;
    return searchSessions(this.#index.writer.db, request, this.#breathe);
  }

  async #searchTexts(request: Call<'searchTexts'>): Promise<Reply<'searchTexts'>> {
    // The channel is in the rows.
    if (request.channel !== undefined) await this.#rowsMade;
    const { writer, request: opened } = this.#index;
    const feed = this.#texts as TextFeed;
    const isComplete = await feed.upToDate();
    const found = await searchTexts({ db: writer.db, dir: opened.dir, onStale: (file) => feed.forget(file), breathe: this.#breathe }, request);
    return { ...found, incomplete: !isComplete };
  }

  #apply(request: Call<'apply'>): Reply<'apply'> {
    const { writer } = this.#index;
    writer.apply(request.changes, request.appliedSeq);
    return { appliedSeq: request.appliedSeq };
  }

  #merge(request: Call<'merge'>): Reply<'merge'> {
    const { writer, request: opened } = this.#index;
    return mergeEdits(writer, opened, request.nowMs);
  }

  async #writeCheckpoint(request: Call<'writeCheckpoint'>): Promise<Reply<'writeCheckpoint'>> {
    const { writer, request: opened } = this.#index;
    const source = {
      indexFile: opened.indexFile,
      tempFile: request.tempFile,
      ...(opened.nativeBinding === undefined ? {} : { nativeBinding: opened.nativeBinding }),
    };
    let seq = request.seq;
    const written = await writeSnapshot(
      source,
      () => {
        seq = writer.appliedSeq;
        this.#endingGeneration = writer.beginBaseGeneration();
      },
      this.#breathe,
    );
    return { tempFile: request.tempFile, seq, ...written };
  }

  #announceCheckpoint({ identity }: Call<'announceCheckpoint'>): Reply<'announceCheckpoint'> {
    if (identity !== undefined) this.#index.writer.announce(identity, this.#endingGeneration);
    return {};
  }

  #finishCheckpoint(request: Call<'finishCheckpoint'>): Reply<'finishCheckpoint'> {
    const { writer, request: opened } = this.#index;
    const fromSeq = Number(writer.meta(META.checkpointSeq) ?? 0);
    // Under the index's epoch: a former owner that wakes up here appends nothing.
    writer.transaction(() => appendUsage(writer.db, opened.ownDir, { toSeq: request.seq, nowMs: request.nowMs }));
    const appended = appendResults(writer.db, opened.ownDir, { fromSeq, toSeq: request.seq, nowMs: request.nowMs });
    writer.transaction(() => {
      writer.setIdentity(request.identity);
      writer.setMeta(META.checkpointSeq, request.seq);
      writer.setMeta(META.lastCheckpointAtMs, request.nowMs);
      writer.forgetBases(this.#endingGeneration);
    });
    // Twice what came: the look at all of them ends, however fast they come.
    const count = Math.max(RESULTS_LOOKED_AT_MIN, 2 * appended);
    writer.transaction(() => {
      const behindKey = writer.meta(META.expiredBehindKey) ?? '';
      writer.setMeta(META.expiredBehindKey, expireResults(writer.db, opened.ownDir, { nowMs: request.nowMs, behindKey, count }));
    });
    const [state] = writer.db.pragma('wal_checkpoint(PASSIVE)') as { busy: number; log: number; checkpointed: number }[];
    return { indexDurable: state !== undefined && state.busy === 0 && state.log === state.checkpointed };
  }

  /** What was counted once is kept, so the next reader of the transcript does not count again. */
  async #scanTranscript(request: Call<'scanTranscript'>): Promise<Reply<'scanTranscript'>> {
    const { writer, request: opened } = this.#index;
    const place = path.join(opened.dir, request.file);
    const inode = inodeOf(place);
    const tail = await scanTailOf(place, request.known, this.#breathe);
    // Set aside or replaced while it was read: what was counted is of another file.
    if (inodeOf(place) !== inode) return tail;
    const stored = writer.transcript(request.file);
    const isNews = stored === undefined || stored.bytes !== tail.bytes;
    if (isNews && tail.kind !== 'none' && tail.tornBytes === undefined && (stored?.bytes ?? 0) <= tail.bytes) {
      writer.transaction(() => writer.putTranscript(request.file, tail));
    }
    return tail;
  }

  /** Leaves a plain database behind: one in WAL mode cannot be read without making files beside it. */
  #close({ sound }: Call<'close'>): Reply<'close'> {
    if (this.#opened === undefined) return {};
    const { writer, request, inode } = this.#opened;
    this.#opened = undefined;
    this.#texts?.stop();
    try {
      // A successor has made an index of its own: the files beside that name are its, and SQLite would remove them.
      if (inodeOf(request.indexFile) !== inode) return {};
      if (sound) writer.transaction(() => writer.setMeta(META.closedSeq, writer.appliedSeq));
      writer.db.pragma('journal_mode = DELETE');
    } finally {
      writer.db.close();
    }
    return {};
  }
}

function inodeOf(file: string): number | undefined {
  return fs.statSync(file, { throwIfNoEntry: false })?.ino;
}

/** SQLite's own check of pages and order; a file that cannot even be opened is not ok. */
function checkFile({ indexFile, nativeBinding }: Call<'checkFile'>): Reply<'checkFile'> {
  try {
    const db = openIndexForReading(indexFile, nativeBinding);
    try {
      const detail = String(db.pragma('quick_check(1)', { simple: true }));
      return { ok: detail === 'ok', detail };
    } finally {
      db.close();
    }
  } catch (error) {
    if (!isIndexDamage(error)) throw error;
    return { ok: false, detail: error instanceof Error ? error.message : String(error) };
  }
}
