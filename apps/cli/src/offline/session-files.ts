/** The files of one session: its transcript with counts, what stands beside it, what was set aside. */
import type { FoundSession } from './find-session';
import { readerOptions } from './read-store';
import { sessionOfSuccessor } from '@sessions/domain';
import { openOfflineTranscript } from '@sessions/store';
import { readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface FileFacts {
  /** Name inside the store's directory. */
  readonly file: string;
  readonly bytes: number;
}

export interface TranscriptFacts extends FileFacts {
  /** Lines that are not blank. */
  readonly lines: number;
  readonly messages: number;
  readonly malformedLines: number;
  /** Bytes of acknowledged lines that stand in the journal alone; the next owner writes them. */
  readonly pendingBytes: number;
  /** Bytes after the last newline. */
  readonly tornTailBytes: number;
}

export interface SessionFiles {
  /** Null when the session has no transcript. */
  readonly transcript: TranscriptFacts | null;
  /** Trajectories, pointers, locks, compaction checkpoints. */
  readonly sidecars: readonly FileFacts[];
  /** Transcripts set aside: `.reset`, `.deleted`, `.bak`. */
  readonly archives: readonly FileFacts[];
}

const ARCHIVE = /\.(reset|deleted|bak)\.[^.]+(\.\d+)?Z$/u;

export async function readSessionFiles(found: FoundSession): Promise<SessionFiles> {
  const directory = dirname(found.store.path);
  const ids = [found.entry['sessionId'], found.entry['uuid'], ...(Array.isArray(found.entry['usageFamilySessionIds']) ? found.entry['usageFamilySessionIds'] : [])];
  const bases = ids.filter((id): id is string => typeof id === 'string' && id !== '');
  const beside = namesIn(directory).filter((file) => file !== found.file && bases.some((id) => [file, sessionOfSuccessor(file) ?? ''].some((name) => name.startsWith(`${id}.`) || name.startsWith(`${id}-topic-`))));
  const facts = (files: readonly string[]): FileFacts[] => files.map((file) => ({ file, bytes: statSync(join(directory, file), { throwIfNoEntry: false })?.size ?? 0 }));
  return { transcript: await transcriptFacts(found), sidecars: facts(beside.filter((file) => !ARCHIVE.test(file))), archives: facts(beside.filter((file) => ARCHIVE.test(file))) };
}

async function transcriptFacts({ store, file }: FoundSession): Promise<TranscriptFacts | null> {
  const transcript = file === null ? undefined : await openOfflineTranscript(readerOptions(store), file);
  if (transcript === undefined) return null;
  try {
    const { lines, messageCount, malformedLines, tornTailBytes } = await transcript.scan();
    return { file: transcript.file, bytes: transcript.bytes, lines, messages: messageCount, malformedLines, pendingBytes: transcript.pendingBytes, tornTailBytes };
  } finally {
    await transcript.close();
  }
}

function namesIn(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).filter((found) => found.isFile()).map(({ name }) => name).sort();
}
