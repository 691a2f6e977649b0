/**
 * Bytes of the journal. One segment is
 *
 *     header  32 B: magic "SESSJRN1" · u64 firstSeq · u64 epoch · u32 0 · u32 crc32(bytes 0..27)
 *     frames  one a record, back to back
 *     rest    zeros, or frames of the segment's earlier life
 *
 * and one frame is
 *
 *     u32 payload length · u32 crc32 · u64 seq · u32 epoch · u32 head length · u64 syncedSeq · payload
 *
 * little endian. The checksum covers everything behind itself and is seeded with the segment's
 * first sequence and epoch, so a frame left over from the file's earlier life never verifies. `syncedSeq` is
 * the last sequence that was durable before this frame's group was written: a bad frame at or below
 * a synced sequence seen later is damage, everything above is a torn tail. The payload is the head
 * (JSON) followed by the transcript bytes that the head's append operations describe, in order.
 */
import type * as Zlib from 'node:zlib';
import { SessionError, type JsonValue } from '@sessions/domain';
import type { UsageLine } from '../types';

let loadedCrc32: typeof Zlib.crc32 | undefined;

/** Loaded with the first frame: a reader of a store that was closed in order has none to check. */
function crc32(bytes: Buffer, seed?: number): number {
  loadedCrc32 ??= (module.require('node:zlib') as typeof Zlib).crc32;
  return loadedCrc32(bytes, seed);
}

export const SEGMENT_HEADER_BYTES = 32;
export const FRAME_HEADER_BYTES = 32;
/** Largest payload: a 16 MiB line (the transcript's limit) with room for a page of such neighbours' heads. */
export const PAYLOAD_BYTES_MAX = 40 * 1024 * 1024;

const MAGIC = Buffer.from('SESSJRN1', 'latin1');

/** Final values of some members of one entry; replaying them twice ends in the same state. */
export interface SetEntryOp {
  readonly op: 'set';
  readonly key: string;
  readonly set: Readonly<Record<string, JsonValue>>;
  readonly clear?: readonly string[];
  /** True when the entry did not exist: replay creates it; without it an absent entry stays absent. */
  readonly create?: boolean;
  /** With `create`: the entry's bytes, where they come from elsewhere. `set` has the same members, parsed. */
  readonly text?: string;
}

export interface RemoveEntryOp {
  readonly op: 'remove';
  readonly key: string;
}

/** Complete lines for one transcript at one offset. */
export interface AppendOp {
  readonly op: 'append';
  /** File name inside the store's directory. */
  readonly file: string;
  readonly offset: number;
  readonly bytes: Buffer;
  /** Message records among the lines (tool results included). */
  readonly messages: number;
  /** User and assistant messages among the lines. */
  readonly exchanges: number;
  /** The transcript's leaf after these lines; null in simple transcripts. */
  readonly leafId: string | null;
}

/** Lines of an earlier record stand elsewhere: a foreign program had appended in between. */
export interface RelocateOp {
  readonly op: 'relocate';
  readonly seq: number;
  readonly file: string;
  readonly fromOffset: number;
  readonly offset: number;
}

