/**
 * The words of live transcripts in the session index: FTS5 without the texts themselves, which stay in
 * their files. Fed from the files, behind the acknowledgements and behind the index's other work: a
 * transcript that has grown is read on from where it was read last, a few hundred KiB at a time.
 *
 * A row of `text` is one message of the user or the assistant; its rowid is the time of the message
 * times TEXTS_PER_MS, so that the newest hits come first and spans of time are spans of rowids. What a
 * transcript said leaves with its `text_file` row, in the transaction that learns that the transcript
 * was set aside; its words are cleared away after that.
 *
 * What can be lost: everything; the index is disposable, and made again from the transcripts, those
 * of the newest entries first.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type Database from 'better-sqlite3';
import { indexedWords, isJsonObject, messageText, SEARCHED_CHARS_MAX, type JsonObject } from '@sessions/domain';
import { hasErrorCode } from '../files/file-system';
import type { LineFacts } from '../transcript/line-facts';
import { TranscriptScanner } from '../transcript/scan-transcript';
import { transcriptsById } from '../transcript/transcripts-by-id';
import { META } from './schema';

/** Messages of one millisecond that have rowids of their own; more of them get the next millisecond's. */
export const TEXTS_PER_MS = 1024;
/** Rowids stay exact in a number: until the year 2248. */
const AT_MS_MAX = Math.floor(Number.MAX_SAFE_INTEGER / TEXTS_PER_MS) - 1;
/** Bytes of transcripts read in one step; one line may be longer. */
const STEP_BYTES = 256 * 1024;
const CHUNK_BYTES = 64 * 1024;
const STEP_FILES_MAX = 64;
/** Lines that are on their way to a file are looked for so often. */
const LOOKS_MAX = 120;
/** Rows cleared away in one step. */
const CLEAR_ROWS = 500;
/** Entries looked at in one step after the index was made anew. */
const BACKLOG_ENTRIES = 200;

/** Whose texts can be found. */
export const SEARCHED_ROLES: ReadonlySet<string> = new Set(['user', 'assistant']);

interface FileRow {
  readonly id: number;
  readonly inode: number;
  readonly bytes: number;
  readonly lines: number;
  readonly messages: number;
  readonly last_at: number;
}

interface FoundText {
  readonly fileId: number;
  readonly atMs: number;
  readonly offset: number;
  readonly bytes: number;
  /** Ordinal of the message and of the line, both from 1. */
  readonly messageSeq: number;
  readonly line: number;
  readonly words: string;
}

/** Runs a piece of work in one transaction of the index. */
export type InTransaction = <T>(work: () => T) => T;

export class TextIndex {
  readonly #dir: string;
  readonly #inTransaction: InTransaction;
  readonly #statements: TextStatements;
  /** Transcripts that may say more than the index knows. Bounded by the transcripts there are. */
  readonly #changed = new Set<string>();
  /** Transcripts whose last lines are acknowledged and not in the file yet, with how often they have been looked for. */
  readonly #waiting = new Map<string, number>();
  /** Entries whose transcripts are being read: where to go on, once they are. */
  #backlogNoted: { readonly belowId: number; readonly isEnd: boolean } | undefined;
  /** While the backlog is read and some entry went on from other transcripts: which there are. */
  #byId: ReadonlyMap<string, readonly string[]> | undefined;

  /** @param dir where the transcripts are. */
  constructor(db: Database.Database, dir: string, inTransaction: InTransaction) {
    this.#dir = dir;
    this.#inTransaction = inTransaction;
    this.#statements = prepareTexts(db);
  }

  /** A transcript has grown, or is another one. */
  noteChanged(file: string): void {
    this.#waiting.delete(file);
    this.#changed.add(file);
  }

  /** What is known of a transcript is wrong: it is read again from its beginning. */
  forget(file: string): void {
    this.#inTransaction(() => dropTexts(this.#statements, file));
    this.noteChanged(file);
  }

