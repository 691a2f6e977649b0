import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { makeDirectory } from './make-directory';

let root: string;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'make-directory-'));
});
afterEach(() => rmSync(root, { recursive: true }));

it('makes all that is missing on the way, and is content with what is there', async () => {
  const directory = path.join(root, 'a', 'b', 'c');
  await makeDirectory(directory, 0o700);
  await makeDirectory(directory, 0o755);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
});

it('says that something else stands there, or on the way', async () => {
  writeFileSync(path.join(root, 'file'), '');
  for (const directory of ['file', 'file/below']) await expect(makeDirectory(path.join(root, directory), 0o700)).rejects.toMatchObject({ code: 'ENOTDIR' });
});

it('comes back where a parent says that it is not there', async () => {
  await expect(makeDirectory('/proc/nope/state', 0o700)).rejects.toMatchObject({ code: 'ENOENT' });
});
