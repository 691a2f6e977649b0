/**
 * Replays a store's journal over its files when the store is opened.
 *
 * Transcripts: every kept record's bytes are compared with what stands at their offset and written
 * where they differ; a length proves nothing after a power cut. Bytes behind the last record that
 * end without a newline were never acknowledged: they are kept aside and cut. Lines from before a file
 * was set aside or replaced are in its archive, synced, once a `done` record says so; without one they
 * are put where the file stands by now, and the operation is performed again after them.
 *
 * Entries: records behind the index's `applied_seq` are applied to it in order. They hold final
 * values, so applying one to a newer state ends in the same state.
 *
 * Recovery that is interrupted starts again and ends in the same bytes.
 */
import { constants } from 'node:fs';
import * as path from 'node:path';
import { formatEntry, patchRawObject, syncedPatch } from '@sessions/domain';
import { isLiveTranscript } from './archive/archive-files';
import { hasErrorCode, type FileSystem } from './files/file-system';
import type { StoreLayout } from './files/layout';
import { quarantineBytes } from './files/quarantine';
import { isFileOp, type AppendOp, type FileOp, type JournalRecord } from './journal/codec';
import type { IndexChange, StoreNotice } from './session-index/worker-protocol';

/** A transcript's unfinished tail is looked for in at most this many bytes. */
const TORN_TAIL_BYTES_MAX = 16 * 1024 * 1024;
const FILE_MODE = 0o600;
const NEWLINE = 0x0a;

interface Placed {
  readonly seq: number;
  readonly offset: number;
  readonly op: AppendOp;
}

/** File operations of one record that no `done` record follows. */
export interface OpenFileOps {
  readonly seq: number;
  readonly ops: readonly FileOp[];
}

/** @returns in the order of their records; of one file only the newest is ever open. Pure. */
export function openFileOps(records: readonly JournalRecord[]): OpenFileOps[] {
  const done = new Set(records.flatMap(({ ops }) => ops.flatMap((op) => (op.op === 'done' ? [op.seq] : []))));
  return records.filter(({ seq }) => !done.has(seq)).flatMap(({ seq, ops }) => (ops.some(isFileOp) ? [{ seq, ops: ops.filter(isFileOp) }] : []));
}

/** Transcripts' names that file operations of these records have changed. */
export function movedFiles(records: readonly Pick<JournalRecord, 'ops'>[]): string[] {
  const names = records.flatMap(({ ops }) => ops.flatMap((op) => (op.op === 'aside' || op.op === 'replace' || op.op === 'back' ? [op.file] : [])));
  return [...new Set(names)].filter(isLiveTranscript);
}

/** Appends to the file that stands under one name, at the offsets that later relocations gave them. */
interface Placement {
  readonly file: string;
  /** Where the file may stand as well: an operation that is open gives it this name. */
  readonly orAs?: string;
  readonly appends: readonly Placed[];
}

function placements(records: readonly JournalRecord[]): Placement[] {
  const moved = new Map<string, number>();
  for (const record of records) {
    for (const op of record.ops) if (op.op === 'relocate') moved.set(`${op.seq} ${op.file} ${op.fromOffset}`, op.offset);
  }
  const open = new Set(openFileOps(records).map(({ seq }) => seq));
  const closed: Placement[] = [];
  const byFile = new Map<string, Placed[]>();
  for (const record of records) {
    for (const op of record.ops) {
      if (op.op === 'append') {
        const offset = moved.get(`${record.seq} ${op.file} ${op.offset}`) ?? op.offset;
        const placed = byFile.get(op.file) ?? [];
        placed.push({ seq: record.seq, offset, op });
        byFile.set(op.file, placed);
      } else if (op.op === 'aside' || op.op === 'replace' || op.op === 'back') {
        const appends = byFile.get(op.file);
        byFile.delete(op.file);
        const orAs = op.op === 'aside' ? op.to : op.op === 'replace' ? op.keptAs : undefined;
        if (appends !== undefined && open.has(record.seq) && orAs !== undefined) closed.push({ file: op.file, orAs, appends });
      }
    }
  }
  return [...closed, ...[...byFile].map(([file, appends]) => ({ file, appends }))];
}

