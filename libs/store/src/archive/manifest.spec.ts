/** The manifest under appends that come together and fail. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { nodeFileSystem, type FileSystem } from '../files/file-system';
import { appendManifestLines } from './manifest';

const directory = mkdtempSync(path.join(tmpdir(), 'manifest-'));
afterAll(() => rmSync(directory, { recursive: true }));

it('takes half-written lines back and no line that was appended meanwhile, and writes those that wait together', async () => {
  const file = path.join(directory, 'archive-manifest.jsonl');
  let calls = 0;
  let meanwhile: Promise<void> | undefined;
  const fs: FileSystem = {
    ...nodeFileSystem,
    async writeAll(fd, buffers, position) {
      calls += 1;
      if (calls !== 2) return nodeFileSystem.writeAll(fd, buffers, position);
      meanwhile = appendManifestLines(fs, file, ['{"d":4}'], false);
      await nodeFileSystem.writeAll(fd, [Buffer.concat([...buffers]).subarray(0, 11)], position);
      throw Object.assign(new Error('half of it was written'), { code: 'EIO' });
    },
  };
  const append = (line: string, again = false) => appendManifestLines(fs, file, [line], again);
  const outcomes = await Promise.allSettled(['{"a":1}', '{"b":2}', '{"c":3}'].map((line) => append(line)));
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
  await meanwhile;
  expect(readFileSync(file, 'utf8')).toBe('{"a":1}\n{"d":4}\n');
  // What stands there already is written no second time, whoever shares the append.
  await Promise.all([append('{"e":5}'), append('{"d":4}', true), append('{"b":2}', true), append('{"c":3}', true)]);
  expect(readFileSync(file, 'utf8')).toBe('{"a":1}\n{"d":4}\n{"e":5}\n{"b":2}\n{"c":3}\n');
  expect(calls).toBe(5);
});
