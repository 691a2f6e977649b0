/**
 * The index without the subject: rows of `ERASED_TABLES` leave, text indexes are put in order, and the
 * database is written anew, so that nothing stays in free pages. The new file takes the place of the
 * old one by rename; whoever dies before finds the old one, and begins again.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import Database from 'better-sqlite3';
import type { StoreLayout } from '../files/layout';
import { META } from '../session-index/schema';
import { ERASED_TABLES } from './places';
import type { Needles } from './needles';

interface Named {
  readonly table: string;
  readonly rowids: readonly (number | string)[];
  readonly keyColumn: string;
}

/** Rows that would leave. */
export function rowsOf(indexFile: string, { needles, isNamedIn }: Pick<RowsToErase, 'needles' | 'isNamedIn'>, nativeBinding: string | undefined): number {
  if (!fs.existsSync(indexFile)) return 0;
  const db = new Database(indexFile, { readonly: true, ...(nativeBinding === undefined ? {} : { nativeBinding }) });
  try {
    return namedRows(db, needles, isNamedIn).reduce((sum, { rowids }) => sum + rowids.length, 0) + namedValues(db, needles).reduce((sum, { rows }) => sum + rows, 0);
  } finally {
    db.close();
  }
}

export interface RowsToErase {
  readonly needles: Needles;
  /** Whether a text of JSON names the subject, also by names too short to be looked for in bytes. */
  readonly isNamedIn: (json: string) => boolean;
  /** Transcripts of others in which names were overwritten. */
  readonly overwritten: readonly string[];
}

/** @returns rows that left, and the last mutation that the index has */
export function eraseRows({ dir, indexFile }: Pick<StoreLayout, 'dir' | 'indexFile'>, { needles, isNamedIn, overwritten }: RowsToErase, nativeBinding: string | undefined): { readonly rows: number; readonly appliedSeq: number } {
  if (!fs.existsSync(indexFile)) return { rows: 0, appliedSeq: 0 };
  const erased = `${indexFile}.erased`;
  for (const suffix of ['', '-journal']) fs.rmSync(`${erased}${suffix}`, { force: true });
  const db = new Database(indexFile, nativeBinding === undefined ? {} : { nativeBinding });
  let rows = 0;
  let appliedSeq = 0;
  try {
    db.pragma('journal_mode = DELETE');
    db.transaction(() => {
      const named = namedRows(db, needles, isNamedIn);
      eraseWords(db, named.find(({ table }) => table === 'text_file')?.rowids ?? []);
      for (const { table, rowids, keyColumn } of named) {
        const remove = db.prepare(`DELETE FROM ${table} WHERE ${keyColumn} = ?`);
        for (const rowid of rowids) remove.run(rowid);
        rows += rowids.length;
      }
      eraseWordsBefore(db, dir, new Set(overwritten));
      rows += overwriteColumns(db, needles);
    })();
    for (const table of textIndexes(db)) db.prepare(`INSERT INTO ${table} (${table}) VALUES ('optimize')`).run();
    appliedSeq = Number((db.prepare("SELECT value FROM meta WHERE name = 'applied_seq'").get() as { value: string } | undefined)?.value ?? 0);
    db.prepare('VACUUM INTO ?').run(erased);
  } finally {
    db.close();
  }
  fs.chmodSync(erased, 0o600);
  syncPath(erased);
  fs.renameSync(erased, indexFile);
  for (const suffix of ['-wal', '-shm', '-journal']) fs.rmSync(`${indexFile}${suffix}`, { force: true });
  syncPath(path.dirname(indexFile));
  return { rows, appliedSeq };
}