  /**
   * Once, before anything is read: a process that died had lines in the index that it had not read the words
   * of. Where the index was made anew the backlog has them all.
   */
  noteBehind(): void {
    if (this.hasBacklog) return;
    for (const file of this.#statements.behind.all() as string[]) this.#changed.add(file);
  }

  /** Looks for lines again that were not in their files. */
  retryWaiting(): void {
    for (const file of this.#waiting.keys()) this.#changed.add(file);
  }

  get hasWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  get hasChanges(): boolean {
    return this.#changed.size > 0;
  }

  /** True while transcripts that were there when the index was made anew have not all been read. */
  get hasBacklog(): boolean {
    const from = this.#meta(META.textsMadeId);
    return from !== undefined && from !== '';
  }

  /** Reads some of the changed transcripts. @throws what the index throws; they count as changed then as before. */
  step(): void {
    const files = [...this.#changed].slice(0, STEP_FILES_MAX);
    try {
      this.#inTransaction(() => this.#readSome(files));
    } catch (error) {
      for (const file of files) this.#changed.add(file);
      throw error;
    }
  }

  #readSome(files: readonly string[]): void {
    const texts: FoundText[] = [];
    let budget = STEP_BYTES;
    for (const file of files) {
      if (budget <= 0) break;
      this.#changed.delete(file);
      const read = this.#read(file, budget, texts);
      budget -= read.bytes;
      if (read.hasMore) this.#changed.add(file);
    }
    // FTS5 writes a piece of its own whenever a rowid is not behind the one before.
    texts.sort((a, b) => a.atMs - b.atMs);
    for (const text of texts) this.#put(text);
  }

  /**
   * After the index was made anew: reads some of what there was then, entry by entry, the newest first.
   * The place is noted when what is before it has been read. @returns false at the end.
   */
  backlogStep(): boolean {
    if (!this.hasBacklog) return false;
    if (this.hasChanges) {
      this.step();
      return true;
    }
    if (this.#backlogNoted !== undefined) {
      const { belowId, isEnd } = this.#backlogNoted;
      this.#backlogNoted = undefined;
      this.#inTransaction(() => this.#statements.setMeta.run(META.textsMadeId, isEnd ? '' : String(belowId)));
      if (isEnd) this.#byId = undefined;
      return !isEnd;
    }
    const rows = this.#statements.entriesBefore.all(Number(this.#meta(META.textsMadeId)), BACKLOG_ENTRIES) as { id: number; file: string | null; otherIds: string | null }[];
    for (const { file, otherIds } of rows) for (const name of [...(file === null ? [] : [file]), ...this.#earlierFiles(otherIds)]) this.#changed.add(name);
    this.#backlogNoted = { belowId: rows[rows.length - 1]?.id ?? 0, isEnd: rows.length < BACKLOG_ENTRIES };
    return true;
  }

  /** Transcripts that an entry's other ids name. */
  #earlierFiles(otherIds: string | null): readonly string[] {
    if (otherIds === null) return [];
    this.#byId ??= transcriptsById(this.#dir);
    const byId = this.#byId;
    return otherIds.split('\n').flatMap((id) => byId.get(id) ?? []);
  }

  /** Clears away words of transcripts that are gone. @returns false when nothing is left. */
  clearStep(): boolean {
    const fileId = this.#statements.goneFile.get() as number | undefined;
    if (fileId === undefined) return false;
    this.#inTransaction(() => {
      const ids = this.#statements.linesOfFile.all(fileId, CLEAR_ROWS) as number[];
      for (const id of ids) {
        this.#statements.dropText.run(id);
        this.#statements.dropLine.run(id);
      }
      if (ids.length < CLEAR_ROWS) this.#statements.dropGone.run(fileId);
    });
    return true;
  }

  /** Reads one transcript on. @returns how much was read, and whether there is more. */
  #read(file: string, budget: number, texts: FoundText[]): { readonly bytes: number; readonly hasMore: boolean } {
    let fd: number;
    try {
      fd = fs.openSync(path.join(this.#dir, file), fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
    } catch (error) {
      if (!hasErrorCode(error, 'ENOENT', 'ELOOP', 'EACCES', 'EISDIR', 'ENXIO', 'ENOTDIR')) throw error;
      dropTexts(this.#statements, file);
      return { bytes: 0, hasMore: false };
    }
    try {
      const stats = fs.fstatSync(fd);
      if (!stats.isFile()) return { bytes: 0, hasMore: false };
      const read = this.#readOn(fd, this.#rowOf(file, stats), stats, budget, texts);
      this.#noteWaiting(file, stats.size);
      return read;
    } finally {
      fs.closeSync(fd);
    }
  }

  #noteWaiting(file: string, size: number): void {
    const expected = (this.#statements.bytesOf.get(file) as number | undefined) ?? 0;
    const looks = (this.#waiting.get(file) ?? 0) + 1;
    // Cut by somebody, if they never come: the next append tells.
    if (size < expected && looks <= LOOKS_MAX) this.#waiting.set(file, looks);
    else this.#waiting.delete(file);
  }

  /** How far the file has been read; from its beginning when it is another file by now. */
  #rowOf(file: string, stats: fs.Stats): FileRow {
    const known = this.#statements.getFile.get(file) as FileRow | undefined;
    if (known !== undefined && known.inode === stats.ino && known.bytes <= stats.size) return known;
    if (known !== undefined) dropTexts(this.#statements, file);
    const { lastInsertRowid } = this.#statements.addFile.run(file, stats.ino);
    return { id: Number(lastInsertRowid), inode: stats.ino, bytes: 0, lines: 0, messages: 0, last_at: 0 };
  }

  #readOn(fd: number, row: FileRow, stats: fs.Stats, budget: number, texts: FoundText[]): { readonly bytes: number; readonly hasMore: boolean } {
    let { messages, last_at: lastAtMs } = row;
    const scanner = new TranscriptScanner({
      from: { ...EMPTY_SCAN, bytes: row.bytes, completeBytes: row.bytes, lines: row.lines },
      onLine: ({ facts, number, offset, bytes }) => {
        if (facts?.role === undefined) return;
        messages += 1;
        lastAtMs = writtenAtMs(facts) ?? (lastAtMs === 0 ? Math.floor(stats.mtimeMs) : lastAtMs);
        if (!SEARCHED_ROLES.has(facts.role)) return;
        const words = indexedWords(searchedText(facts));
        if (words !== '') texts.push({ fileId: row.id, atMs: lastAtMs, offset, bytes, messageSeq: messages, line: number, words });
      },
    });
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    let atEnd = false;
    // A line that is longer than the budget is read to its end.
    for (let end = row.bytes; scanner.position - row.bytes < budget || end === row.bytes; ) {
      const count = fs.readSync(fd, chunk, 0, chunk.length, scanner.position);
      if (count === 0) {
        atEnd = true;
        break;
      }
      scanner.push(chunk.subarray(0, count));
      end = scanner.completeBytes;
    }
    const { completeBytes, lines } = scanner.end();
    if (completeBytes > row.bytes) this.#statements.setFile.run(completeBytes, lines, messages, lastAtMs, row.id);
    return { bytes: completeBytes - row.bytes, hasMore: !atEnd };
  }

  #put({ fileId, atMs, offset, bytes, messageSeq, line, words }: FoundText): void {
    const id = this.#freeId(Math.min(Math.max(0, atMs), AT_MS_MAX));
    this.#statements.addLine.run(id, fileId, offset, bytes, messageSeq, line);
    this.#statements.addText.run(id, words);
  }

  #freeId(atMs: number): number {
    for (let at = atMs; ; at += 1) {
      const first = at * TEXTS_PER_MS;
      const last = this.#statements.lastIdWithin.get(first, first + TEXTS_PER_MS) as number | null;
      if (last === null) return first;
      if (last < first + TEXTS_PER_MS - 1) return last + 1;
    }
  }

  #meta(name: string): string | undefined {
    return this.#statements.getMeta.get(name) as string | undefined;
  }
}

