/**
 * Bytes of a killed writer's store are cut, zeroed and flipped at every class of offset, file by file,
 * and the store is opened again: what was acknowledged is there, what was torn is not, damage is
 * reported and kept aside, and nothing else changes.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { nodeFileSystem } from './files/file-system';
import { encodeFrame, encodePayload, segmentSeed } from './journal/codec';
import { readJournal, type ReplayedJournal } from './journal/replay';
import { openStore } from './open-store';
import { PrivateBuild } from './testing/crash/private-build';
import { readHistory } from './testing/crash/history';
import { WorkPlace, listed } from './testing/crash/work-place';
import { WriterProcess } from './testing/crash/writer-process';

const SEED = Number(process.env['CRASH_SEED'] ?? 20_260_604);
const ACKNOWLEDGED_MIN = 60;
const TIMEOUT_MS = 240_000;

let template: WorkPlace;
let journal: ReplayedJournal;

beforeAll(async () => {
  const build = await PrivateBuild.make();
  try {
    template = new WorkPlace('damage');
    const writer = new WriterProcess(build, template.config({ seed: SEED, operations: 100_000, checkpointDelayMs: 250 }));
    let isOver = false;
    void writer.end.then(() => (isOver = true));
    while (!isOver && countAcknowledged() < ACKNOWLEDGED_MIN) await new Promise((resolve) => setTimeout(resolve, 3));
    writer.kill();
    await writer.end;
    journal = await readJournal(nodeFileSystem, template.ownDir);
  } finally {
    build.remove();
  }
}, 60_000);

afterAll(() => template.remove());

function countAcknowledged(): number {
  return readHistory(template.historyFile).filter((record) => record.t === 'ok').length;
}

/** The same store once more, to damage. */
function copyOfTemplate(): WorkPlace {
  const place = new WorkPlace('damaged');
  fs.rmSync(place.dir, { recursive: true });
  fs.cpSync(template.dir, place.dir, { recursive: true, preserveTimestamps: true });
  fs.copyFileSync(template.historyFile, place.historyFile);
  // A copied file has another inode, which would look like an edit from outside.
  return place;
}

async function afterDamage(damage: (place: WorkPlace) => void): Promise<string> {
  const place = copyOfTemplate();
  try {
    damage(place);
    return listed(await place.check({ twice: true, damaged: true }));
  } finally {
    place.remove();
  }
}

function overwrite(file: string, offset: number, bytes: Buffer): void {
  const fd = fs.openSync(file, 'r+');
  fs.writeSync(fd, bytes, 0, bytes.length, offset);
  fs.closeSync(fd);
}

function flip(file: string, offset: number): void {
  const bytes = fs.readFileSync(file);
  overwrite(file, offset, Buffer.from([(bytes[offset] as number) ^ 0x20]));
}

describe('a torn write of the journal', () => {
  const classes: [string, (frameBytes: number) => number][] = [
    ['nothing of the frame', () => 0],
    ['one byte', () => 1],
    ['a part of the header', () => 13],
    ['all of the header', () => 32],
    ['half of the payload', (bytes) => 32 + Math.floor((bytes - 32) / 2)],
    ['all but the last byte', (bytes) => bytes - 1],
  ];

  it.each(classes)('leaves no trace when %s reached the disk', async (_, keptBytes) => {
    const outcome = await afterDamage((place) => {
      const last = journal.segments.at(-1);
      if (last === undefined) throw new Error('the template has no journal');
      const { epoch, firstSeq } = parseName(last.path);
      const seq = journal.lastSeq + 1;
      const payload = encodePayload({ atMs: 1, ops: [{ op: 'append', file: 'torn.jsonl', offset: 0, bytes: Buffer.from('{"torn":true}\n'), messages: 1, exchanges: 1, leafId: null }] });
      const frame = Buffer.concat(encodeFrame(payload, { seq, epoch, syncedSeq: seq - 1, seed: segmentSeed(firstSeq, epoch) }));
      overwrite(path.join(place.ownDir, path.basename(last.path)), last.bytes, frame.subarray(0, keptBytes(frame.length)));
    });
    expect(outcome).toBe('');
  }, TIMEOUT_MS);
});

describe('damage inside the journal', () => {
  const damages: [string, (file: string, offset: number) => void][] = [
    ['a flipped bit in a length', (file, offset) => flip(file, offset)],
    ['a flipped bit in a payload', (file, offset) => flip(file, offset + 60)],
    ['a zeroed sector', (file, offset) => overwrite(file, Math.floor(offset / 512) * 512 + 512, Buffer.alloc(512))],
  ];

  it.each(damages)('is reported and kept aside: %s', async (_, damage) => {
    const place = copyOfTemplate();
    try {
      const segment = journal.segments.find(({ firstSeq, lastSeq }) => lastSeq - firstSeq >= 3) ?? journal.segments[0];
      if (segment === undefined) throw new Error('the template has no journal');
      damage(path.join(place.ownDir, path.basename(segment.path)), 32);
      const store = await openStore({ agentId: 'main', sessionsFile: place.sessionsFile, instance: 'test', transport: 'standalone', clock: { nowMs: () => Date.now() } });
      const { notices } = await store.info();
      await store.close();
      expect(notices).toContainEqual(expect.objectContaining({ kind: 'damage', message: expect.stringContaining('cannot be read from the journal') as string }));
      expect(fs.readdirSync(path.join(place.ownDir, 'quarantine')).some((name) => name.startsWith('journal-'))).toBe(true);
    } finally {
      place.remove();
    }
  }, TIMEOUT_MS);

  it('loses no record to a damaged segment header', async () => {
    const outcome = await afterDamage((place) => {
      for (const segment of journal.segments) overwrite(path.join(place.ownDir, path.basename(segment.path)), 0, Buffer.alloc(32, 0x55));
    });
    expect(outcome).toBe('');
  }, TIMEOUT_MS);
});

