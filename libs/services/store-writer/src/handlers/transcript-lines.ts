/** Lines of a transcript by their places: counted without parsing, and the last ones read from the end. */
import { readTail, type BranchLine, type ByteSource } from '@sessions/store';

const CHUNK_BYTES = 256 * 1024;
const NEWLINE = 0x0a;
const COMPACTION = Buffer.from('"type":"compaction"');

export interface LineCount {
  /** Lines that are not blank. */
  readonly lines: number;
  /** Blank ones too. */
  readonly physicalLines: number;
  readonly first: (BranchLine & { readonly number: number }) | undefined;
  /** Some line may be a compaction: the words stand somewhere. */
  readonly hasCompaction: boolean;
}

/** Reads all, keeps nothing; an unfinished last line does not count. */
export async function countLines(source: ByteSource, bytes: number): Promise<LineCount> {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let lines = 0;
  let physicalLines = 0;
  let first: LineCount['first'];
  let hasCompaction = false;
  /** The words may begin in the chunk before. */
  let before: Buffer = Buffer.alloc(0);
  let lineStart = 0;
  let isBlank = true;
  for (let position = 0; position < bytes; ) {
    const { bytesRead } = await source.read(chunk, 0, Math.min(chunk.length, bytes - position), position);
    if (bytesRead === 0) break;
    const read = chunk.subarray(0, bytesRead);
    hasCompaction ||= read.includes(COMPACTION) || Buffer.concat([before, read.subarray(0, COMPACTION.length)]).includes(COMPACTION);
    before = Buffer.from(read.subarray(-COMPACTION.length));
    for (let start = 0; start < bytesRead; ) {
      const newline = read.indexOf(NEWLINE, start);
      const end = newline === -1 ? bytesRead : newline;
      isBlank &&= isBlankRange(read, start, end);
      if (newline === -1) break;
      physicalLines += 1;
      if (!isBlank) {
        lines += 1;
        first ??= { number: physicalLines, offset: lineStart, bytes: position + newline + 1 - lineStart };
      }
      isBlank = true;
      lineStart = position + newline + 1;
      start = newline + 1;
    }
    position += bytesRead;
  }
  return { lines, physicalLines, first, hasCompaction };
}

function isBlankRange(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (bytes[at] !== 0x20 && bytes[at] !== 0x09 && bytes[at] !== 0x0d) return false;
  return true;
}

export interface NumberedLine extends BranchLine {
  readonly number: number;
  readonly text: string;
}

/** The last lines that are not blank, in file order. */
export async function lastLines(source: ByteSource, bytes: number, { linesMax, physicalLines }: { readonly linesMax: number; readonly physicalLines: number }): Promise<NumberedLine[]> {
  const { lines } = await readTail(source, { endOffset: bytes, linesMax, bytesMax: Number.MAX_SAFE_INTEGER });
  let number = physicalLines - lines.length;
  return lines.map((line) => ({ ...line, number: (number += 1) }));
}

/** A line without its newline. */
export async function textOf(source: ByteSource, { offset, bytes }: BranchLine): Promise<string> {
  const buffer = Buffer.alloc(bytes - 1);
  for (let done = 0; done < buffer.length; ) {
    const { bytesRead } = await source.read(buffer, done, buffer.length - done, offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return buffer.toString('utf8');
}

/** The lines between two places, in file order, blank ones too; an unfinished last one is left out. Memory: the longest line. */
export async function* forwardLines(source: ByteSource, from: number, to: number): AsyncGenerator<BranchLine & { readonly text: string }> {
  let rest: Buffer[] = [];
  let offset = from;
  for (let position = from; position < to; ) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, to - position));
    const { bytesRead } = await source.read(chunk, 0, chunk.length, position);
    if (bytesRead === 0) return;
    const read = chunk.subarray(0, bytesRead);
    position += bytesRead;
    let start = 0;
    for (let newline = read.indexOf(NEWLINE); newline !== -1; newline = read.indexOf(NEWLINE, start)) {
      const line = Buffer.concat([...rest, read.subarray(start, newline)]);
      yield { offset, bytes: line.length + 1, text: line.toString('utf8') };
      offset += line.length + 1;
      rest = [];
      start = newline + 1;
    }
    if (start < bytesRead) rest.push(read.subarray(start));
  }
}