/** Appends by transcript, to the files that have these names when every operation is done. Pure. */
export function placeAppends(records: readonly JournalRecord[]): Map<string, readonly Placed[]> {
  return new Map(placements(records).flatMap(({ file, orAs, appends }) => (orAs === undefined ? [[file, appends] as const] : [])));
}

export interface ReplayTranscriptsOptions {
  readonly fs: FileSystem;
  readonly layout: StoreLayout;
  readonly nowMs: number;
  /** Write every record again, also where its bytes read back right: they may be in memory only. */
  readonly rewriteAll: boolean;
}

export interface ReplayedTranscripts {
  /** What was repaired, and what could not be. */
  readonly notices: readonly StoreNotice[];
  /** Lines of transcripts that cannot be written now; the journal keeps them. */
  readonly unwritten: ReadonlyMap<string, readonly { readonly seq: number; readonly offset: number; readonly bytes: Buffer }[]>;
}

/** Errors of one file; a full or failing disk is no reason to open the store without its lines. */
const ONE_FILE_ONLY = ['EACCES', 'EPERM', 'EISDIR', 'ELOOP', 'ENOTREG'] as const;

/** @throws the file system's error when the disk cannot be written. */
export async function replayTranscripts(records: readonly JournalRecord[], options: ReplayTranscriptsOptions): Promise<ReplayedTranscripts> {
  const notices: StoreNotice[] = [];
  const unwritten = new Map<string, { seq: number; offset: number; bytes: Buffer }[]>();
  for (const { file: name, orAs, appends } of placements(records)) {
      const file = orAs === undefined ? name : await standing(name, orAs, options);
    try {
      const repaired = await replayOne(file, appends, options);
      if (repaired !== undefined) notices.push(repaired);
    } catch (error) {
      if (!hasErrorCode(error, ...ONE_FILE_ONLY)) throw error;
      const fullPath = path.join(options.layout.dir, file);
      notices.push({ kind: 'damage', message: 'a transcript cannot be written; its last lines are in the journal only', path: fullPath, count: appends.length });
      unwritten.set(file, appends.map(({ seq, offset, op }) => ({ seq, offset, bytes: op.bytes })));
    }
  }
  return { notices, unwritten };
}

/** The name of a file that an interrupted operation may have given its second name, or that alone. */
async function standing(file: string, orAs: string, { fs, layout }: ReplayTranscriptsOptions): Promise<string> {
  const inodeOf = async (name: string): Promise<bigint | undefined> => (await fs.identify(path.join(layout.dir, name)).catch(() => undefined))?.inode;
  const [first, second] = [await inodeOf(file), await inodeOf(orAs)];
  // Replaced already: what has the first name is the new file.
  return second === undefined || first === second ? file : orAs;
}

