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
 * Reading and writing take turns: what was read waits for its turn in memory, and is let go when the
 * transcript has become another meanwhile.
 *
 * What can be lost: everything; the index is disposable, and made again from the transcripts, those
 * of the newest entries first.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type Database from 'better-sqlite3';
import { hasErrorCode } from '../files/file-system';
import { transcriptsById } from '../transcript/transcripts-by-id';
import { readTexts } from './message-texts';
import { META } from './schema';
import { clearTexts, dropTexts, prepareTexts, putText, type FileRow, type FoundText, type KnownFile, type TextStatements } from './text-rows';

/** Bytes of transcripts read in one step; one line may be longer. */
const STEP_BYTES = 256 * 1024;
/** So much is read before its words are written, in one go: each go writes the pages of the latest messages again. */
const WRITE_BYTES = 1024 * 1024;
const STEP_FILES_MAX = 64;
/** Lines that are on their way to a file are looked for so often. */
const LOOKS_MAX = 120;
/** Entries looked at in one step after the index was made anew. */
const BACKLOG_ENTRIES = 200;

/** A transcript that has been read on, and whose words are not written yet. */
interface Gathered {
  /** As the index knew it when the reading began; undefined: not at all, or as another file. */
  readonly known: KnownFile | undefined;
  readonly now: FileRow;
  readonly texts: readonly FoundText[];
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
  /** By transcript, what is read and not written. Bounded by WRITE_BYTES and one step, or one line. */
  readonly #gathered = new Map<string, Gathered>();
  #gatheredBytes = 0;
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
    return this.#changed.size > 0 || this.#gathered.size > 0;
  }

  /** True while transcripts that were there when the index was made anew have not all been read. */
  get hasBacklog(): boolean {
    const from = this.#meta(META.textsMadeId);
    return from !== undefined && from !== '';
  }

  /**
   * Reads some of the changed transcripts, or writes what has been read.
   * @throws what reading and the index throw; the transcripts count as changed then as before.
   */
  step(): void {
    const files = [...this.#changed].slice(0, STEP_FILES_MAX);
    try {
      if (files.length > 0 && this.#gatheredBytes < WRITE_BYTES) this.#readSome(files);
      else this.#writeGathered();
    } catch (error) {
      for (const file of [...files, ...this.#gathered.keys()]) this.#changed.add(file);
      this.#letGo();
      throw error;
    }
  }

  #readSome(files: readonly string[]): void {
    let budget = STEP_BYTES;
    for (const file of files) {
      if (budget <= 0) break;
      this.#changed.delete(file);
      const read = this.#read(file, budget);
      budget -= read.bytes;
      this.#gatheredBytes += read.bytes;
      if (read.hasMore) this.#changed.add(file);
    }
  }

  #writeGathered(): void {
    this.#inTransaction(() => {
      const lastLines = new Map<number, number | null>();
      const texts: { readonly fileId: number; readonly text: FoundText }[] = [];
      const rows: { readonly id: number; readonly now: FileRow }[] = [];
      for (const [file, { known, now, texts: found }] of this.#gathered) {
        const row = this.#rowFor(file, known, now.inode);
        // Set aside or forgotten while it was read: it is read anew.
        if (row === undefined) {
          this.#changed.add(file);
          continue;
        }
        lastLines.set(row.id, row.lastLine);
        rows.push({ id: row.id, now });
        for (const text of found) texts.push({ fileId: row.id, text });
      }
      // FTS5 writes a piece of its own whenever a rowid is not behind the one before.
      texts.sort((a, b) => a.text.atMs - b.text.atMs);
      for (const { fileId, text } of texts) lastLines.set(fileId, putText(this.#statements, fileId, lastLines.get(fileId) ?? null, text));
      for (const { id, now } of rows) this.#statements.setFile.run(now.bytes, now.lines, now.messages, now.lastAtMs, lastLines.get(id) ?? null, id);
    });
    this.#letGo();
  }

  /** The row that what was gathered belongs to; undefined: the index knows something else by now. */
  #rowFor(file: string, known: KnownFile | undefined, inode: number): Pick<KnownFile, 'id' | 'lastLine'> | undefined {
    const { getFile, addFile } = this.#statements;
    const stored = getFile.get(file) as KnownFile | undefined;
    if (known !== undefined) return stored?.id === known.id && stored.bytes === known.bytes ? known : undefined;
    if (stored !== undefined) dropTexts(this.#statements, file);
    return { id: Number(addFile.run(file, inode).lastInsertRowid), lastLine: null };
  }

  #letGo(): void {
    this.#gathered.clear();
    this.#gatheredBytes = 0;
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
    if (this.#statements.goneFile.get() === undefined) return false;
    return this.#inTransaction(() => clearTexts(this.#statements));
  }

  /** Reads one transcript on. @returns how much was read, and whether there is more. */
  #read(file: string, budget: number): { readonly bytes: number; readonly hasMore: boolean } {
    let fd: number;
    try {
      fd = fs.openSync(path.join(this.#dir, file), fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
    } catch (error) {
      if (!hasErrorCode(error, 'ENOENT', 'ELOOP', 'EACCES', 'EISDIR', 'ENXIO', 'ENOTDIR')) throw error;
      this.#gathered.delete(file);
      this.#inTransaction(() => dropTexts(this.#statements, file));
      return { bytes: 0, hasMore: false };
    }
    try {
      const stats = fs.fstatSync(fd);
      if (!stats.isFile()) return { bytes: 0, hasMore: false };
      const before = this.#placeIn(file, stats);
      const { now, texts, atEnd } = readTexts(fd, before.now, stats, budget);
      if (now.bytes > before.now.bytes) this.#gathered.set(file, { known: before.known, now, texts: [...before.texts, ...texts] });
      this.#noteWaiting(file, stats.size);
      return { bytes: now.bytes - before.now.bytes, hasMore: !atEnd };
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
  #placeIn(file: string, stats: fs.Stats): Gathered {
    const isThis = (row: FileRow): boolean => row.inode === stats.ino && row.bytes <= stats.size;
    const gathered = this.#gathered.get(file);
    if (gathered !== undefined && isThis(gathered.now)) return gathered;
    const known = this.#statements.getFile.get(file) as KnownFile | undefined;
    if (known !== undefined && isThis(known)) return { known, now: known, texts: [] };
    return { known: undefined, now: { inode: stats.ino, bytes: 0, lines: 0, messages: 0, lastAtMs: 0 }, texts: [] };
  }

  #meta(name: string): string | undefined {
    return this.#statements.getMeta.get(name) as string | undefined;
  }
}
