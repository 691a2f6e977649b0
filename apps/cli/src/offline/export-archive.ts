/**
 * Sessions of a store into a portable archive, read as any command reads: beside a living owner or without
 * one, acknowledged lines that stand in the journal alone included. Nothing is made or changed in the store.
 */
import { readerOptions } from './read-store';
import type { StoreChoice } from './select-stores';
import { trajectoryPath } from '@sessions/store';
import { SessionError, isJsonObject, isSessionId, parseEntry, transcriptFileName, transcriptsBefore } from '@sessions/domain';
import type { RotatedTranscript } from '@sessions/domain';
import { ArchiveWriter, BEFORE_MAX, CHECKPOINTS_MAX, checkpointIdOf, openInside, openOfflineTranscript } from '@sessions/store';
import type { OfflineTranscript, ReadEntry, SourceFile, WrittenSession } from '@sessions/store';
import { constants, readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname } from 'node:path';

/** Of all transcripts before one session's own. */
const BEFORE_BYTES_MAX = 2 * 1024 ** 3;
const TOPIC = /-topic-([^/]+)\.jsonl$/;

export interface ExportRequest {
  readonly store: StoreChoice;
  /** From the first, each time. */
  readonly entries: () => Iterable<ReadEntry>;
  readonly file: FileHandle;
  readonly nowMs: number;
  /** After each session. */
  readonly onProgress: (sessions: number, bytes: number) => void;
}

export interface ExportReport {
  readonly sessions: number;
  readonly lines: number;
  /** Of the archive. */
  readonly bytes: number;
  /** Over all hashes of the archive. */
  readonly sha256: string;
  /** Bytes of unfinished last lines, which are no lines yet. */
  readonly leftOutBytes: number;
  /** Keys whose entry names a transcript that is not there. */
  readonly withoutTranscript: readonly string[];
  /** Transcripts that sessions went on from after compactions. */
  readonly earlierTranscripts: number;
  /** Of them those that are not there, or are more than an archive carries of one session; the oldest are left out first. */
  readonly earlierLeftOut: number;
}

/** @throws TOO_LARGE; DAMAGED for a link in the place of a file, or one that changes while it is read */
export async function exportArchive({ store, entries, file, nowMs, onProgress }: ExportRequest): Promise<ExportReport> {
  const writer = new ArchiveWriter(file, nowMs);
  await writer.begin({ agentId: store.agentId, exportedAtMs: nowMs, hasBefore: holdsBefore(entries()) });
  const written = new Map<string, NonNullable<WrittenSession['transcript']>>();
  const names = checkpointFiles(dirname(store.path));
  const withoutTranscript: string[] = [];
  let leftOutBytes = 0;
  let sessions = 0;
  let earlierTranscripts = 0;
  let earlierLeftOut = 0;
  for (const entry of entries()) {
    const { transcriptFile, result, isMissing, earlier } = await exportOne({ store, writer, entry, written, names });
    if (transcriptFile !== undefined && result.transcript !== undefined) written.set(transcriptFile, result.transcript);
    earlierTranscripts += earlier.carried;
    earlierLeftOut += earlier.leftOut;
    if (isMissing) withoutTranscript.push(entry.key);
    leftOutBytes += result.leftOutBytes;
    onProgress((sessions += 1), writer.position);
  }
  const end = await writer.end();
  return { sessions, lines: end.lines, bytes: writer.position, sha256: end.sha256, leftOutBytes, withoutTranscript, earlierTranscripts, earlierLeftOut };
}

interface ExportedEntry {
  readonly store: StoreChoice;
  readonly writer: ArchiveWriter;
  readonly entry: ReadEntry;
  /** Transcripts so far: two keys may have one. */
  readonly written: ReadonlyMap<string, NonNullable<WrittenSession['transcript']>>;
  /** Checkpoint files by session id. */
  readonly names: ReadonlyMap<string, readonly string[]>;
}

