/**
 * Rows of the index of words: which transcripts have been read how far, where each message stands, and
 * its words. Every function here runs within a transaction of the index.
 *
 * Messages of a transcript are chained, each to the one before, so that all of them are found without an
 * index by transcript: that one would be written at as many places as there are transcripts that grow.
 */
import type Database from 'better-sqlite3';

/** Messages of one millisecond that have rowids of their own; more of them get the next millisecond's. */
export const TEXTS_PER_MS = 1024;
/** Rowids stay exact in a number: until the year 2248. */
const AT_MS_MAX = Math.floor(Number.MAX_SAFE_INTEGER / TEXTS_PER_MS) - 1;
/** Rows cleared away in one step. */
const CLEAR_ROWS = 500;

/** How far a transcript has been read. */
export interface FileRow {
  readonly inode: number;
  readonly bytes: number;
  readonly lines: number;
  readonly messages: number;
  /** Time of its last message in ms; 0: none yet. */
  readonly lastAtMs: number;
}

export interface KnownFile extends FileRow {
  readonly id: number;
  /** Its last message with words; null: none. */
  readonly lastLine: number | null;
}

export interface FoundText {
  readonly atMs: number;
  readonly offset: number;
  readonly bytes: number;
  /** Ordinal of the message and of the line, both from 1. */
  readonly messageSeq: number;
  readonly line: number;
  readonly words: string;
}

/** What a transcript said is not found any more; its words are cleared away later. */
export function dropTexts({ getFile, dropFile, addGone }: TextStatements, file: string): void {
  const row = getFile.get(file) as KnownFile | undefined;
  if (row === undefined) return;
  dropFile.run(row.id);
  if (row.lastLine !== null) addGone.run(row.id, row.lastLine);
}

/** The words of a message get the id of its moment. @returns the id */
export function putText({ addLine, addText, lastIdWithin }: TextStatements, fileId: number, before: number | null, { atMs, offset, bytes, messageSeq, line, words }: FoundText): number {
  const id = freeId(lastIdWithin, Math.min(Math.max(0, atMs), AT_MS_MAX));
  addLine.run(id, fileId, before === null ? null : id - before, offset, bytes, messageSeq, line);
  addText.run(id, words);
  return id;
}

function freeId(lastIdWithin: Database.Statement<unknown[]>, atMs: number): number {
  for (let at = atMs; ; at += 1) {
    const first = at * TEXTS_PER_MS;
    const last = lastIdWithin.get(first, first + TEXTS_PER_MS) as number | null;
    if (last === null) return first;
    if (last < first + TEXTS_PER_MS - 1) return last + 1;
  }
}

/** Clears away some words of a transcript that is gone, from its end. @returns false when nothing is left of any. */
export function clearTexts({ goneFile, stepBack, dropText, dropLine, setGone, dropGone }: TextStatements): boolean {
  const gone = goneFile.get() as { readonly fileId: number; readonly lastLine: number } | undefined;
  if (gone === undefined) return false;
  let at: number | null = gone.lastLine;
  for (let count = 0; at !== null && count < CLEAR_ROWS; count += 1) {
    const row = stepBack.get(at, gone.fileId) as { readonly back: number | null } | undefined;
    // A chain that another hand has cut ends there.
    if (row === undefined) at = null;
    else {
      dropText.run(at);
      dropLine.run(at);
      at = row.back === null ? null : at - row.back;
    }
  }
  if (at === null) dropGone.run(gone.fileId);
  else setGone.run(at, gone.fileId);
  return true;
}

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
  | 'stepBack'
  | 'setGone'
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
    getFile: db.prepare('SELECT id, inode, bytes, lines, messages, last_at AS lastAtMs, last_line AS lastLine FROM text_file WHERE file = ?'),
    addFile: db.prepare('INSERT INTO text_file (file, inode, bytes, lines, messages, last_at) VALUES (?, ?, 0, 0, 0, 0)'),
    setFile: db.prepare('UPDATE text_file SET bytes = ?, lines = ?, messages = ?, last_at = ?, last_line = ? WHERE id = ?'),
    dropFile: db.prepare('DELETE FROM text_file WHERE id = ?'),
    addGone: db.prepare('INSERT INTO text_gone (file_id, last_line) VALUES (?, ?) ON CONFLICT DO NOTHING'),
    goneFile: db.prepare('SELECT file_id AS fileId, last_line AS lastLine FROM text_gone LIMIT 1'),
    dropGone: db.prepare('DELETE FROM text_gone WHERE file_id = ?'),
    setGone: db.prepare('UPDATE text_gone SET last_line = ? WHERE file_id = ?'),
    addLine: db.prepare('INSERT INTO text_line (id, file_id, back, offset, bytes, message_seq, line) VALUES (?, ?, ?, ?, ?, ?, ?)'),
    dropLine: db.prepare('DELETE FROM text_line WHERE id = ?'),
    stepBack: db.prepare('SELECT back FROM text_line WHERE id = ? AND file_id = ?'),
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