/** Words of these transcripts, and of those that were set aside a moment ago. */
function eraseWords(db: Database.Database, fileIds: readonly (number | string)[]): void {
  if (db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'text_gone'").get() === undefined) return;
  // One look at all lines, which have no index by transcript.
  db.exec('CREATE TEMP TABLE erased_file (id INTEGER PRIMARY KEY)');
  const note = db.prepare('INSERT OR IGNORE INTO erased_file SELECT ?');
  for (const fileId of fileIds) note.run(fileId);
  db.exec(`
    INSERT OR IGNORE INTO erased_file SELECT file_id FROM text_gone;
    DELETE FROM text WHERE rowid IN (SELECT id FROM text_line WHERE file_id IN (SELECT id FROM erased_file));
    DELETE FROM text_line WHERE file_id IN (SELECT id FROM erased_file);
    DELETE FROM text_gone;
    DROP TABLE erased_file;
  `);
}

/**
 * The index has words cut into tokens, which no scan finds: of a transcript whose bytes have changed since
 * it was read all of them leave, and it is read again when the store is open.
 */
function eraseWordsBefore(db: Database.Database, dir: string, overwritten: ReadonlySet<string>): void {
  if (db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'text_file'").get() === undefined) return;
  const known = db.prepare('SELECT id, file, inode FROM text_file').all() as { id: number; file: string; inode: number }[];
  const changed = known.filter(({ file, inode }) => overwritten.has(file) || fs.lstatSync(path.join(dir, file), { throwIfNoEntry: false })?.ino !== inode);
  if (changed.length === 0) return;
  eraseWords(db, changed.map(({ id }) => id));
  const forget = db.prepare('DELETE FROM text_file WHERE id = ?');
  for (const { id } of changed) forget.run(id);
  db.prepare('INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value').run(META.textsMadeId, String(Number.MAX_SAFE_INTEGER));
}

function namedRows(db: Database.Database, needles: Needles, isNamedIn: (json: string) => boolean): Named[] {
  const tables = new Map((db.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'table'").all() as { name: string; sql: string }[]).map(({ name, sql }) => [name, sql]));
  return ERASED_TABLES.filter(({ table, stays }) => tables.has(table) && stays !== true).map(({ table, columns, json }) => {
    // A table without row ids is known by its first column, which is its key.
    const keyColumn = /WITHOUT ROWID/i.test(tables.get(table) ?? '') ? (columns[0] as string) : 'rowid';
    const rowids: (number | string)[] = [];
    for (const row of db.prepare(`SELECT ${keyColumn} AS id, ${columns.join(', ')} FROM ${table}`).iterate() as IterableIterator<Record<string, unknown>>) {
      const isNamed = columns.some((column) => {
        const value = row[column];
        return typeof value === 'string' ? needles.isInText(value) || (column === json && isNamedIn(value)) : Buffer.isBuffer(value) && needles.isIn(value);
      });
      if (isNamed) rowids.push(row['id'] as number | string);
    }
    return { table, rowids, keyColumn };
  });
}

interface NamedValue {
  readonly table: string;
  readonly column: string;
  readonly value: string;
  readonly rows: number;
}

/** Values of tables whose rows stay. */
function namedValues(db: Database.Database, needles: Needles): NamedValue[] {
  const isThere = db.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?");
  return ERASED_TABLES.filter(({ table, stays }) => stays === true && isThere.get(table) !== undefined).flatMap(({ table, columns }) =>
    columns.flatMap((column) =>
      (db.prepare(`SELECT ${column} AS value, COUNT(*) AS rows FROM ${table} GROUP BY ${column}`).all() as { value: unknown; rows: number }[]).flatMap(({ value, rows }) =>
        typeof value === 'string' && needles.isInText(value) ? [{ table, column, value, rows }] : [],
      ),
    ),
  );
}

function overwriteColumns(db: Database.Database, needles: Needles): number {
  let count = 0;
  for (const { table, column, value, rows } of namedValues(db, needles)) {
    const bytes = Buffer.from(value, 'utf8');
    needles.overwriteIn(bytes);
    db.prepare(`UPDATE ${table} SET ${column} = ? WHERE ${column} = ?`).run(bytes.toString('utf8'), value);
    count += rows;
  }
  return count;
}

function textIndexes(db: Database.Database): string[] {
  return (db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%USING fts5%'").all() as { name: string }[]).map(({ name }) => name);
}

function syncPath(file: string): void {
  const fd = fs.openSync(file, fs.constants.O_RDONLY);
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
