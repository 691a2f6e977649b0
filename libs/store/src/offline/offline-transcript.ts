/**
 * One transcript of a store that somebody else owns, or nobody, with the acknowledged lines that
 * have not reached the file laid over: after a crash they stand in the journal alone. Reads only.
 */
import type { FileHandle } from 'node:fs/promises';
import { storeLayout, type StoreLayout } from '../files/layout';
import { openInside } from '../files/safe-path';
import { placeAppends } from '../recovery';
import type { ByteSource } from '../transcript/byte-source';
import { findBranch, type BranchLine } from '../transcript/read-branch';
import { readHistoryPage, type HistoryPage, type HistoryPageOptions, type HistoryPosition } from '../transcript/read-history';
import { scanTranscript, type TranscriptScan } from '../transcript/scan-transcript';
import { isClosedInOrder, journalOverlay, openIndexIfReadable, type ReaderOptions } from './store-reader';

/** Messages that nobody has counted are counted by reading, up to so many bytes. */
export const COUNT_BYTES_MAX = 1024 * 1024;

export interface OfflineHistoryQuery extends Pick<HistoryPageOptions, 'limit' | 'beforeSeq' | 'includeTools'> {
  /** Where an earlier page said that the next older one begins. */
  readonly position?: HistoryPosition;
}

export interface OfflineTranscript {
  /** Name inside the store's directory. */
  readonly file: string;
  /** Acknowledged lines included. */
  readonly bytes: number;
  /** Of those, the bytes that stand in the journal alone. */
  readonly pendingBytes: number;
  /** Message records; undefined where only a full read could tell. */
  readonly messages: number | undefined;
  /** All of it, pending bytes in their places. */
  readonly source: ByteSource;
  /** Reads no more than the page needs, unless `beforeSeq` is given where nobody has counted. */
  page(query: OfflineHistoryQuery): Promise<HistoryPage>;
  /** The active branch, root first: places of its lines, not the lines. Reads all of it. */
  branch(): Promise<{ readonly leafId: string | null; readonly lines: readonly BranchLine[] }>;
  /** Text of one line, without its newline. */
  text(line: BranchLine): Promise<string>;
  /** Reads all of it. */
  scan(): Promise<TranscriptScan>;
  close(): Promise<void>;
}

/** Lines at the place where they belong. */
interface Piece {
  readonly offset: number;
  readonly bytes: Buffer;
}

/**
 * @param file name inside the store's directory
 * @returns undefined when the session has no transcript
 * @throws DAMAGED when a link, directory or device stands in its place; VALIDATION for names that lead out
 */
export async function openOfflineTranscript(options: ReaderOptions, file: string): Promise<OfflineTranscript | undefined> {
  const layout = storeLayout(options.agentId, options.sessionsFile);
  const known = await knownOf(layout, file, options.nativeBinding);
  // The journal comes first: what it loses after this look stands in the file by then.
  const appends = known.journal;
  const handle = await openInside(layout.dir, file);
  const size = handle === undefined ? 0 : (await handle.stat()).size;
  const first = appends[0];
  if (handle === undefined && first?.offset !== 0) return undefined;
  // As in recovery: the lines of a file that was cut from outside follow on its end.
  const shift = first === undefined ? 0 : Math.min(size - first.offset, 0);
  const pieces = appends.map(({ offset, bytes }) => ({ offset: offset + shift, bytes })).filter(({ offset, bytes }) => offset + bytes.length > size);
  const end = pieces.reduce((furthest, { offset, bytes }) => Math.max(furthest, offset + bytes.length), size);
  const source = overlaid(handle, size, pieces, end);
  const messages = await countMessages(source, end, known.counted);
  return {
    file,
    bytes: end,
    pendingBytes: end - size,
    messages,
    source,
    page: ({ position, ...query }) => readHistoryPage(source, { ...(position ?? { endOffset: end, ...(messages !== undefined && { totalMessages: messages }) }), ...query }),
    scan: () => scanTranscript(source),
    async branch() {
      const { leafId, kind } = await scanTranscript(source);
      const { lines } = await findBranch(source, { endOffset: end, tipId: leafId, kind: kind === 'simple' ? 'simple' : 'native' });
      return { leafId, lines };
    },
    text: (line) => textAt(source, line),
    close: async () => handle?.close(),
  };
}

interface Known {
  readonly journal: readonly Piece[];
  /** What the index has counted, up to which byte. */
  readonly counted: { readonly messages: number; readonly bytes: number } | undefined;
}

async function knownOf(layout: StoreLayout, file: string, nativeBinding: string | undefined): Promise<Known> {
  const index = openIndexIfReadable(layout, nativeBinding);
  try {
    const records = index !== undefined && isClosedInOrder(index) ? [] : await journalOverlay(layout, 0);
    const placed = placeAppends(records).get(file) ?? [];
    return { journal: placed.map(({ offset, op }) => ({ offset, bytes: op.bytes })), counted: index?.transcript(file) };
  } finally {
    index?.close();
  }
}

async function textAt(source: ByteSource, { offset, bytes }: BranchLine): Promise<string> {
  const line = Buffer.alloc(Math.max(0, bytes - 1));
  for (let done = 0; done < line.length; ) {
    const { bytesRead } = await source.read(line, done, line.length - done, offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return line.toString('utf8');
}

/** The file with `pieces` in their places, as one. */
export function overlaid(handle: FileHandle | undefined, size: number, pieces: readonly Piece[], end: number): ByteSource {
  return {
    async read(buffer, offset, length, position) {
      const wanted = Math.max(0, Math.min(length, end - position));
      const fromFile = Math.max(0, Math.min(wanted, size - position));
      if (handle !== undefined && fromFile > 0) {
        const { bytesRead } = await handle.read(buffer, offset, fromFile, position);
        if (bytesRead < fromFile) return { bytesRead };
      }
      for (const piece of pieces) {
        const from = Math.max(position, piece.offset);
        const to = Math.min(position + wanted, piece.offset + piece.bytes.length);
        if (from < to) piece.bytes.copy(buffer, offset + from - position, from - piece.offset, to - piece.offset);
      }
      return { bytesRead: wanted };
    },
  };
}

async function countMessages(source: ByteSource, end: number, counted: Known['counted']): Promise<number | undefined> {
  const from = counted !== undefined && counted.bytes <= end ? counted : { messages: 0, bytes: 0 };
  if (end === from.bytes) return from.messages;
  if (end - from.bytes > COUNT_BYTES_MAX) return undefined;
  const rest: ByteSource = { read: (buffer, offset, length, position) => source.read(buffer, offset, length, position + from.bytes) };
  return from.messages + (await scanTranscript(rest)).messageCount;
}
