/**
 * Every place of a store where something about a session or a person can stand, and how an erasure
 * clears it. This list is the whole of it: a part of the system that keeps another file, or another
 * table in the index, adds a line here, or the byte scan at the end of an erasure finds what it left.
 */
import * as path from 'node:path';
import { parseArchiveName, parseStoreFile } from '@sessions/domain';
import { USAGE_FILE, isTempFileName, parseSegmentName, epochOfSpare, dayOfResultsFile } from '../files/layout';
import { isStagedName } from '../archive/stage-transcript';

/** How a place is cleared of what it says about the subject. */
export type Clearing =
  /** The subject's own files leave; in the files of others its names are overwritten by as many bytes. */
  | 'files'
  /** The file leaves when it names the subject. */
  | 'whole'
  /** Nothing in the file is needed once the store is closed: it leaves. */
  | 'always'
  /** Lines that name the subject leave. */
  | 'lines'
  /** As `lines`, of lines about the subject; in others its names are overwritten, and hashes follow. */
  | 'manifest'
  /** Its names are overwritten by as many bytes; what is counted beside them stays. */
  | 'overwrite'
  /** The file leaves when nothing that stays names it: its name says nothing about whose it is. */
  | 'unnamed'
  /** Rows of `ERASED_TABLES` leave, and the database is written anew without free pages. */
  | 'database'
  /** Cleared by mutations before the store is closed. */
  | 'entries'
  /** Read by the scan, and never changed: nobody knows what it is. */
  | 'scanned';

export interface Place {
  readonly name: string;
  /** @param file relative to the store's directory; `own` relative to its `.store`, undefined outside of it. */
  readonly holds: (file: string, own: string | undefined) => boolean;
  readonly clearing: Clearing;
}

const isIndexRest = (name: string): boolean => /^index\.sqlite(?:-wal|-shm|-journal|\.building.*|\.erased.*)$/.test(name);

/** The first place that holds a file is the file's. */
export const PLACES: readonly Place[] = [
  { name: 'journal', holds: (_file, own) => own !== undefined && (parseSegmentName(own) !== undefined || epochOfSpare(own) !== undefined), clearing: 'always' },
  { name: 'index', holds: (_file, own) => own === 'index.sqlite', clearing: 'database' },
  { name: 'temporary', holds: (_file, own) => own !== undefined && (isIndexRest(own) || isStagedName(own) || isTempFileName(own)), clearing: 'always' },
  { name: 'temporary', holds: (_file, own) => own !== undefined && /^index\.sqlite\.(?:corrupt|held)$/.test(own), clearing: 'whole' },
  { name: 'uploads', holds: (_file, own) => own?.startsWith('uploads/') === true, clearing: 'always' },
  { name: 'ledger-of-answers', holds: (_file, own) => own !== undefined && dayOfResultsFile(own) !== undefined, clearing: 'lines' },
  { name: 'manifest', holds: (_file, own) => own === 'archive-manifest.jsonl', clearing: 'manifest' },
  { name: 'quarantine', holds: (_file, own) => own?.startsWith('quarantine/') === true, clearing: 'whole' },
  { name: 'usage-ledger', holds: (_file, own) => own === USAGE_FILE, clearing: 'overwrite' },
  { name: 'waiting-texts', holds: (_file, own) => own?.startsWith('runs/') === true, clearing: 'unnamed' },
  { name: 'own-files', holds: (_file, own) => own !== undefined, clearing: 'scanned' },
  { name: 'temporary', holds: (file) => isTempFileName(file), clearing: 'whole' },
  { name: 'backups', holds: (file) => parseStoreFile(file)?.kind === 'index-backup', clearing: 'whole' },
  { name: 'archives', holds: (file) => parseArchiveName(path.posix.basename(file)) !== undefined, clearing: 'files' },
  { name: 'trajectories', holds: (file) => parseStoreFile(file)?.kind === 'trajectory', clearing: 'files' },
  { name: 'transcripts', holds: (file) => /\.jsonl(?:\.lock)?$/.test(file), clearing: 'files' },
  { name: 'other-files', holds: () => true, clearing: 'scanned' },
];

/** In its place: what its own checkpoint has written. */
export const ENTRIES_PLACE: Place = { name: 'entries', holds: () => false, clearing: 'entries' };

/** A table of the index whose rows can name the subject apart from the entries themselves. */
export interface ErasedTable {
  readonly table: string;
  /** Columns that are looked at; a row leaves when one of them holds a name of the subject. */
  readonly columns: readonly string[];
  /** That of them which is JSON in text: judged value by value too, as lines of the ledger are. */
  readonly json?: string;
  /** The row stays, for what is counted in it: names in these columns are overwritten by as many bytes. */
  readonly stays?: true;
}

/**
 * Rows of entries leave by mutations. Tables that an index does not have are passed over; of virtual
 * tables the text index itself is put in order afterwards, so that no deleted words stay in it.
 */
export const ERASED_TABLES: readonly ErasedTable[] = [
  { table: 'result', columns: ['key', 'json'], json: 'json' },
  { table: 'base', columns: ['key', 'json'] },
  { table: 'transcript', columns: ['file'] },
  { table: 'usage', columns: ['key', 'session_id', 'run_id'], stays: true },
  // Rows of others, whose search text has a key in small letters that is the subject's as it stands.
  { table: 'session', columns: ['search'], stays: true },
  // With the words that the index has of its transcript.
  { table: 'text_file', columns: ['file'] },
];
