/**
 * The session index as verify sees it: one consistent view, read only. An index that is damaged
 * turns up as an error of SQLite at any call; see isIndexDamage.
 */
import type Database from 'better-sqlite3';
import type { FileIdentity } from '../files/file-system';
import { openIndexForReading } from '../session-index/open-database';
import { INDEX_FORMAT, META } from '../session-index/schema';

const ROWS_AT_ONCE = 200;

export interface IndexedTranscript {
  readonly bytes: number;
  readonly messages: number;
  readonly exchanges: number;
  readonly leafId: string | null;
  readonly kind: string;
}

export class IndexView {
  readonly #db: Database.Database;
  readonly #meta: Database.Statement<[string]>;
  readonly #entry: Database.Statement<[string]>;
  readonly #base: Database.Statement<[string]>;
  readonly #transcript: Database.Statement<[string]>;

  /** Opens the view; it does not move while others write. Close it soon: it keeps the WAL from shrinking. */
  constructor(file: string, nativeBinding?: string) {
    this.#db = openIndexForReading(file, nativeBinding);
    try {
      this.#db.exec('BEGIN');
      this.#meta = this.#db.prepare('SELECT value FROM meta WHERE name = ?');
      this.#entry = this.#db.prepare('SELECT CAST(e.json AS BLOB) AS json FROM session s JOIN entry e ON e.id = s.id WHERE s.key = ?');
      this.#base = this.#db.prepare('SELECT CAST(json AS BLOB) AS json FROM base WHERE key = ? ORDER BY generation LIMIT 1');
      this.#transcript = this.#db.prepare('SELECT bytes, messages, exchanges, leaf_id AS leafId, kind FROM transcript WHERE file = ?');
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  close(): void {
    this.#db.close();
  }

  get hasOurFormat(): boolean {
    return this.#value(META.format) === String(INDEX_FORMAT);
  }

  /** The sessions file that the index knows; undefined when it knows none. */
  get sessionsFileIdentity(): FileIdentity | undefined {
    const [size, mtimeNs, inode] = [META.fileSize, META.fileMtimeNs, META.fileInode].map((name) => this.#value(name));
    if (!size || !mtimeNs || !inode) return undefined;
    return { size: Number(size), mtimeNs: BigInt(mtimeNs), inode: BigInt(inode) };
  }

  /** The bytes that stand under `key` in the sessions file that the index knows; undefined: no such key. */
  valueInFile(key: string): Buffer | undefined {
    const base = this.#base.get(key) as { json: Buffer | null } | undefined;
    if (base) return base.json ?? undefined;
    return (this.#entry.get(key) as { json: Buffer } | undefined)?.json;
  }

  transcript(file: string): IndexedTranscript | undefined {
    return this.#transcript.get(file) as IndexedTranscript | undefined;
  }

  /** Keys that the index knows, those removed since the last checkpoint included, with the bytes of their entries now. */
  *rows(): Generator<{ readonly key: string; readonly json: Buffer }, void, undefined> {
    const page = this.#db.prepare<[number, number]>('SELECT s.id, s.key, CAST(e.json AS BLOB) AS json FROM session s JOIN entry e ON e.id = s.id WHERE s.id > ? ORDER BY s.id LIMIT ?');
    for (let after = Number.MIN_SAFE_INTEGER; ; ) {
      const rows = page.all(after, ROWS_AT_ONCE) as { id: number; key: string; json: Buffer }[];
      yield* rows;
      const last = rows.at(-1);
      if (last === undefined) return;
      after = last.id;
    }
  }

  /** Keys that were removed since the last checkpoint and so still stand in the file. */
  *removedKeys(): Generator<string, void, undefined> {
    const page = this.#db.prepare<[string, number]>('SELECT DISTINCT key FROM base WHERE key > ? AND key NOT IN (SELECT key FROM session) ORDER BY key LIMIT ?').pluck();
    for (let after = ''; ; ) {
      const keys = page.all(after, ROWS_AT_ONCE) as string[];
      yield* keys;
      const last = keys.at(-1);
      if (last === undefined) return;
      after = last;
    }
  }

  #value(name: string): string | undefined {
    return (this.#meta.get(name) as { value: string } | undefined)?.value;
  }
}
