/**
 * Makes whole state directories for tests and benchmarks: the same options give the same bytes.
 * Streams, so that a million entries need no more memory than one. Blocks while it writes.
 */
import { closeSync, constants, mkdirSync, openSync, writeSync } from 'node:fs';
import * as path from 'node:path';
import { generateEntry, indented, type EntryRecipe } from './generated-entry';
import { generateTranscriptLines } from './generated-transcript';

/** An ordinary entry, and one with a long prompt and report. */
export const SMALL_ENTRY_BYTES = 2 * 1024;
export const LARGE_ENTRY_BYTES = 40 * 1024;

/** "Now" of a generated store unless said otherwise: 2026-06-01T09:00:00Z. */
export const GENERATED_NOW_MS = 1_780_304_400_000;

const WRITE_BUFFER_CHARS = 1024 * 1024;
const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;

export interface GenerateStoreOptions {
  /** Absolute; made when absent. */
  readonly stateDir: string;
  readonly entries: number;
  readonly seed?: number;
  /** `main` when absent. */
  readonly agentId?: string;
  /** SMALL_ENTRY_BYTES when absent. */
  readonly entryBytes?: number;
  readonly nowMs?: number;
  readonly transcripts?: {
    /** The first so many entries get one; all when absent. */
    readonly sessions?: number;
    readonly messages: number;
    /** Characters of a message's text; 200 when absent. */
    readonly textLength?: number;
  };
}

export interface GeneratedStore {
  readonly stateDir: string;
  readonly agentId: string;
  readonly sessionsDir: string;
  readonly sessionsFile: string;
  readonly sessionsFileBytes: number;
  readonly transcriptBytes: number;
  /** Key of the `index`-th entry, without a list of all of them. */
  keyAt(index: number): string;
  sessionIdAt(index: number): string;
  transcriptAt(index: number): string;
}

/**
 * Writes `<stateDir>/agents/<agentId>/sessions/` with its sessions file and transcripts. Refuses to
 * write over a store that is there.
 */
export function generateStore(options: GenerateStoreOptions): GeneratedStore {
  const recipe: EntryRecipe = {
    agentId: options.agentId ?? 'main',
    seed: options.seed ?? 1,
    nowMs: options.nowMs ?? GENERATED_NOW_MS,
    entryBytes: options.entryBytes ?? SMALL_ENTRY_BYTES,
  };
  const sessionsDir = path.join(options.stateDir, 'agents', recipe.agentId, 'sessions');
  const sessionsFile = path.join(sessionsDir, 'sessions.json');
  mkdirSync(sessionsDir, { recursive: true, mode: DIRECTORY_MODE });
  const transcripts = options.transcripts;
  const transcriptsCount = transcripts ? Math.min(transcripts.sessions ?? options.entries, options.entries) : 0;
  let transcriptBytes = 0;
  const transcriptPath = (sessionId: string): string => path.join(sessionsDir, `${sessionId}.jsonl`);
  const sessionsFileBytes = writeFileOf(sessionsFile, function* () {
    yield '{';
    for (let index = 0; index < options.entries; index += 1) {
      const { key, sessionId, entry } = generateEntry(recipe, index);
      if (transcripts && index < transcriptsCount) {
        const lines = generateTranscriptLines(
          {
            seed: recipe.seed,
            sessionId,
            startedAtMs: Number(entry['sessionStartedAt']),
            messages: transcripts.messages,
            textLength: transcripts.textLength ?? 200,
          },
          index,
        );
        transcriptBytes += writeFileOf(transcriptPath(sessionId), () => lines);
      }
      yield `${index === 0 ? '' : ','}\n  ${JSON.stringify(key)}: ${indented(entry)}`;
    }
    yield options.entries === 0 ? '}' : '\n}';
  });
  return {
    stateDir: options.stateDir,
    agentId: recipe.agentId,
    sessionsDir,
    sessionsFile,
    sessionsFileBytes,
    transcriptBytes,
    keyAt: (index) => generateEntry(recipe, index).key,
    sessionIdAt: (index) => generateEntry(recipe, index).sessionId,
    transcriptAt: (index) => transcriptPath(generateEntry(recipe, index).sessionId),
  };
}

function writeFileOf(file: string, parts: () => Iterable<string>): number {
  const fd = openSync(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, FILE_MODE);
  let bytes = 0;
  let pending: string[] = [];
  let pendingChars = 0;
  const flush = (): void => {
    const buffer = Buffer.from(pending.join(''));
    for (let written = 0; written < buffer.length; ) written += writeSync(fd, buffer, written);
    bytes += buffer.length;
    pending = [];
    pendingChars = 0;
  };
  try {
    for (const part of parts()) {
      pending.push(part);
      pendingChars += part.length;
      if (pendingChars >= WRITE_BUFFER_CHARS) flush();
    }
    flush();
  } finally {
    closeSync(fd);
  }
  return bytes;
}