/** What a transcript said is not found any more; its words are cleared away later. To be called in a transaction. */
export function dropTexts({ getFile, dropFile, addGone }: TextStatements, file: string): void {
  const row = getFile.get(file) as FileRow | undefined;
  if (row === undefined) return;
  dropFile.run(row.id);
  addGone.run(row.id);
}

/** The text of a message as it is searched. */
export function searchedText({ record, kind }: Pick<LineFacts, 'record' | 'kind'>): string {
  const message: unknown = kind === 'simple' ? record : record['message'];
  return isJsonObject(message) ? messageText(message).slice(0, SEARCHED_CHARS_MAX) : '';
}

/** When a message was written; undefined: its line does not say. */
export function writtenAtMs({ record }: LineFacts): number | undefined {
  const message = record['message'];
  const within = isJsonObject(message) ? message['timestamp'] : undefined;
  for (const value of [(record as JsonObject)['timestamp'], within]) {
    const atMs = typeof value === 'string' ? Date.parse(value) : typeof value === 'number' ? Math.floor(value) : Number.NaN;
    if (Number.isFinite(atMs) && atMs > 0) return atMs;
  }
  return undefined;
}

const EMPTY_SCAN = {
  bytes: 0,
  completeBytes: 0,
  tornTailBytes: 0,
  lines: 0,
  malformedLines: 0,
  messageCount: 0,
  userAssistantCount: 0,
  leafId: null,
  branched: false,
  headerId: null,
  headerTimestamp: null,
  kind: 'empty',
} as const;