async function exportOne({ store, writer, entry: { key, text }, written, names }: ExportedEntry): Promise<{ transcriptFile: string | undefined; result: WrittenSession; isMissing: boolean; earlier: { readonly carried: number; readonly leftOut: number } }> {
  const value: unknown = JSON.parse(text);
  const entry = parseEntry(value);
  // Named after their ids on the other host: an id that is no file name has no files.
  const sessionId = entry.listed && entry.sessionId !== null && isSessionId(entry.sessionId) ? entry.sessionId : null;
  if (!entry.listed || sessionId === null || entry.file === null) return { transcriptFile: undefined, result: await writer.add({ key, entryText: text, sessionId: null, checkpoints: [] }), isMissing: false, earlier: { carried: 0, leftOut: 0 } };
  const { file } = entry;
  const topic = topicOf(file, sessionId);
  const shared = written.get(file);
  const transcript = shared === undefined ? await openOfflineTranscript(readerOptions(store), file) : undefined;
  const others = new OpenFiles();
  // Another key of the same transcript has them in the archive.
  const wanted = shared === undefined && isJsonObject(value) ? transcriptsBefore(value) : [];
  try {
    const trajectory = shared === undefined ? await others.openTrajectory(trajectoryPath({ directory: dirname(store.path), sessionId, file })) : undefined;
    const checkpoints = shared === undefined ? await others.openCheckpoints(dirname(store.path), names.get(sessionId) ?? []) : [];
    const before = await others.openBefore(store, wanted);
    const result = await writer.add({
      key,
      entryText: text,
      sessionId,
      ...(topic === undefined ? {} : { topic }),
      ...(shared === undefined ? {} : { shared: { bytes: shared.bytes, sha256: shared.sha256 } }),
      ...(transcript === undefined ? {} : { transcript: { source: transcript.source, bytes: transcript.bytes } }),
      ...(trajectory === undefined ? {} : { trajectory }),
      checkpoints,
      before,
    });
    return { transcriptFile: file, result, isMissing: transcript === undefined && shared === undefined && isJsonObject(value), earlier: { carried: before.length, leftOut: wanted.length - before.length } };
  } finally {
    await transcript?.close();
    await others.close();
  }
}

/** Whether any session of them goes on from an earlier transcript: an archive says so in its first member. */
function holdsBefore(entries: Iterable<ReadEntry>): boolean {
  for (const { text } of entries) {
    if (!text.includes('compactionCheckpoints')) continue;
    const value: unknown = JSON.parse(text);
    if (isJsonObject(value) && transcriptsBefore(value).length > 0) return true;
  }
  return false;
}

/** Thread in the name of a topic's transcript, as it is spelled there. */
function topicOf(file: string, sessionId: string): string | undefined {
  const topic = TOPIC.exec(file)?.[1];
  if (topic === undefined) return undefined;
  try {
    return transcriptFileName(sessionId, decodeURIComponent(topic)) === basename(file) ? topic : undefined;
  } catch {
    return undefined;
  }
}

class OpenFiles {
  readonly #open: FileHandle[] = [];
  readonly #transcripts: OfflineTranscript[] = [];

  /** Its pointer may lead out of the store: a link there is not followed. */
  async openTrajectory(path: string | undefined): Promise<SourceFile | undefined> {
    return path === undefined ? undefined : this.#source(await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK));
  }

  async openCheckpoints(directory: string, files: readonly string[]): Promise<(SourceFile & { readonly id: string })[]> {
    const found: (SourceFile & { id: string })[] = [];
    if (files.length > CHECKPOINTS_MAX) throw new SessionError('TOO_LARGE', `A session has ${String(files.length)} checkpoint files; an archive carries at most ${String(CHECKPOINTS_MAX)}.`);
    for (const file of files) {
      const handle = await openInside(directory, file);
      if (handle !== undefined) found.push({ id: checkpointIdOf(file) ?? '', ...(await this.#source(handle)) });
    }
    return found;
  }

  /** Of those that are there the newest, oldest first, as many as an archive carries beside the live one. */
  async openBefore(store: StoreChoice, transcripts: readonly RotatedTranscript[]): Promise<(SourceFile & { readonly sessionId: string })[]> {
    const found: (SourceFile & { sessionId: string })[] = [];
    let bytes = 0;
    for (const { sessionId, file } of [...transcripts].reverse()) {
      const transcript = isSessionId(sessionId) ? await openOfflineTranscript(readerOptions(store), file) : undefined;
      if (transcript === undefined) continue;
      this.#transcripts.push(transcript);
      bytes += transcript.bytes;
      if (found.length >= BEFORE_MAX || bytes > BEFORE_BYTES_MAX) break;
      found.unshift({ sessionId, source: transcript.source, bytes: transcript.bytes });
    }
    return found;
  }

  async close(): Promise<void> {
    for (const transcript of this.#transcripts) await transcript.close();
    for (const handle of this.#open) await handle.close();
  }

  async #source(handle: FileHandle): Promise<SourceFile> {
    this.#open.push(handle);
    return { source: handle, bytes: (await handle.stat()).size };
  }
}

function checkpointFiles(directory: string): ReadonlyMap<string, readonly string[]> {
  const byId = new Map<string, string[]>();
  for (const found of readdirSync(directory, { withFileTypes: true })) {
    const id = found.isFile() ? checkpointIdOf(found.name) : undefined;
    if (id === undefined) continue;
    const sessionId = found.name.slice(0, -`.checkpoint.${id}.jsonl`.length);
    byId.set(sessionId, [...(byId.get(sessionId) ?? []), found.name]);
  }
  return byId;
}