/** A file gets its archive name. It is the newest thing that the journal says of the file until `done`. */
export interface SetAsideOp {
  readonly op: 'aside';
  /** Name inside the store's directory, as all names here. */
  readonly file: string;
  readonly to: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** An archive gets a transcript's name again. */
export interface BringBackOp {
  readonly op: 'back';
  readonly archive: string;
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** A transcript's bytes, if there are any, stay under an archive name, and a file written aside takes its place. */
export interface ReplaceOp {
  readonly op: 'replace';
  readonly file: string;
  /** Name in the store's own directory; complete and synced before the record is written. */
  readonly staged: string;
  /** Absent: no file had the name. */
  readonly keptAs?: string;
  /** Of the bytes that stay under `keptAs`. */
  readonly bytes: number;
  readonly sha256: string;
}

/** An archive is removed for good. */
export interface UnlinkOp {
  readonly op: 'unlink';
  readonly archive: string;
  readonly bytes: number;
}

/** One line that the archive manifest has. */
export interface ManifestOp {
  readonly op: 'manifest';
  /** JSON text without its newline. */
  readonly line: string;
}

/** The file operations of an earlier record stand on disk, synced: a replay leaves them alone. */
export interface DoneOp {
  readonly op: 'done';
  readonly seq: number;
}

/** A line that the usage ledger has, once for each sequence and place among the record's operations. */
export interface UsageOp {
  readonly op: 'usage';
  readonly line: UsageLine;
}

/** What changes names of files; performed in the order of the record, each step once. */
export type FileOp = SetAsideOp | BringBackOp | ReplaceOp | UnlinkOp | ManifestOp;

export type JournalOp = SetEntryOp | RemoveEntryOp | AppendOp | RelocateOp | UsageOp | FileOp | DoneOp;

const FILE_OPS: ReadonlySet<JournalOp['op']> = new Set(['aside', 'back', 'replace', 'unlink', 'manifest']);

export function isFileOp(op: JournalOp): op is FileOp {
  return FILE_OPS.has(op.op);
}

/** The first answer to an idempotency key. */
export interface StoredResult {
  readonly key: string;
  readonly hash: string;
  readonly keepUntilMs: number;
  readonly result: JsonValue;
}

export interface JournalRecord {
  readonly seq: number;
  readonly epoch: number;
  readonly atMs: number;
  readonly ops: readonly JournalOp[];
  readonly stored?: StoredResult;
  /** Further results, under keys of their own. */
  readonly notes?: readonly StoredResult[];
}

type HeadOp = Exclude<JournalOp, AppendOp> | (Omit<AppendOp, 'bytes'> & { readonly length: number });
interface Head {
  readonly at: number;
  readonly ops: readonly HeadOp[];
  readonly stored?: StoredResult;
  readonly notes?: readonly StoredResult[];
}

/** Payload of a record, before its place in the journal is known. */
export interface EncodedPayload {
  readonly head: Buffer;
  readonly blobs: readonly Buffer[];
  readonly bytes: number;
}

/** @throws TOO_LARGE above PAYLOAD_BYTES_MAX. */
export function encodePayload(record: Pick<JournalRecord, 'atMs' | 'ops' | 'stored' | 'notes'>): EncodedPayload {
  const blobs: Buffer[] = [];
  const ops: HeadOp[] = record.ops.map((op) => {
    if (op.op !== 'append') return op;
    blobs.push(op.bytes);
    const { bytes, ...rest } = op;
    return { ...rest, length: bytes.length };
  });
  const head: Head = { at: record.atMs, ops, ...(record.stored ? { stored: record.stored } : {}), ...(record.notes?.length ? { notes: record.notes } : {}) };
  const headBytes = Buffer.from(JSON.stringify(head), 'utf8');
  const bytes = blobs.reduce((sum, blob) => sum + blob.length, headBytes.length);
  if (bytes > PAYLOAD_BYTES_MAX) {
    throw new SessionError('TOO_LARGE', `a mutation of ${bytes} bytes is larger than ${PAYLOAD_BYTES_MAX}`, {
      facts: { bytes, bytesMax: PAYLOAD_BYTES_MAX },
    });
  }
  return { head: headBytes, blobs, bytes };
}

/** Checksum seed of a segment: crc32 of its first sequence and its epoch, as in the header. */
export function segmentSeed(firstSeq: number, epoch: number): number {
  const bytes = Buffer.alloc(16);
  bytes.writeBigUInt64LE(BigInt(firstSeq), 0);
  bytes.writeBigUInt64LE(BigInt(epoch), 8);
  return crc32(bytes);
}

export function encodeSegmentHeader(firstSeq: number, epoch: number): Buffer {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  MAGIC.copy(header);
  header.writeBigUInt64LE(BigInt(firstSeq), 8);
  header.writeBigUInt64LE(BigInt(epoch), 16);
  header.writeUInt32LE(crc32(header.subarray(0, 28)), 28);
  return header;
}

/** @returns undefined when the bytes are no segment header. */
export function decodeSegmentHeader(bytes: Buffer): { firstSeq: number; epoch: number } | undefined {
  if (bytes.length < SEGMENT_HEADER_BYTES || !bytes.subarray(0, 8).equals(MAGIC)) return undefined;
  if (bytes.readUInt32LE(28) !== crc32(bytes.subarray(0, 28))) return undefined;
  return { firstSeq: Number(bytes.readBigUInt64LE(8)), epoch: Number(bytes.readBigUInt64LE(16)) };
}

/** Buffers of one frame, to be written back to back. */
export function encodeFrame(
  payload: EncodedPayload,
  place: { readonly seq: number; readonly epoch: number; readonly syncedSeq: number; readonly seed: number },
): Buffer[] {
  const header = Buffer.allocUnsafe(FRAME_HEADER_BYTES);
  header.writeUInt32LE(payload.bytes, 0);
  header.writeBigUInt64LE(BigInt(place.seq), 8);
  header.writeUInt32LE(place.epoch, 16);
  header.writeUInt32LE(payload.head.length, 20);
  header.writeBigUInt64LE(BigInt(place.syncedSeq), 24);
  let sum = crc32(header.subarray(8), place.seed);
  sum = crc32(payload.head, sum);
  for (const blob of payload.blobs) sum = crc32(blob, sum);
  header.writeUInt32LE(sum, 4);
  return [header, payload.head, ...payload.blobs];
}

export interface DecodedFrame {
  readonly record: JournalRecord;
  readonly syncedSeq: number;
  /** Bytes of the whole frame. */
  readonly bytes: number;
}

/** @returns undefined when no valid frame starts at `offset`. Blobs are views into `segment`. */
export function decodeFrame(segment: Buffer, offset: number, seed: number): DecodedFrame | undefined {
  if (offset + FRAME_HEADER_BYTES > segment.length) return undefined;
  const payloadBytes = segment.readUInt32LE(offset);
  const end = offset + FRAME_HEADER_BYTES + payloadBytes;
  if (payloadBytes === 0 || payloadBytes > PAYLOAD_BYTES_MAX || end > segment.length) return undefined;
  const headBytes = segment.readUInt32LE(offset + 20);
  if (headBytes > payloadBytes) return undefined;
  if (segment.readUInt32LE(offset + 4) !== crc32(segment.subarray(offset + 8, end), seed)) return undefined;
  const headStart = offset + FRAME_HEADER_BYTES;
  const head = JSON.parse(segment.toString('utf8', headStart, headStart + headBytes)) as Head;
  let at = headStart + headBytes;
  const ops = head.ops.map((op): JournalOp => {
    if (op.op !== 'append') return op;
    const { length, ...rest } = op;
    const bytes = segment.subarray(at, at + length);
    at += length;
    return { ...rest, bytes };
  });
  return {
    record: {
      seq: Number(segment.readBigUInt64LE(offset + 8)),
      epoch: segment.readUInt32LE(offset + 16),
      atMs: head.at,
      ops,
      ...(head.stored ? { stored: head.stored } : {}),
      ...(head.notes ? { notes: head.notes } : {}),
    },
    syncedSeq: Number(segment.readBigUInt64LE(offset + 24)),
    bytes: end - offset,
  };
}
