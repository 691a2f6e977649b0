/**
 * Reads a whole transcript once, forwards, in constant memory (but for its longest line), and says
 * what the index keeps about it. Reads only; damage is counted and skipped, never mended here.
 */
import { createHash, type Hash } from 'node:crypto';
import { readSync } from 'node:fs';
import { LINE_BYTES_MAX } from '../types';
import { isBlank } from './backward-reader';
import type { ByteSource } from './byte-source';
import { readLineFacts, type LineFacts } from './line-facts';

/** Bytes read at a time. */
export const TRANSCRIPT_CHUNK_BYTES = 1024 * 1024;

const NEWLINE = 0x0a;

export interface TranscriptScan {
  /** Length of the file as read. */
  readonly bytes: number;
  /** Length up to and with the last newline; a later scan goes on from here. */
  readonly completeBytes: number;
  /** Bytes after the last newline. */
  readonly tornTailBytes: number;
  /** Complete lines that are not blank: header and malformed ones included. */
  readonly lines: number;
  /** Unparsable lines, and lines beyond LINE_BYTES_MAX. */
  readonly malformedLines: number;
  /** Message records, tool results included. */
  readonly messageCount: number;
  /** Messages of the user and the assistant, on any branch. */
  readonly userAssistantCount: number;
  /** The last line that is not beside the branch, unless a later `leaf` line names another; null when no line has an id. */
  readonly leafId: string | null;
  /** True when some line does not follow the leaf before it: then counts of the file and of the active branch may differ. */
  readonly branched: boolean;
  readonly headerId: string | null;
  /** As written in the header. */
  readonly headerTimestamp: string | null;
  /** By the first readable line. */
  readonly kind: 'native' | 'simple' | 'empty';
  /** Of all bytes, torn tail included; only when asked for, and never for a scan that goes on from another. */
  readonly sha256?: string;
}

/** One complete, non-blank line of a scan. */
export interface ScannedLine {
  /** Undefined when the line is malformed. */
  readonly facts: LineFacts | undefined;
  /** From 1, blank lines apart. */
  readonly number: number;
  readonly offset: number;
  /** With the newline. */
  readonly bytes: number;
}

export interface ScanTranscriptOptions {
  /** Result of an earlier scan of the same file, which has only grown since. */
  readonly from?: TranscriptScan;
  readonly chunkBytes?: number;
  readonly hash?: boolean;
  readonly onLine?: (line: ScannedLine) => void;
}

/** Reads from a descriptor, blocking: for a worker thread. */
export function scanTranscriptSync(fd: number, options: ScanTranscriptOptions = {}): TranscriptScan {
  const scanner = new TranscriptScanner(options);
  const chunk = Buffer.allocUnsafe(options.chunkBytes ?? TRANSCRIPT_CHUNK_BYTES);
  for (;;) {
    const bytesRead = readSync(fd, chunk, 0, chunk.length, scanner.position);
    if (bytesRead === 0) return scanner.end();
    scanner.push(chunk.subarray(0, bytesRead));
  }
}

/** The same without blocking. */
export async function scanTranscript(source: ByteSource, options: ScanTranscriptOptions = {}): Promise<TranscriptScan> {
  const scanner = new TranscriptScanner(options);
  const chunk = Buffer.allocUnsafe(options.chunkBytes ?? TRANSCRIPT_CHUNK_BYTES);
  for (;;) {
    const { bytesRead } = await source.read(chunk, 0, chunk.length, scanner.position);
    if (bytesRead === 0) return scanner.end();
    scanner.push(chunk.subarray(0, bytesRead));
  }
}

/** Push chunks in order, then call `end` once. Chunks may be used again. */
export class TranscriptScanner {
  readonly #onLine: ((line: ScannedLine) => void) | undefined;
  readonly #hash: Hash | undefined;
  #completeBytes: number;
  #lines: number;
  #malformedLines: number;
  #messageCount: number;
  #userAssistantCount: number;
  #leafId: string | null;
  #branched: boolean;
  #headerId: string | null;
  #headerTimestamp: string | null;
  #kind: TranscriptScan['kind'];
  /** Start of the line whose newline has not come yet; emptied when the line is too long to keep. */
  #parts: Buffer[] = [];
  #partsBytes = 0;

