import { SessionError } from '@sessions/domain';
import { encodeFrame, encodePayload, encodeSegmentHeader, segmentSeed } from './codec';
import { scanSegment } from './replay';

const PLACE = { epoch: 3, firstSeq: 11 };
const SEED = segmentSeed(PLACE.firstSeq, PLACE.epoch);

/** Frames 11 to 18 in groups of two: each group knows that the ones before it are durable. */
function segment(): { bytes: Buffer; offsets: number[] } {
  const parts: Buffer[] = [encodeSegmentHeader(PLACE.firstSeq, PLACE.epoch)];
  const offsets: number[] = [];
  let at = 32;
  for (let seq = 11; seq <= 18; seq += 1) {
    const syncedSeq = seq - 1 - ((seq - 11) % 2);
    const payload = encodePayload({ atMs: seq, ops: [{ op: 'set', key: `key-${seq}`, set: { n: seq } }] });
    const frame = Buffer.concat(encodeFrame(payload, { seq, epoch: PLACE.epoch, syncedSeq, seed: SEED }));
    offsets.push(at);
    at += frame.length;
    parts.push(frame);
  }
  parts.push(Buffer.alloc(4096));
  return { bytes: Buffer.concat(parts), offsets };
}

/** Spoils the frames with these sequences. */
function scanWithout(...spoiled: number[]): { seqs: number[]; holes: { fromSeq: number; toSeq: number }[] } {
  const { bytes, offsets } = segment();
  for (const seq of spoiled) {
    const offset = offsets[seq - 11] as number;
    bytes[offset + 40] = (bytes[offset + 40] as number) ^ 1;
  }
  const scan = scanSegment('segment', PLACE, bytes);
  return { seqs: scan.records.map((record) => record.seq), holes: scan.holes.map(({ fromSeq, toSeq }) => ({ fromSeq, toSeq })) };
}

describe('scanning a segment', () => {
  const table: [string, number[], number[], { fromSeq: number; toSeq: number }[]][] = [
    ['reads all whole frames', [], [11, 12, 13, 14, 15, 16, 17, 18], []],
    ['ends at a torn last frame', [18], [11, 12, 13, 14, 15, 16, 17], []],
    ['ends at a torn first frame of the last group, whatever is behind it', [17], [11, 12, 13, 14, 15, 16], []],
    ['reports a frame that a later group calls durable', [13], [11, 12, 14, 15, 16, 17, 18], [{ fromSeq: 13, toSeq: 13 }]],
    ['reports the first frame of all, whose own group follows it', [11], [12, 13, 14, 15, 16, 17, 18], [{ fromSeq: 11, toSeq: 11 }]],
    ['reports two durable frames in a row as one gap', [13, 14], [11, 12, 15, 16, 17, 18], [{ fromSeq: 13, toSeq: 14 }]],
    ['stops where the gap reaches beyond what is durable', [16, 17], [11, 12, 13, 14, 15], [{ fromSeq: 16, toSeq: 16 }]],
  ];

  it.each(table)('%s', (_, spoiled, seqs, holes) => {
    expect(scanWithout(...spoiled)).toEqual({ seqs, holes });
  });

  it('reads on under a damaged header, and nothing of the earlier life of the file', () => {
    const { bytes } = segment();
    bytes.fill(0x55, 0, 32);
    expect(scanSegment('segment', PLACE, bytes).records).toHaveLength(8);
    expect(scanSegment('segment', { ...PLACE, epoch: 4 }, bytes)).toMatchObject({ records: [], holes: [], bytes: 0 });
  });

  it('finds nothing in zeros and in noise', () => {
    expect(scanSegment('segment', PLACE, Buffer.alloc(8192))).toMatchObject({ records: [], holes: [], bytes: 0 });
    expect(scanSegment('segment', PLACE, Buffer.alloc(8192, 0xa7))).toMatchObject({ records: [], holes: [] });
  });

  it('accepts no frame that is cut at any byte', () => {
    const { bytes, offsets } = segment();
    for (let end = offsets[7] as number; end < bytes.length - 4096; end += 1) {
      expect(scanSegment('segment', PLACE, bytes.subarray(0, end)).records).toHaveLength(7);
    }
  });
});

describe('a payload', () => {
  it('is refused above its bound', () => {
    const bytes = Buffer.alloc(41 * 1024 * 1024);
    expect(() => encodePayload({ atMs: 1, ops: [{ op: 'append', file: 'a.jsonl', offset: 0, bytes, messages: 1, exchanges: 1, leafId: null }] })).toThrow(SessionError);
  });
});
