/**
 * Reads a store's journal back: which records are there, in order, and what is wrong with it.
 *
 * A bad frame at a sequence that was durable (a later frame's `syncedSeq` says so, or a later
 * segment begins behind it) is damage and reported; anything else that ends a segment is a torn
 * tail: never acknowledged, so it is simply not there. Reading changes nothing on disk.
 */
import { constants } from 'node:fs';
import * as path from 'node:path';
import { hasErrorCode, type FileSystem } from '../files/file-system';
import { parseSegmentName, type SegmentName } from '../files/layout';
import { FRAME_HEADER_BYTES, SEGMENT_HEADER_BYTES, decodeFrame, decodeSegmentHeader, segmentSeed, type JournalRecord } from './codec';
import type { KeptSegment } from './journal';

/** A directory whose segments change while we read is looked at this often. */
const LOOKS_MAX = 5;
/** Place of the sequence in a frame's header: two little-endian words. */
const SEQ_AT = 8;
const WORD = 2 ** 32;
/** A block that was never written. */
const ZEROS = Buffer.alloc(4096);

/** Acknowledged records that cannot be read. */
export interface JournalDamage {
  readonly path: string;
  readonly offset: number;
  /** First and last missing sequence. */
  readonly fromSeq: number;
  readonly toSeq: number;
}

export interface ReplayedJournal {
  readonly records: readonly JournalRecord[];
  readonly segments: readonly KeptSegment[];
  readonly damage: readonly JournalDamage[];
  /** Highest sequence of any segment or record; 0 for a store without a journal. */
  readonly lastSeq: number;
  /** Sequence before the oldest record kept. */
  readonly baseSeq: number;
  readonly highestEpoch: number;
}

interface SegmentScan {
  readonly path: string;
  readonly firstSeq: number;
  readonly epoch: number;
  readonly records: readonly JournalRecord[];
  readonly bytes: number;
  /** Sequence of the first unreadable record that a frame behind it calls durable. */
  readonly holes: readonly { readonly offset: number; readonly fromSeq: number; readonly toSeq: number }[];
}

/** @param afterSeq records up to this one are not wanted: segments that end before are not read. */
export async function readJournal(fs: FileSystem, dir: string, afterSeq = 0): Promise<ReplayedJournal> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await readOnce(fs, dir, afterSeq);
    } catch (error) {
      // A living owner recycles segments between our look at the directory and their opening.
      if (!hasErrorCode(error, 'ENOENT') || attempt >= LOOKS_MAX) throw error;
    }
  }
}

async function readOnce(fs: FileSystem, dir: string, afterSeq: number): Promise<ReplayedJournal> {
  const named = (await fs.readdir(dir)).sort().flatMap((name) => {
    const segment = parseSegmentName(name);
    return segment === undefined ? [] : [{ file: path.join(dir, name), segment }];
  });
  const wanted = named.filter((_, index) => (named[index + 1]?.segment.firstSeq ?? Number.MAX_SAFE_INTEGER) > afterSeq + 1);
  const scans: SegmentScan[] = [];
  for (const { file, segment } of wanted) scans.push(scanSegment(file, segment, await readWhole(fs, file), afterSeq));
  return joinSegments(scans);
}

/** Segments hold a few MiB each, so one is read as a whole. */
async function readWhole(fs: FileSystem, file: string): Promise<Buffer> {
  const fd = await fs.open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const bytes = Buffer.allocUnsafe(await fs.size(fd));
    let at = 0;
    while (at < bytes.length) {
      const count = await fs.read(fd, bytes, at, bytes.length - at, at);
      if (count === 0) break;
      at += count;
    }
    return bytes.subarray(0, at);
  } finally {
    await fs.close(fd);
  }
}

/** Pure: the records of one segment's bytes. Frames up to `afterSeq` are passed over by their length. */
export function scanSegment(file: string, { firstSeq, epoch }: SegmentName, bytes: Buffer, afterSeq = 0): SegmentScan {
  // The name says what the header says, and no frame of the file's earlier life verifies under it: a
  // header that is missing or damaged hides no record.
  const seed = segmentSeed(firstSeq, epoch);
  const records: JournalRecord[] = [];
  const holes: { offset: number; fromSeq: number; toSeq: number }[] = [];
  let offset = SEGMENT_HEADER_BYTES;
  let expected = firstSeq;
  let durableSeq: number | undefined;
  while (expected <= afterSeq && offset + FRAME_HEADER_BYTES <= bytes.length && bytes.readUInt32LE(offset + 8) === expected % 2 ** 32) {
    offset += FRAME_HEADER_BYTES + bytes.readUInt32LE(offset);
    expected += 1;
  }
  for (;;) {
    const frame = decodeFrame(bytes, offset, seed);
    if (frame !== undefined && frame.record.seq === expected) {
      records.push(frame.record);
      offset += frame.bytes;
      expected += 1;
      continue;
    }
    const next = findLaterFrame(bytes, offset + 1, seed, expected);
    if (next === undefined) break;
    durableSeq ??= durableSeqFrom(bytes, next, seed);
    // Frames of one group may land in any order: only what a later group calls durable is missed.
    if (durableSeq < expected) break;
    holes.push({ offset, fromSeq: expected, toSeq: Math.min(next.seq - 1, durableSeq) });
    // Between the durable ones and the next whole frame something was torn: what follows may rest on it.
    if (next.seq - 1 > durableSeq) break;
    offset = next.offset;
    expected = next.seq;
  }
  const hasBegun = records.length > 0 || isHeaderOf(bytes, firstSeq, epoch);
  return { path: file, firstSeq, epoch, records, bytes: hasBegun ? offset : 0, holes };
}

