import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { nodeFileSystem } from '../files/file-system';
import { segmentFileName } from '../files/layout';
import { SegmentPool } from './segment-pool';

let dir: string;
beforeEach(() => {
  dir = fs.mkdtempSync(path.join(tmpdir(), 'segment-pool-'));
});
afterEach(() => fs.rmSync(dir, { recursive: true }));

const segments = (): string[] => fs.readdirSync(dir).filter((name) => !name.includes('spare'));
const passes = (): void => undefined;

/** A pool of an owner that has one spare ready. */
async function ready(epoch: number): Promise<SegmentPool> {
  const pool = new SegmentPool(nodeFileSystem, dir, epoch);
  pool.prepare();
  await pool.settled();
  return pool;
}

describe('a segment pool whose owner was stopped and wakes up', () => {
  it('makes no segment of a spare that its successor has removed', async () => {
    const former = await ready(1);
    await new SegmentPool(nodeFileSystem, dir, 2).removeInherited();
    // Stopped between its look at the fence and the renaming: the look has passed.
    await expect(former.take(5, passes)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(segments()).toEqual([]);
  });

  it('makes none of a spare that it fills after the take-over either: its fence has fallen', async () => {
    const former = new SegmentPool(nodeFileSystem, dir, 1);
    const fence = (): void => {
      throw new Error('superseded');
    };
    await expect(former.take(5, fence)).rejects.toThrow('superseded');
    expect(segments()).toEqual([]);
  });
});

it('gives a spare the name of its segment', async () => {
  const pool = await ready(3);
  const { fd, path: file } = await pool.take(9, passes);
  await nodeFileSystem.close(fd);
  expect(path.basename(file)).toBe(segmentFileName({ epoch: 3, firstSeq: 9 }));
  expect(fs.readdirSync(dir)).toEqual([path.basename(file)]);
});

describe('spares between checkpoints', () => {
  const spares = (): number => fs.readdirSync(dir).length - segments().length;

  /** Begins so many segments, and gives all of them back at a checkpoint. @returns how many had to be filled with zeros */
  async function interval(pool: SegmentPool, firstSeq: number, count: number): Promise<number> {
    const files: string[] = [];
    const before = spares();
    for (let n = 0; n < count; n += 1) {
      const { fd, path: file } = await pool.take(firstSeq + n, passes);
      await nodeFileSystem.close(fd);
      files.push(file);
    }
    for (const file of files) await pool.recycle(file);
    await pool.trim();
    return Math.max(0, count - before);
  }

  it('are as many as a busy store takes, so that none is filled twice, and leave when it is quiet', async () => {
    const pool = await ready(1);
    const filled: number[] = [];
    for (let n = 0; n < 4; n += 1) filled.push(await interval(pool, 100 * n + 1, 14));
    expect(filled).toEqual([13, 0, 0, 0]);
    expect(spares()).toBe(14);
    for (let n = 0; n < 6; n += 1) await interval(pool, 1001 + 100 * n, 1);
    expect(await interval(pool, 2001, 9)).toBe(0);
    for (let n = 0; n < 20; n += 1) await interval(pool, 3001 + 100 * n, 1);
    expect(spares()).toBe(2);
  });

  it('are never more than their bound', async () => {
    const pool = await ready(1);
    await interval(pool, 1, 24);
    expect(spares()).toBe(20);
  });
});
