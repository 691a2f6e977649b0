/** Messages of a transcript as they are searched: whose, when, where they stand, and their words. */
import * as fs from 'node:fs';
import { indexedWords, isJsonObject, messageText, SEARCHED_CHARS_MAX, type JsonObject } from '@sessions/domain';
import type { LineFacts } from '../transcript/line-facts';
import { TranscriptScanner } from '../transcript/scan-transcript';
import type { FileRow, FoundText } from './text-rows';

const CHUNK_BYTES = 64 * 1024;

/** Whose texts can be found. */
export const SEARCHED_ROLES: ReadonlySet<string> = new Set(['user', 'assistant']);

/** Reads a transcript on from where it was read last, a line that is longer than the budget to its end. */
export function readTexts(fd: number, before: FileRow, stats: fs.Stats, budget: number): { readonly now: FileRow; readonly texts: readonly FoundText[]; readonly atEnd: boolean } {
  const texts: FoundText[] = [];
  let { messages, lastAtMs } = before;
  const scanner = new TranscriptScanner({
    from: { ...EMPTY_SCAN, bytes: before.bytes, completeBytes: before.bytes, lines: before.lines },
    onLine: ({ facts, number, offset, bytes }) => {
      if (facts?.role === undefined) return;
      messages += 1;
      lastAtMs = writtenAtMs(facts) ?? (lastAtMs === 0 ? Math.floor(stats.mtimeMs) : lastAtMs);
      if (!SEARCHED_ROLES.has(facts.role)) return;
      const words = indexedWords(searchedText(facts));
      if (words !== '') texts.push({ atMs: lastAtMs, offset, bytes, messageSeq: messages, line: number, words });
    },
  });
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let atEnd = false;
  for (let end = before.bytes; scanner.position - before.bytes < budget || end === before.bytes; ) {
    const count = fs.readSync(fd, chunk, 0, chunk.length, scanner.position);
    if (count === 0) {
      atEnd = true;
      break;
    }
    scanner.push(chunk.subarray(0, count));
    end = scanner.completeBytes;
  }
  const { completeBytes, lines } = scanner.end();
  return { now: { inode: stats.ino, bytes: completeBytes, lines, messages, lastAtMs }, texts, atEnd };
}

/** The text of a message as it is searched. */
export function searchedText({ record, kind }: Pick<LineFacts, 'record' | 'kind'>): string {
  const message: unknown = kind === 'simple' ? record : record['message'];
  return isJsonObject(message) ? messageText(message).slice(0, SEARCHED_CHARS_MAX) : '';
}

/** When a message was written; undefined: its line does not say. */
export function writtenAtMs({ record }: LineFacts): number | undefined {
  const message = record['message'];
  const within = isJsonObject(message) ? message['timestamp'] : undefined;
  for (const value of [(record as JsonObject)['timestamp'], within]) {
    const atMs = typeof value === 'string' ? Date.parse(value) : typeof value === 'number' ? Math.floor(value) : Number.NaN;
    if (Number.isFinite(atMs) && atMs > 0) return atMs;
  }
  return undefined;
}

const EMPTY_SCAN = {
  bytes: 0,
  completeBytes: 0,
  tornTailBytes: 0,
  lines: 0,
  malformedLines: 0,
  messageCount: 0,
  userAssistantCount: 0,
  leafId: null,
  branched: false,
  headerId: null,
  headerTimestamp: null,
  kind: 'empty',
} as const;
