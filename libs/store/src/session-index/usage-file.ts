/**
 * `.store/usage.jsonl`, the usage ledger: one JSON object a line, a line for each run and model,
 * append-only. It holds numbers and ids, no text, and outlives the transcripts: nothing ever removes
 * a line. Lines are journalled with the mutation that they belong to, appended and synced at each
 * checkpoint before the journal forgets them, in the order of (`epoch`, `seq`, `n`), which names a line.
 *
 * What can be lost: nothing acknowledged. A half-written last line is cut; it comes again from the
 * index, which has it from the journal. A line that should stand twice (a former owner that was
 * stopped in the middle of a checkpoint) is counted once. Bounded by nothing: some 250 bytes a run.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type Database from 'better-sqlite3';
import { COST_KINDS, isJsonObject, type JsonObject, type JsonValue, type KindCosts, wholeCosts } from '@sessions/domain';
import { hasErrorCode } from '../files/file-system';
import { USAGE_FILE } from '../files/layout';
import { quarantineBytes, quarantineCopy } from '../files/quarantine';
import type { UsageLine } from '../types';
import { toUsageLine, USAGE_COLUMNS, UsageTable, type UsagePlace, type UsageRow } from './usage-table';
import type { StoreNotice } from './worker-protocol';

const FILE_MODE = 0o600;
const ROWS_PER_WRITE = 1000;
const CHUNK_BYTES = 256 * 1024;
/** No line of ours is as long; a longer one is none of the ledger's, and no more of it is kept in memory. */
export const USAGE_LINE_BYTES_MAX = 64 * 1024;
const NEWLINE = 0x0a;
/** Tokens and dollars of one line: thousands of lines of them still add up to a number that every door can carry. */
const COUNT_MAX = 1e12;
/** A higher epoch is none of ours: it would leave no room for those to come. */
const EPOCH_MAX = 2 ** 40;
/** Before every line that there is. */
const FIRST: UsagePlace = { epoch: -1, seq: -1, n: -1 };

/** Appends the lines up to `toSeq` that the file does not have, and syncs it. @throws the file system's error; the file then ends in a whole line or in one that the next call cuts. */
export function appendUsage(db: Database.Database, ownDir: string, { toSeq, nowMs }: { readonly toSeq: number; readonly nowMs: number }): void {
  const page = db.prepare(`SELECT ${USAGE_COLUMNS} FROM usage WHERE (epoch, seq, n) > (?, ?, ?) AND seq <= ? ORDER BY epoch, seq, n LIMIT ${ROWS_PER_WRITE}`);
  const after = (place: UsagePlace): UsageRow[] => page.all(place.epoch, place.seq, place.n, toSeq) as UsageRow[];
  // Most checkpoints have no usage to write: the table's newest line is looked at before the file is.
  if (db.prepare('SELECT 1 FROM usage LIMIT 1').get() === undefined) return;
  const file = path.join(ownDir, USAGE_FILE);
  const fd = fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_NOFOLLOW, FILE_MODE);
  try {
    let end = cutTornLine(fd, ownDir, nowMs);
    let last = lastPlace(fd, end);
    let written = false;
    for (let rows = after(last); rows.length > 0; rows = after(last)) {
      const bytes = Buffer.from(rows.map((row) => `${formatUsage(row)}\n`).join(''), 'utf8');
      for (let at = 0; at < bytes.length; ) at += fs.writeSync(fd, bytes, at, bytes.length - at, end + at);
      end += bytes.length;
      last = rows[rows.length - 1] as UsageRow;
      written = true;
    }
    if (written) fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** Fills the table of a new index; a line that is none of the ledger's is passed over and reported. */
export function loadUsage(db: Database.Database, ownDir: string): StoreNotice[] {
  const file = path.join(ownDir, USAGE_FILE);
  let fd: number;
  try {
    fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return [];
    throw error;
  }
  const table = new UsageTable(db);
  let unreadable = 0;
  // A foreign line without a place gets one of its own, before all others.
  let unplaced = 0;
  try {
    forEachLine(fd, (text) => {
      const found = text === undefined ? undefined : parseUsage(text);
      if (found === undefined) {
        unreadable += 1;
        return;
      }
      table.put(found.place ?? { epoch: -1, seq: -1, n: (unplaced += 1) }, found.line);
    });
  } finally {
    fs.closeSync(fd);
  }
  if (unreadable === 0) return [];
  return [{ kind: 'damage', message: 'lines of the usage ledger cannot be read; they are passed over', path: file, count: unreadable }];
}

const COUNTS = ['input', 'output', 'cacheRead', 'cacheWrite'] as const;

function formatUsage(row: UsageRow): string {
  const { epoch, seq, n } = row;
  return JSON.stringify({ ...toUsageLine(row), epoch, seq, n });
}

function parseUsage(text: string): { readonly line: UsageLine; readonly place: UsagePlace | undefined } | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isJsonObject(value)) return undefined;
  const { at, key, sessionId, runId, costUsd } = value;
  const costsUsd = costUsd === undefined ? undefined : kindCostsOf(value['costsUsd']);
  if (!Number.isSafeInteger(at) || typeof key !== 'string' || typeof sessionId !== 'string' || typeof runId !== 'string') return undefined;
  const isCounted = COUNTS.every((name) => value[name] === undefined || (Number.isSafeInteger(value[name]) && isWithin(value[name])));
  if (!isCounted || !(costUsd === undefined || isWithin(costUsd))) return undefined;
  const line: UsageLine = {
    at: at as number,
    key,
    sessionId,
    runId,
    provider: textOf(value['provider']),
    model: textOf(value['model']),
    input: countOf(value['input']),
    output: countOf(value['output']),
    cacheRead: countOf(value['cacheRead']),
    cacheWrite: countOf(value['cacheWrite']),
    ...(typeof costUsd === 'number' ? { costUsd } : {}),
    ...(costsUsd === undefined ? {} : { costsUsd }),
  };
  return { line, place: placeOf(value) };
}