describe('a damaged sessions file', () => {
  const damages: [string, (bytes: Buffer) => Buffer][] = [
    ['0 bytes', () => Buffer.alloc(0)],
    ['half of it', (bytes) => bytes.subarray(0, bytes.length >> 1)],
    ['all but the last byte', (bytes) => bytes.subarray(0, -1)],
    ['NULs only', (bytes) => Buffer.alloc(bytes.length)],
    ['NULs at the end', (bytes) => Buffer.concat([bytes.subarray(0, -30), Buffer.alloc(30)])],
    ['a first byte that is no brace', (bytes) => Buffer.concat([Buffer.from('['), bytes.subarray(1)])],
    ['something behind the closing brace', (bytes) => Buffer.concat([bytes, Buffer.from('}')])],
  ];

  it.each(damages)('is written again from the index: %s', async (_, damage) => {
    const outcome = await afterDamage((place) => {
      fs.writeFileSync(place.sessionsFile, damage(fs.readFileSync(place.sessionsFile)));
    });
    expect(outcome.replace(/^I8: the sessions file does not parse.*$/m, '').trim()).toBe('');
  }, TIMEOUT_MS);

  it('is made again when it is gone', async () => {
    expect(await afterDamage((place) => fs.rmSync(place.sessionsFile, { force: true }))).toBe('');
  }, TIMEOUT_MS);
});

describe('a damaged index', () => {
  const index = 'index.sqlite';
  const damages: [string, (dir: string) => void][] = [
    ['gone', (dir) => removeIndex(dir)],
    ['0 bytes', (dir) => fs.truncateSync(path.join(dir, index), 0)],
    ['no database', (dir) => overwrite(path.join(dir, index), 0, Buffer.alloc(100, 0x41))],
    ['its WAL gone', (dir) => fs.rmSync(path.join(dir, `${index}-wal`), { force: true })],
    ['its WAL cut', (dir) => fs.truncateSync(path.join(dir, `${index}-wal`), fs.statSync(path.join(dir, `${index}-wal`)).size >> 1)],
    ['its WAL filled with something else', (dir) => overwrite(path.join(dir, `${index}-wal`), 0, Buffer.alloc(8192, 0x42))],
    ['its shared memory gone', (dir) => fs.rmSync(path.join(dir, `${index}-shm`), { force: true })],
  ];

  it.each(damages)('gives the same answers: %s', async (_, damage) => {
    expect(await afterDamage((place) => damage(place.ownDir))).toBe('');
  }, TIMEOUT_MS);
});

describe('a damaged transcript', () => {
  /** The last transcript that the journal appended to, and where its last lines stand. */
  const lastAppend = (): { file: string; offset: number; bytes: number } => {
    const ops = journal.records.flatMap((record) => record.ops.flatMap((op) => (op.op === 'append' ? [op] : [])));
    const op = ops.at(-1);
    if (op === undefined) throw new Error('the template has no append');
    return { file: op.file, offset: op.offset, bytes: op.bytes.length };
  };
  const damages: [string, (file: string, append: { offset: number; bytes: number }) => void][] = [
    ['acknowledged lines cut off', (file, { offset }) => fs.truncateSync(file, offset)],
    ['an acknowledged line cut in the middle', (file, { offset, bytes }) => fs.truncateSync(file, offset + (bytes >> 1))],
    ['acknowledged lines turned to NULs', (file, { offset, bytes }) => overwrite(file, offset, Buffer.alloc(bytes))],
    ['a bit flipped in an acknowledged line', (file, { offset }) => flip(file, offset + 20)],
    ['half a line behind the last one', (file, { offset, bytes }) => overwrite(file, offset + bytes, Buffer.from('{"type":"message","id":"'))],
    ['NULs behind the last line', (file, { offset, bytes }) => overwrite(file, offset + bytes, Buffer.alloc(4096))],
  ];

  it.each(damages)('has its acknowledged lines again: %s', async (_, damage) => {
    const append = lastAppend();
    expect(await afterDamage((place) => damage(path.join(place.dir, append.file), append))).toBe('');
  }, TIMEOUT_MS);
});

function parseName(file: string): { epoch: number; firstSeq: number } {
  const match = /journal-(\d+)-(\d+)\.log$/.exec(file);
  return { epoch: Number(match?.[1]), firstSeq: Number(match?.[2]) };
}

function removeIndex(dir: string): void {
  for (const suffix of ['', '-wal', '-shm']) fs.rmSync(path.join(dir, `index.sqlite${suffix}`), { force: true });
}
