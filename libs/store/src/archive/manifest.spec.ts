/** The manifest under appends that come together and fail. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { nodeFileSystem, type FileSystem } from '../files/file-system';
import { appendManifestLines } from './manifest';

const directory = mkdtempSync(path.join(tmpdir(), 'manifest-'));
afterAll(() => rmSync(directory, { recursive: true }));

it('takes a half-written line back and no line that was appended meanwhile', async () => {
  const file = path.join(directory, 'archive-manifest.jsonl');
  let calls = 0;
  const fs: FileSystem = {
    ...nodeFileSystem,
    async writeAll(fd, buffers, position) {
      calls += 1;
      if (calls !== 2) return nodeFileSystem.writeAll(fd, buffers, position);
      await new Promise((resolve) => setTimeout(resolve, 50));
      await nodeFileSystem.writeAll(fd, [Buffer.concat([...buffers]).subarray(0, 3)], position);
      throw Object.assign(new Error('half of it was written'), { code: 'EIO' });
    },
  };
  const [first, second, third] = await Promise.allSettled(['{"a":1}', '{"b":2}', '{"c":3}'].map((line) => appendManifestLines(fs, file, [line], false)));
  expect([first?.status, second?.status, third?.status]).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(readFileSync(file, 'utf8')).toBe('{"a":1}\n{"c":3}\n');
});
