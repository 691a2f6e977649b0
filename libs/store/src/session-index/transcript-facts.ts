/**
 * What an append and a list need to know of one transcript, read from the file by the worker. Goes
 * on from earlier facts where the file has only grown.
 */
import * as fs from 'node:fs';
import { hasErrorCode } from '../files/file-system';
import { TRANSCRIPT_CHUNK_BYTES, TranscriptScanner } from '../transcript/scan-transcript';
import type { TranscriptTail } from '../types';

/** @param breathe resolves after other messages had their turn; called once a chunk. */
export async function scanTailOf(file: string, known: TranscriptTail | undefined, breathe: () => Promise<void>): Promise<TranscriptTail> {
  let fd: number;
  try {
    // A pipe must not stop the worker until somebody writes to it.
    fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return { kind: 'none', leafId: null, messages: 0, exchanges: 0, bytes: 0 };
    throw error;
  }
  try {
    // Facts beyond the file's end are of another file.
    const isUsable = known !== undefined && (known.tornBytes ?? 0) === 0 && known.bytes <= fs.fstatSync(fd).size;
    const scanner = new TranscriptScanner(isUsable ? { from: scanOf(known) } : {});
    const chunk = Buffer.allocUnsafe(TRANSCRIPT_CHUNK_BYTES);
    for (;;) {
      const bytesRead = fs.readSync(fd, chunk, 0, chunk.length, scanner.position);
      if (bytesRead === 0) break;
      scanner.push(chunk.subarray(0, bytesRead));
      await breathe();
    }
    const scan = scanner.end();
    return {
      kind: scan.kind,
      leafId: scan.leafId,
      messages: scan.messageCount,
      exchanges: scan.userAssistantCount,
      bytes: scan.bytes,
      ...(scan.tornTailBytes > 0 ? { tornBytes: scan.tornTailBytes } : {}),
    };
  } finally {
    fs.closeSync(fd);
  }
}

/** The members of a scan that counting goes on from. */
function scanOf(tail: TranscriptTail): NonNullable<ConstructorParameters<typeof TranscriptScanner>[0] & object>['from'] {
  return {
    bytes: tail.bytes,
    completeBytes: tail.bytes,
    tornTailBytes: 0,
    lines: 0,
    malformedLines: 0,
    messageCount: tail.messages,
    userAssistantCount: tail.exchanges,
    leafId: tail.leafId,
    branched: false,
    headerId: null,
    headerTimestamp: null,
    kind: tail.kind === 'none' ? 'empty' : tail.kind,
  };
}