function isHeaderOf(bytes: Buffer, firstSeq: number, epoch: number): boolean {
  const header = decodeSegmentHeader(bytes);
  return header?.firstSeq === firstSeq && header.epoch === epoch;
}

interface FoundFrame {
  readonly offset: number;
  readonly seq: number;
  readonly syncedSeq: number;
}

/**
 * A damaged record hides its length, so every later offset is a candidate. Most are passed over
 * without a look at each byte: the upper half of a sequence names where one can be, and what was
 * never written is blocks of zeros. The end of every segment is searched so at each opening.
 */
function findLaterFrame(bytes: Buffer, from: number, seed: number, expected: number): FoundFrame | undefined {
  const last = bytes.length - FRAME_HEADER_BYTES;
  const upper = Math.floor(expected / WORD);
  // Sequences that cross into the next upper half are too far for one segment, but for one in four thousand millions.
  const isOneUpper = Math.floor((expected + bytes.length) / WORD) === upper;
  const pattern = Buffer.alloc(4);
  pattern.writeUInt32LE(upper);
  for (let offset = from; offset <= last; offset += 1) {
    if (isOneUpper) {
      offset = bytes.indexOf(pattern, skipZeros(bytes, offset) + SEQ_AT + 4) - SEQ_AT - 4;
      if (offset < from || offset > last) return undefined;
    }
    const seq = bytes.readUInt32LE(offset + SEQ_AT) + bytes.readUInt32LE(offset + SEQ_AT + 4) * WORD;
    if (seq <= expected || seq > expected + bytes.length) continue;
    const frame = decodeFrame(bytes, offset, seed);
    if (frame !== undefined) return { offset, seq, syncedSeq: frame.syncedSeq };
  }
  return undefined;
}

/** The first offset from `from` on whose header may hold something; whole blocks of zeros are compared at once. */
function skipZeros(bytes: Buffer, from: number): number {
  let offset = from;
  while (offset + ZEROS.length <= bytes.length && bytes.compare(ZEROS, 0, ZEROS.length, offset, offset + ZEROS.length) === 0) {
    // A header that begins in the block's last bytes may reach into what follows.
    offset += ZEROS.length - FRAME_HEADER_BYTES;
  }
  return offset;
}

/** Highest sequence that this frame or any later one calls durable. */
function durableSeqFrom(bytes: Buffer, first: FoundFrame, seed: number): number {
  let durableSeq = 0;
  let frame: FoundFrame | undefined = first;
  while (frame !== undefined) {
    durableSeq = Math.max(durableSeq, frame.syncedSeq);
    frame = findLaterFrame(bytes, frame.offset + 1, seed, frame.seq);
  }
  return durableSeq;
}

/**
 * Segments in order of epoch and sequence. What an earlier owner wrote from the sequence on with
 * which its successor began was never acknowledged (its fence had fallen): it does not count.
 */
function joinSegments(scans: readonly SegmentScan[]): ReplayedJournal {
  const records: JournalRecord[] = [];
  const damage: JournalDamage[] = [];
  const segments: KeptSegment[] = [];
  let lastSeq = 0;
  let baseSeq: number | undefined;
  let highestEpoch = 0;
  scans.forEach((scan, index) => {
    const voidFrom = Math.min(...scans.slice(index + 1).filter((later) => later.epoch > scan.epoch).map((later) => later.firstSeq), Number.MAX_SAFE_INTEGER);
    const own = scan.records.filter((record) => record.seq < voidFrom);
    const ownLastSeq = Math.max(Math.min(scan.firstSeq, voidFrom) - 1, own.at(-1)?.seq ?? 0);
    if (baseSeq === undefined) baseSeq = scan.firstSeq - 1;
    else if (scan.firstSeq > lastSeq + 1 && scan.firstSeq < voidFrom) {
      const before = scans[index - 1] as SegmentScan;
      damage.push({ path: before.path, offset: before.bytes, fromSeq: lastSeq + 1, toSeq: scan.firstSeq - 1 });
    }
    for (const hole of scan.holes) if (hole.fromSeq < voidFrom) damage.push({ path: scan.path, ...hole });
    // One by one: a spread of many thousand arguments overflows the stack.
    for (const record of own) records.push(record);
    lastSeq = Math.max(lastSeq, ownLastSeq);
    highestEpoch = Math.max(highestEpoch, scan.epoch);
    segments.push({ path: scan.path, firstSeq: scan.firstSeq, lastSeq: ownLastSeq, bytes: scan.bytes });
  });
  return { records, segments, damage, lastSeq, baseSeq: baseSeq ?? 0, highestEpoch };
}
