import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeFileSystem } from '../files/file-system';
import { segmentFileName, storeLayout } from '../files/layout';
import { encodeFrame, encodePayload, encodeSegmentHeader, segmentSeed, type JournalOp } from '../journal/codec';
import { formatManifestLine } from './manifest';
import { pendingArchives } from './pending-archives';

const KEY = 'agent:main:direct:p';
const [FROM, TO] = ['a.jsonl', 'a.jsonl.deleted.2026-05-01T10-00-00.000Z'];
const BYTES = '{"role":"user"}\n';

describe('pendingArchives', () => {
  let dir: string;
  const pending = () => pendingArchives(nodeFileSystem, storeLayout('main', join(dir, 'sessions.json')));

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'pending-archives-'));
    mkdirSync(join(dir, '.store'));
    writeFileSync(join(dir, FROM), BYTES);
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  function writeJournal(...records: JournalOp[][]): void {
    const seed = segmentSeed(1, 1);
    const frames = records.flatMap((ops, at) => encodeFrame(encodePayload({ atMs: 1, ops }), { seq: at + 1, epoch: 1, syncedSeq: at, seed }));
    writeFileSync(join(dir, '.store', segmentFileName({ epoch: 1, firstSeq: 1 })), Buffer.concat([encodeSegmentHeader(1, 1), ...frames, Buffer.alloc(4096)]));
  }

  const aside: JournalOp = { op: 'aside', file: FROM, to: TO, bytes: BYTES.length, sha256: 'x' };
  const line = formatManifestLine({ at: 5, reason: 'delete', key: KEY, sessionId: 'a', files: [{ from: FROM, to: TO, bytes: BYTES.length, sha256: 'x' }], actor: 'me' }, '{"sessionId":"a"}');

  it('names what an owner died over, whichever name the file has by then', async () => {
    writeJournal([aside, { op: 'manifest', line }]);
    expect(await pending()).toMatchObject([{ kind: 'deleted', key: KEY, sessionId: 'a', reason: 'delete', atMs: 5, isThere: true, main: { to: TO } }]);
    renameSync(join(dir, FROM), join(dir, TO));
    expect(await pending()).toMatchObject([{ isThere: true }]);
    rmSync(join(dir, TO));
    expect(await pending()).toMatchObject([{ isThere: false }]);
  });

  it('names nothing that is finished, and nothing without a journal', async () => {
    writeJournal([aside, { op: 'manifest', line }], [{ op: 'done', seq: 1 }]);
    expect(await pending()).toEqual([]);
    rmSync(join(dir, '.store'), { recursive: true });
    expect(await pending()).toEqual([]);
  });
});
