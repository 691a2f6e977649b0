/** The two texts of a row that need a bounded look into its transcript. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import * as path from 'node:path';
import { SessionRow } from '@sessions/contracts';
import { derivedTitle, lastMessagePreview, parseTranscriptLine, type ParsedLine } from '@sessions/domain';
import type { AgentStore } from '@sessions/store';

/** A title comes from so much of the beginning of a transcript. */
const TITLE_BYTES = 8 * 1024;
/** A preview comes from so many of the newest messages. */
const PREVIEW_MESSAGES = 10;

export interface WantedTexts {
  readonly includeDerivedTitles: boolean;
  readonly includeLastMessage: boolean;
}

/** The row with the texts that were asked for and could be found. */
export async function rowTexts(store: AgentStore, encoded: Uint8Array, wanted: WantedTexts): Promise<Uint8Array> {
  if (!wanted.includeDerivedTitles && !wanted.includeLastMessage) return encoded;
  const { key } = SessionRow.decode(encoded);
  const title = wanted.includeDerivedTitles ? await titleOf(store, key) : undefined;
  const last = wanted.includeLastMessage ? await lastMessageOf(store, key) : undefined;
  if (title === undefined && last === undefined) return encoded;
  // Two encoded messages after each other are one message with the members of both.
  return Buffer.concat([encoded, SessionRow.encode(SessionRow.create({ derivedTitle: title, lastMessagePreview: last })).finish()]);
}

async function titleOf(store: AgentStore, key: string): Promise<string | undefined> {
  const file = (await store.entry({ key }))?.file;
  if (file === undefined || file === null) return undefined;
  const lines = await firstLines(path.join(store.layout.dir, file));
  return derivedTitle(lines.map((line, index) => parseTranscriptLine(line, index + 1)));
}

/** Whole lines at the beginning of a file; none for a missing file or what is no regular file. */
async function firstLines(file: string): Promise<string[]> {
  // A pipe must not hold a thread until somebody writes to it.
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error.code === 'ELOOP') return undefined;
    throw error;
  });
  if (handle === undefined) return [];
  try {
    if (!(await handle.stat()).isFile()) return [];
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(TITLE_BYTES), 0, TITLE_BYTES, 0);
    return buffer.toString('utf8', 0, bytesRead).split('\n').slice(0, -1);
  } finally {
    await handle.close();
  }
}

async function lastMessageOf(store: AgentStore, key: string): Promise<string | undefined> {
  const page = await store.history({ key, limit: PREVIEW_MESSAGES });
  if (page === undefined) return undefined;
  const newestFirst = [...page.records].reverse().map(({ line, messageSeq }): ParsedLine => parseTranscriptLine(line, messageSeq));
  return lastMessagePreview(newestFirst);
}