  constructor(options: Pick<ScanTranscriptOptions, 'from' | 'hash' | 'onLine'> = {}) {
    const { from } = options;
    this.#onLine = options.onLine;
    this.#hash = options.hash === true && from === undefined ? createHash('sha256') : undefined;
    this.#completeBytes = from?.completeBytes ?? 0;
    this.#lines = from?.lines ?? 0;
    this.#malformedLines = from?.malformedLines ?? 0;
    this.#messageCount = from?.messageCount ?? 0;
    this.#userAssistantCount = from?.userAssistantCount ?? 0;
    this.#leafId = from?.leafId ?? null;
    this.#branched = from?.branched ?? false;
    this.#headerId = from?.headerId ?? null;
    this.#headerTimestamp = from?.headerTimestamp ?? null;
    this.#kind = from?.kind ?? 'empty';
  }

  /** Where the next chunk starts in the file. */
  get position(): number {
    return this.#completeBytes + this.#partsBytes;
  }

  /** Up to and with the last newline so far. */
  get completeBytes(): number {
    return this.#completeBytes;
  }

  push(chunk: Buffer): void {
    this.#hash?.update(chunk);
    let start = 0;
    for (;;) {
      const newline = chunk.indexOf(NEWLINE, start);
      if (newline === -1) break;
      this.#line(chunk.subarray(start, newline));
      start = newline + 1;
    }
    const rest = chunk.length - start;
    if (rest === 0) return;
    this.#partsBytes += rest;
    if (this.#partsBytes >= LINE_BYTES_MAX) this.#parts = [];
    else this.#parts.push(Buffer.from(chunk.subarray(start)));
  }

  end(): TranscriptScan {
    return {
      bytes: this.position,
      completeBytes: this.#completeBytes,
      tornTailBytes: this.#partsBytes,
      lines: this.#lines,
      malformedLines: this.#malformedLines,
      messageCount: this.#messageCount,
      userAssistantCount: this.#userAssistantCount,
      leafId: this.#leafId,
      branched: this.#branched,
      headerId: this.#headerId,
      headerTimestamp: this.#headerTimestamp,
      kind: this.#kind,
      ...(this.#hash ? { sha256: this.#hash.digest('hex') } : {}),
    };
  }

  #line(last: Buffer): void {
    const offset = this.#completeBytes;
    const bytes = this.#partsBytes + last.length + 1;
    const tooLong = bytes > LINE_BYTES_MAX;
    const content = this.#parts.length === 0 ? last : Buffer.concat([...this.#parts, last]);
    this.#parts = [];
    this.#partsBytes = 0;
    this.#completeBytes += bytes;
    if (!tooLong && isBlank(content)) return;
    this.#lines += 1;
    const facts = tooLong ? undefined : readLineFacts(content);
    if (facts) this.#count(facts);
    else this.#malformedLines += 1;
    this.#onLine?.({ facts, number: this.#lines, offset, bytes });
  }

  #count(facts: LineFacts): void {
    if (this.#kind === 'empty' && facts.kind !== 'other') this.#kind = facts.kind === 'simple' ? 'simple' : 'native';
    if (facts.kind === 'header') {
      const { id, timestamp } = facts.record;
      this.#headerId ??= typeof id === 'string' ? id : null;
      this.#headerTimestamp ??= typeof timestamp === 'string' ? timestamp : null;
    }
    if (facts.role !== undefined) {
      this.#messageCount += 1;
      if (facts.role === 'user' || facts.role === 'assistant') this.#userAssistantCount += 1;
    }
    if (facts.id === undefined) return;
    if (facts.parentId !== undefined && facts.parentId !== this.#leafId) this.#branched = true;
    if (facts.movesLeafTo !== undefined) this.#leafId = facts.movesLeafTo;
    else if (!facts.side) this.#leafId = facts.id;
  }
}
