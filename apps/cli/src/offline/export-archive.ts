/**
 * Sessions of a store into a portable archive, read as any command reads: beside a living owner or without
 * one, acknowledged lines that stand in the journal alone included. Nothing is made or changed in the store.
 */
import { readerOptions } from './read-store';
import type { StoreChoice } from './select-stores';
import { trajectoryPath } from '@sessions/store';
import { SessionError, isJsonObject, isSessionId, parseEntry, transcriptFileName, transcriptsBefore } from '@sessions/domain';
import { ArchiveWriter, CHECKPOINTS_MAX, checkpointIdOf, openInside, openOfflineTranscript } from '@sessions/store';
import type { ReadEntry, SourceFile, WrittenSession } from '@sessions/store';
import { constants, readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname } from 'node:path';

const TOPIC = /-topic-([^/]+)\.jsonl$/;

export interface ExportRequest {
  readonly store: StoreChoice;
  readonly entries: Iterable<ReadEntry>;
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
  /** Transcripts that sessions went on from after compactions, which stay where they are. */
  readonly earlierTranscripts: number;
}

/** @throws TOO_LARGE; DAMAGED for a link in the place of a file, or one that changes while it is read */
export async function exportArchive({ store, entries, file, nowMs, onProgress }: ExportRequest): Promise<ExportReport> {
  const writer = new ArchiveWriter(file, nowMs);
  await writer.begin({ agentId: store.agentId, exportedAtMs: nowMs });
  const written = new Map<string, NonNullable<WrittenSession['transcript']>>();
  const names = checkpointFiles(dirname(store.path));
  const withoutTranscript: string[] = [];
  let leftOutBytes = 0;
  let sessions = 0;
  let earlierTranscripts = 0;
  for (const entry of entries) {
    earlierTranscripts += transcriptsBeforeOf(entry);
    const { transcriptFile, result, isMissing } = await exportOne({ store, writer, entry, written, names });
    if (transcriptFile !== undefined && result.transcript !== undefined) written.set(transcriptFile, result.transcript);
    if (isMissing) withoutTranscript.push(entry.key);
    leftOutBytes += result.leftOutBytes;
    onProgress((sessions += 1), writer.position);
  }
  const end = await writer.end();
  return { sessions, lines: end.lines, bytes: writer.position, sha256: end.sha256, leftOutBytes, withoutTranscript, earlierTranscripts };
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

async function exportOne({ store, writer, entry: { key, text }, written, names }: ExportedEntry): Promise<{ transcriptFile: string | undefined; result: WrittenSession; isMissing: boolean }> {
  const value: unknown = JSON.parse(text);
  const entry = parseEntry(value);
  // Named after their ids on the other host: an id that is no file name has no files.
  const sessionId = entry.listed && entry.sessionId !== null && isSessionId(entry.sessionId) ? entry.sessionId : null;
  if (!entry.listed || sessionId === null || entry.file === null) return { transcriptFile: undefined, result: await writer.add({ key, entryText: text, sessionId: null, checkpoints: [] }), isMissing: false };
  const { file } = entry;
  const topic = topicOf(file, sessionId);
  const shared = written.get(file);
  const transcript = shared === undefined ? await openOfflineTranscript(readerOptions(store), file) : undefined;
  const others = new OpenFiles();
  try {
    const trajectory = shared === undefined ? await others.openTrajectory(trajectoryPath({ directory: dirname(store.path), sessionId, file })) : undefined;
    const checkpoints = shared === undefined ? await others.openCheckpoints(dirname(store.path), names.get(sessionId) ?? []) : [];
    const result = await writer.add({
      key,
      entryText: text,
      sessionId,
      ...(topic === undefined ? {} : { topic }),
      ...(shared === undefined ? {} : { shared: { bytes: shared.bytes, sha256: shared.sha256 } }),
      ...(transcript === undefined ? {} : { transcript: { source: transcript.source, bytes: transcript.bytes } }),
      ...(trajectory === undefined ? {} : { trajectory }),
      checkpoints,
    });
    return { transcriptFile: file, result, isMissing: transcript === undefined && shared === undefined && isJsonObject(value) };
  } finally {
    await transcript?.close();
    await others.close();
  }
}

function transcriptsBeforeOf({ text }: ReadEntry): number {
  const value: unknown = JSON.parse(text);
  return isJsonObject(value) ? transcriptsBefore(value).length : 0;
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

  async close(): Promise<void> {
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
