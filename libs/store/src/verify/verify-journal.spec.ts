import { linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { segmentFileName } from '../files/layout';
import { encodeFrame, encodePayload, encodeSegmentHeader, segmentSeed, type JournalOp } from '../journal/codec';
import { generateStore, type GeneratedStore } from '../testing/store-generator';
import { verifyStore } from './verify-store';

describe('verify of a journal', () => {
  let top: string;
  let store: GeneratedStore;
  let segment: string;

  beforeEach(() => {
    top = mkdtempSync(join(tmpdir(), 'verify-journal-'));
    store = generateStore({ stateDir: top, entries: 1, transcripts: { messages: 2 } });
    segment = join(store.sessionsDir, '.store', segmentFileName({ epoch: 1, firstSeq: 1 }));
    mkdirSync(join(store.sessionsDir, '.store'));
    writeFileSync(join(store.sessionsDir, 'young.jsonl'), '{"role":"user"}\n');
  });
  afterEach(() => rmSync(top, { recursive: true }));

  /** Three appends, each its own group; `harm` may change bytes of one of them. */
  function writeJournal(harm: (frames: Buffer[]) => void = () => undefined): void {
    const seed = segmentSeed(1, 1);
    const frames = [1, 2, 3].map((seq) => {
      const op = { op: 'append', file: 'young.jsonl', offset: 0, bytes: Buffer.from('{"role":"user"}\n'), messages: 1, exchanges: 1, leafId: null } as const;
      return Buffer.concat(encodeFrame(encodePayload({ atMs: 1, ops: [op] }), { seq, epoch: 1, syncedSeq: seq - 1, seed }));
    });
    harm(frames);
    writeFileSync(segment, Buffer.concat([encodeSegmentHeader(1, 1), ...frames, Buffer.alloc(4096)]));
  }

  const verify = () => verifyStore('main', store.sessionsFile, { nowMs: () => 0 });

  it('finds a whole one in order, and explains the files that it names', async () => {
    writeJournal();
    expect(await verify()).toMatchObject({ ok: true, findings: [] });
  });

  it('takes a torn end for what it is: never acknowledged', async () => {
    writeJournal((frames) => frames[2]?.fill(0, 20));
    expect(await verify()).toMatchObject({ ok: true });
  });

  it('reports acknowledged records that cannot be read', async () => {
    writeJournal((frames) => frames[1]?.fill(0x5a, 20, 30));
    const report = await verify();
    expect(report.ok).toBe(false);
    expect(report.findings).toMatchObject([{ kind: 'journal-damaged', detail: expect.stringContaining('mutations 2 to 2') }]);
  });

  it('says which operations on files the next start has to finish, and nothing else about those files', async () => {
    const to = 'young.jsonl.reset.2026-05-01T10-00-00.000Z';
    const seed = segmentSeed(1, 1);
    const frame = (seq: number, op: JournalOp): Buffer => Buffer.concat(encodeFrame(encodePayload({ atMs: 1, ops: [op] }), { seq, epoch: 1, syncedSeq: seq - 1, seed }));
    const aside = frame(1, { op: 'aside', file: 'young.jsonl', to, bytes: 16, sha256: 'x' });
    writeFileSync(segment, Buffer.concat([encodeSegmentHeader(1, 1), aside, Buffer.alloc(4096)]));
    linkSync(join(store.sessionsDir, 'young.jsonl'), join(store.sessionsDir, to));
    expect((await verify()).findings).toMatchObject([{ kind: 'archive-unfinished', file: 'young.jsonl' }]);
    writeFileSync(segment, Buffer.concat([encodeSegmentHeader(1, 1), aside, frame(2, { op: 'done', seq: 1 }), Buffer.alloc(4096)]));
    expect((await verify()).findings).toMatchObject([{ kind: 'archive-unlisted', file: to }]);
  });

  it('leaves a journal alone that an owner is writing', async () => {
    writeJournal((frames) => frames[1]?.fill(0x5a, 20, 30));
    const report = await verifyStore('main', store.sessionsFile, { nowMs: () => 0, live: true });
    expect(report.findings.map(({ kind }) => kind)).not.toContain('journal-damaged');
  });
});
