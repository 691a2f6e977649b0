/** Records of the manifest over a real file: what is read again, and what is not. */
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeFileSystem } from '../files/file-system';
import { ManifestRecords, RECORDS_KEPT_MAX } from './manifest-records';

describe('records of the manifest', () => {
  let directory: string;
  let manifestFile: string;
  let bytesRead: number;
  let records: ManifestRecords;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'manifest-records-'));
    manifestFile = join(directory, 'archive-manifest.jsonl');
    bytesRead = 0;
    const fs: typeof nodeFileSystem = {
      ...nodeFileSystem,
      read: async (...args) => {
        const count = await nodeFileSystem.read(...args);
        bytesRead += count;
        return count;
      },
    };
    records = new ManifestRecords(fs, { manifestFile });
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const line = (at: number, key = `agent:main:k${String(at)}`): string => `${JSON.stringify({ at, reason: 'prune-stale', key, sessionId: `s${String(at)}`, files: [], actor: 'command' })}\n`;
  const lines = (from: number, to: number): string => Array.from({ length: to - from }, (_, index) => line(from + index)).join('');
  async function times(): Promise<number[]> {
    const found: number[] = [];
    for await (const { atMs } of records.newestFirst()) found.push(atMs);
    return found;
  }
  const down = (from: number): number[] => Array.from({ length: from }, (_, index) => from - 1 - index);

  it('are read once, and from then on only those that were added', async () => {
    expect(await times()).toEqual([]);
    writeFileSync(manifestFile, lines(0, 5_000));
    expect(await times()).toEqual(down(5_000));
    const whole = bytesRead;
    appendFileSync(manifestFile, lines(5_000, 5_003));
    bytesRead = 0;
    expect(await times()).toEqual(down(5_003));
    expect(await times()).toEqual(down(5_003));
    expect(bytesRead).toBeLessThan(whole / 2);
  });

  it('are read anew when the file is another, or its lines are', async () => {
    writeFileSync(manifestFile, lines(0, 10));
    expect(await times()).toEqual(down(10));
    // As long as before, and with other lines, as after an erasure.
    writeFileSync(manifestFile, lines(0, 10).replaceAll('"at":9', '"at":8'));
    expect(await times()).toEqual([8, ...down(9)]);
    writeFileSync(manifestFile, lines(0, 3));
    expect(await times()).toEqual(down(3));
    rmSync(manifestFile);
    expect(await times()).toEqual([]);
  });

  it('leave half a line to the next reading, and survive a reader that leaves', async () => {
    writeFileSync(manifestFile, `${lines(0, 10)}${line(10).slice(0, 20)}`);
    for await (const { atMs } of records.newestFirst()) if (atMs === 5) break;
    expect(await times()).toEqual(down(10));
    appendFileSync(manifestFile, line(10).slice(20));
    expect(await times()).toEqual(down(11));
  });

  it('are all there when they are too many to be kept', async () => {
    writeFileSync(manifestFile, lines(0, RECORDS_KEPT_MAX + 5));
    expect(await times()).toHaveLength(RECORDS_KEPT_MAX + 5);
    appendFileSync(manifestFile, line(7));
    const again = await times();
    expect([again.length, again[0], again.at(-1)]).toEqual([RECORDS_KEPT_MAX + 6, 7, 0]);
  });
});