type StatementName =
  | 'getFile'
  | 'addFile'
  | 'setFile'
  | 'dropFile'
  | 'addGone'
  | 'goneFile'
  | 'dropGone'
  | 'addLine'
  | 'dropLine'
  | 'linesOfFile'
  | 'lastIdWithin'
  | 'addText'
  | 'dropText'
  | 'bytesOf'
  | 'behind'
  | 'entriesBefore'
  | 'getMeta'
  | 'setMeta';

export type TextStatements = Readonly<Record<StatementName, Database.Statement<unknown[]>>>;

export function prepareTexts(db: Database.Database): TextStatements {
  return {
    getFile: db.prepare('SELECT id, inode, bytes, lines, messages, last_at FROM text_file WHERE file = ?'),
    addFile: db.prepare('INSERT INTO text_file (file, inode, bytes, lines, messages, last_at) VALUES (?, ?, 0, 0, 0, 0)'),
    setFile: db.prepare('UPDATE text_file SET bytes = ?, lines = ?, messages = ?, last_at = ? WHERE id = ?'),
    dropFile: db.prepare('DELETE FROM text_file WHERE id = ?'),
    addGone: db.prepare('INSERT INTO text_gone (file_id) VALUES (?) ON CONFLICT DO NOTHING'),
    goneFile: db.prepare('SELECT file_id FROM text_gone LIMIT 1').pluck(),
    dropGone: db.prepare('DELETE FROM text_gone WHERE file_id = ?'),
    addLine: db.prepare('INSERT INTO text_line (id, file_id, offset, bytes, message_seq, line) VALUES (?, ?, ?, ?, ?, ?)'),
    dropLine: db.prepare('DELETE FROM text_line WHERE id = ?'),
    linesOfFile: db.prepare('SELECT id FROM text_line WHERE file_id = ? LIMIT ?').pluck(),
    lastIdWithin: db.prepare('SELECT max(id) FROM text_line WHERE id >= ? AND id < ?').pluck(),
    addText: db.prepare('INSERT INTO text (rowid, words) VALUES (?, ?)'),
    dropText: db.prepare('DELETE FROM text WHERE rowid = ?'),
    bytesOf: db.prepare('SELECT bytes FROM transcript WHERE file = ?').pluck(),
    behind: db.prepare('SELECT t.file FROM transcript t LEFT JOIN text_file f ON f.file = t.file WHERE t.bytes > coalesce(f.bytes, 0)').pluck(),
    entriesBefore: db.prepare('SELECT id, file, other_ids AS otherIds FROM session WHERE id < ? ORDER BY id DESC LIMIT ?'),
    getMeta: db.prepare('SELECT value FROM meta WHERE name = ?').pluck(),
    setMeta: db.prepare('INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value'),
  };
}
