/**
 * `.store/archive-manifest.jsonl`: what was set aside, why, and how to bring it back; append-only,
 * one JSON object a line. A line is journalled with the mutation that it belongs to and written, synced,
 * while the file still has its old name too. What can be lost: the whole file, which costs the entries of
 * deleted sessions; archives themselves are found by their names. Bounded by nothing: a line an archive.
 *
 * `gone` in a line says that archives named earlier have left: brought back, or removed by retention.
 */
import { constants } from 'node:fs';
import { isJsonObject, type JsonValue } from '@sessions/domain';
import { believeSync } from '../files/believe-sync';
import { hasErrorCode, type FileSystem } from '../files/file-system';
import { SharedRounds } from '../files/shared-rounds';

const FILE_MODE = 0o600;
const NEWLINE = 0x0a;
const CHUNK_BYTES = 256 * 1024;

export interface ArchivedFile {
  /** Names inside the store's directory. */
  readonly from: string;
  readonly to: string;
  readonly bytes: number;
  readonly sha256: string;
}

export interface ManifestLine {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly reason: string;
  readonly key: string | null;
  readonly sessionId: string | null;
  /** The entry as it stood; absent: there was none, or the line records a departure. */
  readonly entry?: JsonValue;
  readonly files: readonly ArchivedFile[];
  readonly actor: string;
  readonly runId?: string;
  /** Of a truncation: what took the place of the original. */
  readonly kept?: { readonly bytes: number; readonly lines: number };
  /** Archives that have left. */
  readonly gone?: readonly string[];
}

/** @param entryText is put in as it stands: numbers and unknown members stay as they were. */
export function formatManifestLine(line: Omit<ManifestLine, 'entry'>, entryText: string | undefined): string {
  const { at, reason, key, sessionId, ...rest } = line;
  const head = JSON.stringify({ at, reason, key, sessionId }).slice(0, -1);
  const entry = entryText === undefined ? '' : `,"entry":${onOneLine(entryText)}`;
  return `${head}${entry},${JSON.stringify(rest).slice(1)}`;
}

/** Line breaks stand between tokens of JSON only: inside a string they are escaped. */
export function onOneLine(text: string): string {
  return text.replaceAll(/[\n\r]\s*/g, '');
}

/** @returns undefined for a line that is none of the manifest's. */
export function parseManifestLine(text: string): ManifestLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isJsonObject(value)) return undefined;
  const { at, reason, key, sessionId, entry, files, actor, runId, kept, gone } = value;
  const text_ = (member: JsonValue | undefined): string | null => (typeof member === 'string' ? member : null);
  return {
    at: typeof at === 'number' ? at : 0,
    reason: text_(reason) ?? '',
    key: text_(key),
    sessionId: text_(sessionId),
    ...(entry === undefined ? {} : { entry }),
    files: Array.isArray(files) ? (files as readonly JsonValue[]).flatMap(readArchived) : [],
    actor: text_(actor) ?? '',
    ...(typeof runId === 'string' ? { runId } : {}),
    ...(isJsonObject(kept) && typeof kept['bytes'] === 'number' && typeof kept['lines'] === 'number' ? { kept: { bytes: kept['bytes'], lines: kept['lines'] } } : {}),
    ...(Array.isArray(gone) ? { gone: (gone as readonly JsonValue[]).filter((name) => typeof name === 'string') } : {}),
  };
}

function readArchived(value: JsonValue): ArchivedFile[] {
  if (!isJsonObject(value)) return [];
  const { from, to, bytes, sha256 } = value;
  if (typeof from !== 'string' || typeof to !== 'string' || typeof bytes !== 'number' || typeof sha256 !== 'string') return [];
  return [{ from, to, bytes, sha256 }];
}

interface Append {
  readonly fs: FileSystem;
  readonly lines: readonly string[];
  readonly mayBeThere: boolean;
}

/** One append a file at a time: a failed one takes its half line back, and must take nobody else's with it. */
const appends = new SharedRounds<Append>(appendTogether);

/**
 * Appends lines and syncs them, together with those that wait for the same file.
 * @param mayBeThere an earlier try may have written some: those that stand there already are left out.
 */
export async function appendManifestLines(fs: FileSystem, file: string, lines: readonly string[], mayBeThere: boolean): Promise<void> {
  if (lines.length > 0) await appends.take(file, { fs, lines, mayBeThere });
}

async function appendTogether(file: string, asked: readonly Append[]): Promise<void> {
  const [{ fs }] = asked as [Append];
  const fd = await fs.open(file, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW, FILE_MODE);
  try {
    const size = await fs.size(fd);
    const doubtful = asked.flatMap(({ lines, mayBeThere }) => (mayBeThere ? lines : []));
    const there = doubtful.length > 0 ? await findLines(fs, fd, size, doubtful) : new Set<string>();
    const missing = asked.flatMap(({ lines, mayBeThere }) => (mayBeThere ? lines.filter((line) => !there.has(line)) : lines));
    if (missing.length > 0) {
      const bytes = Buffer.from(`${(await endsInLine(fs, fd, size)) ? '' : '\n'}${missing.map((line) => `${line}\n`).join('')}`);
      try {
        await fs.writeAll(fd, [bytes], size);
      } catch (error) {
        // Half a line would be damage for ever: it was not there before, and goes.
        await fs.truncate(fd, size).catch(() => undefined);
        throw error;
      }
    }
    await believeSync(file, fs.fdatasync(fd));
  } finally {
    await fs.close(fd);
  }
}

async function endsInLine(fs: FileSystem, fd: number, size: number): Promise<boolean> {
  const last = Buffer.alloc(1);
  return size === 0 || ((await fs.read(fd, last, 0, 1, size - 1)) === 1 && last[0] === NEWLINE);
}

/** Which of the lines the file has. */
async function findLines(fs: FileSystem, fd: number, size: number, lines: readonly string[]): Promise<Set<string>> {
  const wanted = new Set(lines);
  const found = new Set<string>();
  let rest: Buffer = Buffer.alloc(0);
  for (let position = 0; position < size; ) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size - position));
    const count = await fs.read(fd, chunk, 0, chunk.length, position);
    if (count === 0) break;
    position += count;
    const bytes = Buffer.concat([rest, chunk.subarray(0, count)]);
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
      const line = bytes.toString('utf8', start, end);
      if (wanted.has(line)) found.add(line);
      start = end + 1;
    }
    rest = bytes.subarray(start);
  }
  return found;
}

/**
 * Before a store is served: half a line at the end was written by a process that died, and its whole
 * line comes again from the journal. @param keep sets the bytes aside before they are cut off.
 */
export async function cutTornManifest(fs: FileSystem, file: string, keep: (torn: Buffer) => void): Promise<void> {
  let fd: number;
  try {
    fd = await fs.open(file, constants.O_RDWR | constants.O_NOFOLLOW);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return;
    throw error;
  }
  try {
    const size = await fs.size(fd);
    if (await endsInLine(fs, fd, size)) return;
    let end = size;
    let torn: Buffer = Buffer.alloc(0);
    while (end > 0) {
      const start = Math.max(0, end - CHUNK_BYTES);
      const chunk = Buffer.allocUnsafe(end - start);
      await fs.read(fd, chunk, 0, chunk.length, start);
      const newline = chunk.lastIndexOf(NEWLINE);
      torn = Buffer.concat([chunk.subarray(newline + 1), torn]);
      end = newline === -1 ? start : start + newline + 1;
      if (newline !== -1) break;
    }
    keep(torn);
    await fs.truncate(fd, end);
    await believeSync(file, fs.fdatasync(fd));
  } finally {
    await fs.close(fd);
  }
}
