/** Small files of the engine's directory that are there as a whole, and durably, or not at all. */
import { randomUUID } from 'node:crypto';
import { mkdir, open, rename } from 'node:fs/promises';
import * as path from 'node:path';

const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/**
 * Resolves when the text is on disk under its name, in place of what stood there; the directory is made
 * where it is missing. A crash leaves at most a `<name>.<uuid>.tmp`.
 * @throws what the file system refuses with; nothing stands under the name then that did not before
 */
export async function writeWholeFile(dir: string, name: string, text: string): Promise<void> {
  const file = path.join(dir, name);
  await mkdir(dir, { recursive: true, mode: DIRECTORY_MODE });
  const temp = `${file}.${randomUUID()}.tmp`;
  await synced(temp, 'wx', (handle) => handle.writeFile(text));
  await rename(temp, file);
  await synced(dir, 'r', () => Promise.resolve());
}

async function synced(file: string, flags: string, work: (handle: Awaited<ReturnType<typeof open>>) => Promise<unknown>): Promise<void> {
  const handle = await open(file, flags, FILE_MODE);
  try {
    await work(handle);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
