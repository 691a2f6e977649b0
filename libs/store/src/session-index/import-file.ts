/**
 * Fills an empty session index from `sessions.json`, entry by entry, keeping every value's bytes.
 * Runs in the worker thread, in one transaction: a damaged file leaves the index empty.
 *
 * A large file's values are parsed by a second thread, a few batches ahead of the storing.
 */
import * as fs from 'node:fs';
import { SessionError } from '@sessions/domain';
import { scanSessionsFileSync } from '../sessions-file/scan-sessions-file';
import { parseEntryValue, type ScannedEntry, type ScanSummary } from '../sessions-file/scanner';
import { ValueParserClient } from '../value-parser-client';
import { importColumns } from './entry-columns';
import { toIndexKey } from './index-key';
import type { IndexWriter } from './index-writer';
import { META } from './schema';
import type { StoreNotice } from './worker-protocol';

/** Bounds of one batch for the parser, and of the batches on their way. */
const BATCH_BYTES = 512 * 1024;
const BATCH_ENTRIES_MAX = 500;
const BATCHES_AHEAD_MAX = 8;

export interface ImportReport {
  /** `empty`: the file has 0 bytes. */
  readonly outcome: 'empty' | 'imported';
  readonly entriesCount: number;
  readonly notices: readonly StoreNotice[];
}

/** @throws STORE_UNREADABLE when the file is no JSON object; the index is unchanged then. */
export function importSessionsFile(writer: IndexWriter, file: string): ImportReport {
  const fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
  const parser = ValueParserClient.for(fd, fs.fstatSync(fd).size);
  try {
    writer.beginBulk();
    return writer.transaction(() => {
      const summary = parser === undefined ? importAlone(writer, fd) : importTogether(writer, fd, parser);
      writer.setMeta(META.rowsMadeId, 0);
      const notices: StoreNotice[] = [];
      if (summary.duplicateKeysCount > 0) {
        notices.push({ kind: 'oddity', message: 'keys that stand twice in the sessions file: the last one counts', path: file, count: summary.duplicateKeysCount });
      }
      return { outcome: summary.outcome === 'empty' ? 'empty' : 'imported', entriesCount: summary.entriesCount, notices };
    });
  } finally {
    parser?.end();
    writer.endBulk();
    fs.closeSync(fd);
  }
}

function importAlone(writer: IndexWriter, fd: number): ScanSummary {
  return scanSessionsFileSync(fd, (entry) => {
    const key = toIndexKey(entry.key);
    if (entry.duplicateKey) writer.importDuplicate(key, entry.valueBytes.toString('utf8'));
    else writer.importEntry(key, entry.valueBytes, importColumns(key, entry.value));
  });
}

function importTogether(writer: IndexWriter, fd: number, parser: ValueParserClient): ScanSummary {
  let batch: ScannedEntry[] = [];
  let batchBytes = 0;
  const ahead: ScannedEntry[][] = [];
  const offer = (): void => {
    if (batch.length === 0) return;
    parser.offer({ keys: batch.map(({ key }) => toIndexKey(key)), offsets: batch.map(({ offset }) => offset), lengths: batch.map(({ valueBytes }) => valueBytes.length) });
    ahead.push(batch);
    batch = [];
    batchBytes = 0;
  };
  const storeDownTo = (batchesLeft: number): void => {
    while (ahead.length > batchesLeft) storeBatch(writer, ahead.shift() as ScannedEntry[], parser);
  };
  const scanned = scanNoting(fd, (entry) => {
    batch.push(entry);
    batchBytes += entry.valueBytes.length;
    if (batchBytes < BATCH_BYTES && batch.length < BATCH_ENTRIES_MAX) return;
    offer();
    storeDownTo(BATCHES_AHEAD_MAX);
  });
  offer();
  // A value that is no JSON and stands before the scanner's damage is the first damage, and is thrown here.
  storeDownTo(0);
  if ('damage' in scanned) throw scanned.damage;
  return scanned;
}

/** Damage that the scanner finds is returned; what `onEntry` throws goes through. */
function scanNoting(fd: number, onEntry: (entry: ScannedEntry) => void): ScanSummary | { readonly damage: SessionError } {
  let isStoring = false;
  try {
    return scanSessionsFileSync(
      fd,
      (entry) => {
        isStoring = true;
        onEntry(entry);
        isStoring = false;
      },
      { parseValues: false },
    );
  } catch (error) {
    if (isStoring || !(error instanceof SessionError)) throw error;
    return { damage: error };
  }
}

function storeBatch(writer: IndexWriter, entries: readonly ScannedEntry[], parser: ValueParserClient): void {
  const columns = parser.take();
  entries.forEach(({ key: fileKey, valueBytes, duplicateKey, offset }, index) => {
    const key = toIndexKey(fileKey);
    if (duplicateKey) writer.importDuplicate(key, valueBytes.toString('utf8'));
    else writer.importEntry(key, valueBytes, columns?.[index] ?? importColumns(key, parseEntryValue(valueBytes, offset)));
  });
}
