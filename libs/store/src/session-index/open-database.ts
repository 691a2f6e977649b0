/**
 * Opens the index's database the way each side needs it. The native binding's path is explicit in a
 * bundle, where the usual search for it finds nothing.
 */
import { closeSync, openSync } from 'node:fs';
import Database from 'better-sqlite3';
import { errorCodeOf } from '../files/error-code';
import { PAGE_BYTES } from './schema';

/** Memory each connection may keep for pages; independent of the size of the store. */
const WRITER_CACHE_KIB = 4096;
const READER_CACHE_KIB = 2048;
/** A WAL that grew under a long reader shrinks back to this. */
const WAL_BYTES_MAX = 16 * 1024 * 1024;
/** The writer waits for another process's transaction; a reader, on the thread that serves requests, hardly does. */
const WRITER_BUSY_MS = 1000;
const READER_BUSY_MS = 20;
const FILE_MODE = 0o600;

function optionsWith(nativeBinding: string | undefined, options: Database.Options): Database.Options {
  return nativeBinding === undefined ? options : { ...options, nativeBinding };
}

/** The one writing connection, in the worker thread. */
export function openIndexForWriting(file: string, nativeBinding?: string): Database.Database {
  // Made before SQLite does: its -wal and -shm take over the mode.
  closeSync(openSync(file, 'a', FILE_MODE));
  const db = new Database(file, optionsWith(nativeBinding, { timeout: WRITER_BUSY_MS }));
  db.pragma(`page_size = ${PAGE_BYTES}`);
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = NORMAL');
  db.pragma(`journal_size_limit = ${WAL_BYTES_MAX}`);
  db.pragma(`cache_size = -${WRITER_CACHE_KIB}`);
  return db;
}

/**
 * A database in the making, under a name that nobody reads: without a WAL and without syncs, each
 * page is written once. Whoever makes it syncs the file before it gets its name.
 */
export function openIndexForBuilding(file: string, nativeBinding?: string): Database.Database {
  closeSync(openSync(file, 'a', FILE_MODE));
  const db = new Database(file, optionsWith(nativeBinding, {}));
  db.pragma(`page_size = ${PAGE_BYTES}`);
  db.pragma('journal_mode = MEMORY');
  db.pragma('synchronous = OFF');
  db.pragma(`cache_size = -${WRITER_CACHE_KIB}`);
  return db;
}

/** A database that is nobody's file, for one answer. */
export const openTableInMemory = (nativeBinding?: string): Database.Database => new Database(':memory:', optionsWith(nativeBinding, {}));

/** A reading connection. Of a database in WAL mode it needs the `-wal` and `-shm` beside it, or SQLite makes them. */
export function openIndexForReading(file: string, nativeBinding?: string): Database.Database {
  const db = new Database(file, optionsWith(nativeBinding, { readonly: true, fileMustExist: true, timeout: READER_BUSY_MS }));
  db.pragma(`cache_size = -${READER_CACHE_KIB}`);
  return db;
}

/** True for errors that say the database file itself is bad. */
export function isIndexDamage(error: unknown): boolean {
  const code = errorCodeOf(error);
  return code !== undefined && (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB');
}
