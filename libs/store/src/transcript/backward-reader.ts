/**
 * Reads a transcript from its end, in chunks, so that the newest lines cost only their own bytes.
 * Bytes after the last newline are somebody's half-written line and are never handed out. Reads only.
 */
import { LINE_BYTES_MAX } from '../types';
import { readExactly, type ByteSource } from './byte-source';

/** Bytes read at a time. */
export const TAIL_CHUNK_BYTES = 64 * 1024;

const NEWLINE = 0x0a;

/** A line as it stands in the file; `content` is undefined for one longer than LINE_BYTES_MAX, which is never collected. */
export interface RawLine {
  /** Without the newline; a view that is valid as long as the receiver keeps it. */
  readonly content: Buffer | undefined;
  /** Of the line's first byte in the file. */
  readonly offset: number;
  /** With the newline: `offset + bytes` is where the next line starts. */
  readonly bytes: number;
}

/**
 * Yields the complete lines before `endOffset`, newest first, as many at a time as one chunk completes.
 * @throws DAMAGED when the file turns out shorter than `endOffset`.
 */
export async function* linesBackwards(source: ByteSource, endOffset: number, chunkBytes = TAIL_CHUNK_BYTES): AsyncGenerator<RawLine[], void, undefined> {
  /** Later parts of the line whose start has not been reached, last part first. */
  let parts: Buffer[] = [];
  let partsBytes = 0;
  let seenNewline = false;
  const finish = (first: Buffer, offset: number): RawLine => {
    const bytes = first.length + partsBytes + 1;
    const content = bytes > LINE_BYTES_MAX ? undefined : parts.length === 0 ? first : Buffer.concat([first, ...parts.reverse()]);
    parts = [];
    partsBytes = 0;
    return { content, offset, bytes };
  };
  for (let position = endOffset; position > 0; ) {
    const length = Math.min(chunkBytes, position);
    position -= length;
    const chunk = await readExactly(source, position, length);
    const lines: RawLine[] = [];
    let end = length;
    while (end > 0) {
      const newline = chunk.lastIndexOf(NEWLINE, end - 1);
      if (newline === -1) break;
      if (seenNewline) lines.push(finish(chunk.subarray(newline + 1, end), position + newline + 1));
      seenNewline = true;
      end = newline;
    }
    if (seenNewline && position === 0) lines.push(finish(chunk.subarray(0, end), 0));
    else if (seenNewline && end > 0) {
      partsBytes += end;
      if (partsBytes >= LINE_BYTES_MAX) parts = [];
      else parts.push(chunk.subarray(0, end));
    }
    if (lines.length > 0) yield lines;
  }
}

export interface ReadTailOptions {
  /** Lines before this byte; normally the file's length. */
  readonly endOffset: number;
  /** At most this many lines. */
  readonly linesMax: number;
  /** At most this many bytes of lines, but always one line. */
  readonly bytesMax: number;
  /** Lines for which it answers false are left out and not decoded. */
  readonly accept?: (content: Buffer) => boolean;
}

export interface TailLine {
  /** Without the newline; bytes that are no UTF-8 come out as U+FFFD. */
  readonly text: string;
  readonly offset: number;
  /** With the newline. */
  readonly bytes: number;
}

export interface Tail {
  /** In file order; blank lines are left out. */
  readonly lines: readonly TailLine[];
  /** Lines too long to be read, in file order. */
  readonly damage: readonly { readonly offset: number; readonly bytes: number }[];
  /** Where the oldest line looked at starts: the `endOffset` of the page before. */
  readonly startOffset: number;
  /** True when there is nothing before the lines returned. */
  readonly reachedStart: boolean;
}

/**
 * Reads the last lines of a transcript.
 * @throws DAMAGED when the file turns out shorter than `endOffset`.
 */
export async function readTail(source: ByteSource, options: ReadTailOptions): Promise<Tail> {
  const lines: TailLine[] = [];
  const damage: { offset: number; bytes: number }[] = [];
  let startOffset = options.endOffset;
  let bytesTotal = 0;
  const result = (): Tail => ({ lines: lines.reverse(), damage: damage.reverse(), startOffset, reachedStart: startOffset === 0 });
  if (options.linesMax <= 0) return result();
  for await (const batch of linesBackwards(source, options.endOffset)) {
    for (const { content, offset, bytes } of batch) {
      if (content === undefined) damage.push({ offset, bytes });
      else if (!isBlank(content) && (options.accept?.(content) ?? true)) {
        if (lines.length > 0 && bytesTotal + bytes > options.bytesMax) return result();
        bytesTotal += bytes;
        lines.push({ text: content.toString('utf8'), offset, bytes });
      }
      startOffset = offset;
      if (lines.length === options.linesMax) return result();
    }
  }
  // Not one newline: the whole file is a half-written line.
  startOffset = 0;
  return result();
}

/** True for a line of nothing but JSON's blanks; such lines are ignored everywhere. */
export function isBlank(content: Buffer): boolean {
  for (const byte of content) if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) return false;
  return true;
}