async function replayOne(file: string, appends: readonly Placed[], options: ReplayTranscriptsOptions): Promise<StoreNotice | undefined> {
  const { fs, layout } = options;
  const fullPath = path.join(layout.dir, file);
  const created = appends[0]?.offset === 0;
  let fd: number;
  try {
    fd = await fs.open(fullPath, constants.O_RDWR | constants.O_NOFOLLOW | (created ? constants.O_CREAT : 0), FILE_MODE);
  } catch (error) {
    // A transcript that had bytes before the journal's oldest record and is gone was taken away by somebody.
    if (!created && hasErrorCode(error, 'ENOENT')) {
      return { kind: 'damage', message: 'a transcript with recent messages is missing', path: fullPath, count: appends.length };
    }
    throw error;
  }
  try {
    let rewritten = 0;
    let end = 0;
    // A file that is shorter than it was at the first record has been cut by somebody: the lines
    // follow on its end, a hole of NULs would hide them.
    const first = appends[0] as Placed;
    const shift = Math.min((await fs.size(fd)) - first.offset, 0);
    for (const { offset: recorded, op } of appends) {
      const offset = recorded + shift;
      end = Math.max(end, offset + op.bytes.length);
      const isThere = await holds(fs, fd, offset, op.bytes);
      if (isThere && !options.rewriteAll) continue;
      await fs.writeAll(fd, [op.bytes], offset);
      if (!isThere) rewritten += 1;
    }
    const cut = await cutTornTail(file, fd, end, options);
    if (rewritten > 0 || cut || options.rewriteAll) await fs.fdatasync(fd);
    if (shift < 0) return { kind: 'damage', message: 'a transcript was cut from outside; the lines since stand at its new end', path: fullPath, count: -shift };
    if (cut) return { kind: 'repaired', message: 'an unfinished last line was cut off a transcript and kept in quarantine', path: fullPath };
    if (rewritten > 0) return { kind: 'repaired', message: 'acknowledged lines were written again from the journal', path: fullPath, count: rewritten };
    return undefined;
  } finally {
    await fs.close(fd);
  }
}

async function holds(fs: FileSystem, fd: number, offset: number, bytes: Buffer): Promise<boolean> {
  const found = Buffer.allocUnsafe(bytes.length);
  let at = 0;
  while (at < found.length) {
    const count = await fs.read(fd, found, at, found.length - at, offset + at);
    if (count === 0) return false;
    at += count;
  }
  return found.equals(bytes);
}

/** Behind the journal's last byte only whole lines of foreign programs may stand. */
async function cutTornTail(file: string, fd: number, end: number, options: ReplayTranscriptsOptions): Promise<boolean> {
  const size = await options.fs.size(fd);
  if (size <= end || size - end > TORN_TAIL_BYTES_MAX) return false;
  const rest = Buffer.allocUnsafe(size - end);
  await options.fs.read(fd, rest, 0, rest.length, end);
  const keep = rest.lastIndexOf(NEWLINE) + 1;
  if (keep === rest.length) return false;
  quarantineBytes(file, rest.subarray(keep), options.layout.quarantineDir, options.nowMs);
  await options.fs.truncate(fd, end + keep);
  return true;
}

/**
 * What the index must be told: entry texts after each record, in order. Pure but for `textOf`, which
 * answers with the text that the index has.
 */
export function replayEntries(records: readonly JournalRecord[], appliedSeq: number, textOf: (key: string) => string | undefined): IndexChange[] {
  const texts = new Map<string, string | undefined>();
  const changes: IndexChange[] = [];
  for (const record of records) {
    if (record.seq <= appliedSeq) continue;
    for (const op of record.ops) {
      if (op.op === 'remove') {
        texts.set(op.key, undefined);
        changes.push({ kind: 'remove', key: op.key, seq: record.seq });
      } else if (op.op === 'set') {
        const before = texts.has(op.key) ? texts.get(op.key) : textOf(op.key);
        if (before === undefined && op.create !== true) continue;
        const text = before === undefined ? (op.text ?? formatEntry(op.set)) : patchRawObject(before, syncedPatch(before, { set: op.set, clear: op.clear ?? [] }));
        texts.set(op.key, text);
        changes.push({ kind: 'put', key: op.key, text, seq: record.seq });
      }
    }
    record.ops.flatMap((op) => (op.op === 'usage' ? [op.line] : [])).forEach((line, n) => {
      changes.push({ kind: 'usage', epoch: record.epoch, seq: record.seq, n, line });
    });
    for (const { key, hash, result, keepUntilMs } of [...(record.stored === undefined ? [] : [record.stored]), ...(record.notes ?? [])]) {
      changes.push({ kind: 'result', key, hash, result, keepUntilMs, seq: record.seq });
    }
  }
  return changes;
}

/** Transcripts that the records append to; their facts are counted anew. */
export function appendedFiles(records: readonly JournalRecord[]): string[] {
  return [...placeAppends(records).keys()];
}