/** Whether sums count it. */
export const isUsageLine = (text: string): boolean => parseUsage(text) !== undefined;

/** What is no parts of a cost leaves the cost as it is: its parts are not known. */
function kindCostsOf(value: JsonValue | undefined): KindCosts | undefined {
  if (!isJsonObject(value)) return undefined;
  return wholeCosts(COST_KINDS.map((kind) => (isWithin(value[kind]) ? value[kind] : undefined)));
}

function placeOf({ epoch, seq, n }: JsonObject): UsagePlace | undefined {
  return Number.isSafeInteger(epoch) && (epoch as number) <= EPOCH_MAX && Number.isSafeInteger(seq) && Number.isSafeInteger(n) ? ({ epoch, seq, n } as UsagePlace) : undefined;
}

const textOf = (value: JsonValue | undefined): string | null => (typeof value === 'string' ? value : null);
const countOf = (value: JsonValue | undefined): number => (typeof value === 'number' ? value : 0);
const isWithin = (value: JsonValue | undefined): value is number => typeof value === 'number' && value >= 0 && value <= COUNT_MAX;

/** Cuts half a line at the end, and keeps it aside. @returns the length of the file. */
function cutTornLine(fd: number, ownDir: string, nowMs: number): number {
  const { size } = fs.fstatSync(fd);
  const start = lineStartBefore(fd, size);
  if (start === size) return size;
  const aside = path.join(ownDir, 'quarantine');
  if (size - start > USAGE_LINE_BYTES_MAX) {
    // More than half a line of ours; it may be more than a buffer holds.
    quarantineCopy(path.join(ownDir, USAGE_FILE), aside, nowMs);
  } else {
    const torn = Buffer.alloc(size - start);
    fs.readSync(fd, torn, 0, torn.length, start);
    quarantineBytes(USAGE_FILE, torn, aside, nowMs);
  }
  fs.ftruncateSync(fd, start);
  return start;
}

/** Epoch of the owner that wrote the ledger's last line; 0: there is none. @throws the file system's error */
export function lastUsageEpoch(ownDir: string): number {
  let fd: number;
  try {
    fd = fs.openSync(path.join(ownDir, USAGE_FILE), fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
  } catch (error) {
    // What else keeps it from being read is said where the ledger is.
    if (hasErrorCode(error, 'ENOENT', 'ELOOP', 'EACCES')) return 0;
    throw error;
  }
  try {
    const stats = fs.fstatSync(fd);
    const { epoch } = stats.isFile() ? lastPlace(fd, lineStartBefore(fd, stats.size)) : FIRST;
    return Math.max(0, epoch);
  } finally {
    fs.closeSync(fd);
  }
}

/** Place of the last line that has one, looked for from the end. */
function lastPlace(fd: number, size: number): UsagePlace {
  for (let end = size; end > 0; ) {
    const start = lineStartBefore(fd, end - 1);
    const length = end - 1 - start;
    end = start;
    if (length > USAGE_LINE_BYTES_MAX) continue;
    const bytes = Buffer.alloc(length);
    fs.readSync(fd, bytes, 0, bytes.length, start);
    const place = parseUsage(bytes.toString('utf8'))?.place;
    if (place !== undefined) return place;
  }
  return FIRST;
}

/** Where the line begins that `end` lies in: behind the newline before it. */
function lineStartBefore(fd: number, end: number): number {
  for (let to = end; to > 0; ) {
    const from = Math.max(0, to - CHUNK_BYTES);
    const chunk = Buffer.allocUnsafe(to - from);
    fs.readSync(fd, chunk, 0, chunk.length, from);
    const newline = chunk.lastIndexOf(NEWLINE);
    if (newline !== -1) return from + newline + 1;
    to = from;
  }
  return 0;
}

/** Complete lines that are not empty, without a text those that are too long; a last one without its newline comes again from the journal. */
function forEachLine(fd: number, onLine: (text: string | undefined) => void): void {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let rest: Buffer = Buffer.alloc(0);
  let isTooLong = false;
  for (;;) {
    const count = fs.readSync(fd, chunk, 0, chunk.length, null);
    if (count === 0) return;
    const bytes = chunk.subarray(0, count);
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
      const length = rest.length + end - start;
      if (isTooLong || length > USAGE_LINE_BYTES_MAX) onLine(undefined);
      else if (length > 0) onLine(Buffer.concat([rest, bytes.subarray(start, end)]).toString('utf8'));
      rest = Buffer.alloc(0);
      isTooLong = false;
      start = end + 1;
    }
    isTooLong ||= rest.length + count - start > USAGE_LINE_BYTES_MAX;
    rest = isTooLong ? Buffer.alloc(0) : Buffer.concat([rest, bytes.subarray(start)]);
  }
}
