/**
 * First answers to idempotency keys, outside the disposable index: `.store/results-<day>.jsonl`,
 * one line a result, appended at each checkpoint before the journal segment that held them is
 * recycled. A line may stand twice after a crash; the first one counts. A file is removed when the
 * last result in it is past its keeping time, judged by its day.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type Database from 'better-sqlite3';
import { dayOfResultsFile, resultsFileName } from '../files/layout';

const DAY_MS = 24 * 60 * 60 * 1000;
/**
 * Results are kept this much longer than they were promised to be: a clock that was a day behind when
 * one was stored, or is a day ahead when it expires, makes no request be carried out twice.
 */
const CLOCK_ERROR_MS = 2 * DAY_MS;
/** Longest keeping time of any result, a week for channel messages, the clock's error, and a day to spare. */
const FILE_KEPT_DAYS = 10;
const FILE_MODE = 0o600;
const ROWS_PER_WRITE = 1000;
const NEWLINE = 0x0a;
/** Sorts behind every key, which is of visible ASCII characters. */
const LAST_KEY = '\x7f';

interface ResultRow {
  readonly key: string;
  readonly hash: string;
  readonly json: string;
  readonly keep_until: number;
  readonly seq: number;
}

/** The next results behind a sequence and a key. As a comparison of pairs it is one walk of the index; with OR in it, each page sorts all that is left. */
export const NEXT_RESULTS = `SELECT key, hash, json, keep_until, seq FROM result WHERE (seq, key) > (?, ?) AND seq <= ? ORDER BY seq, key LIMIT ${ROWS_PER_WRITE}`;

/** Appends the results of mutations above `fromSeq` up to `toSeq` and syncs the file. @returns how many there were */
export function appendResults(db: Database.Database, ownDir: string, range: { fromSeq: number; toSeq: number; nowMs: number }): number {
  const page = db.prepare(NEXT_RESULTS);
  // Several results may have one sequence.
  let from: Pick<ResultRow, 'seq' | 'key'> = { seq: range.fromSeq, key: LAST_KEY };
  let count = 0;
  let fd: number | undefined;
  try {
    for (;;) {
      const rows = page.all(from.seq, from.key, range.toSeq) as ResultRow[];
      if (rows.length === 0) break;
      fd ??= openAtLineStart(path.join(ownDir, resultsFileName(dayOf(range.nowMs))));
      const text = rows.map((row) => `${JSON.stringify([row.key, row.hash, row.keep_until, row.json, row.seq])}\n`).join('');
      writeWhole(fd, Buffer.from(text, 'utf8'));
      from = rows[rows.length - 1] as ResultRow;
      count += rows.length;
    }
    if (fd !== undefined) fs.fsyncSync(fd);
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
  return count;
}

/** Opens for appending; a line that an earlier append left unfinished is ended, so that ours stays whole. */
function openAtLineStart(file: string): number {
  const fd = fs.openSync(file, 'a+', FILE_MODE);
  const { size } = fs.fstatSync(fd);
  const last = Buffer.alloc(1);
  if (size > 0 && fs.readSync(fd, last, 0, 1, size - 1) === 1 && last[0] !== NEWLINE) writeWhole(fd, Buffer.of(NEWLINE));
  return fd;
}

/** A disk without room takes a part of the bytes and says so only at the next call. */
function writeWhole(fd: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += fs.writeSync(fd, bytes, at);
}

/**
 * Forgets results that are past their time: in the table those among the next `count` keys behind
 * `behindKey`, so that a week of results is not read at every checkpoint; and files of days that are.
 * @returns the key behind which to go on; '' after the last
 */
export function expireResults(db: Database.Database, ownDir: string, { nowMs, behindKey, count }: { nowMs: number; behindKey: string; count: number }): string {
  const until = db.prepare('SELECT max(key) FROM (SELECT key FROM result WHERE key > ? ORDER BY key LIMIT ?)').pluck().get(behindKey, count) as string | null;
  if (until !== null) db.prepare('DELETE FROM result WHERE key > ? AND key <= ? AND keep_until < ?').run(behindKey, until, nowMs - CLOCK_ERROR_MS);
  const oldest = dayOf(nowMs - FILE_KEPT_DAYS * DAY_MS);
  for (const name of fs.readdirSync(ownDir)) {
    const day = dayOfResultsFile(name);
    if (day !== undefined && day < oldest) fs.unlinkSync(path.join(ownDir, name));
  }
  return until === null || db.prepare('SELECT 1 FROM result WHERE key > ? LIMIT 1').get(until) === undefined ? '' : until;
}

/**
 * Fills the table of a new index; lines that cannot be read are passed over (a torn last line). Their
 * sequences are stored negative: what stands in a file already is not appended again.
 */
export function loadResults(db: Database.Database, ownDir: string, nowMs: number): void {
  const put = db.prepare('INSERT INTO result (key, hash, json, keep_until, seq) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING');
  for (const name of fs.readdirSync(ownDir).filter((file) => dayOfResultsFile(file) !== undefined).sort()) {
    for (const line of fs.readFileSync(path.join(ownDir, name), 'utf8').split('\n')) {
      const row = parseLine(line);
      if (row !== undefined && row[2] >= nowMs - CLOCK_ERROR_MS) put.run(row[0], row[1], row[3], row[2], -(row[4] ?? 0));
    }
  }
}

/** Lines of earlier releases end without the sequence. */
type ResultLine = [key: string, hash: string, keepUntilMs: number, json: string, seq?: number];

function parseLine(line: string): ResultLine | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (!Array.isArray(value) || typeof value[0] !== 'string' || typeof value[2] !== 'number') return undefined;
    if (value.length === 4 || (value.length === 5 && Number.isSafeInteger(value[4]))) return value as unknown as ResultLine;
  } catch {
    // an incomplete last line
  }
  return undefined;
}

function dayOf(nowMs: number): string {
  return new Date(nowMs).toISOString().slice(0, 10);
}
