/**
 * Other stores in a store's directory: `session.store` may give each agent a file of its own in one place,
 * and a slip in `--store` names a file beside the store that was meant. Whose transcripts stand there is
 * then known to none of them alone, so no store takes what it does not name for its own, or for nobody's.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { StoreLayout } from './layout';
import type { FileSystem } from './file-system';

/** Of a file's beginning, enough for its first entry's name and id. Bytes. */
const HEAD_BYTES = 64 * 1024;
const OWN_DIRECTORY = /^\.store(?:-.+)?$/;
/** An entry of either format. */
const ENTRY = /^\uFEFF?\s*\{[\s\S]*?"(?:sessionId|uuid)"\s*:/;

/** True for a name that the sessions file of another store could have. */
export function mayBeStoreName({ sessionsFile }: Pick<StoreLayout, 'sessionsFile'>, name: string): boolean {
  return name.endsWith('.json') && !name.includes('/') && !name.endsWith('.trajectory-path.json') && name !== path.basename(sessionsFile);
}

/** Names of other stores, or of the directories that their owners keep. Synchronous: for processes and threads that nobody waits for. */
export function neighbourStoresSync({ dir, sessionsFile, ownDir }: Pick<StoreLayout, 'dir' | 'sessionsFile' | 'ownDir'>): string[] {
  const items = fs.existsSync(dir) ? fs.readdirSync(dir, { withFileTypes: true }) : [];
  return items.flatMap((item) => {
    const isOwner = item.isDirectory() && OWN_DIRECTORY.test(item.name) && item.name !== path.basename(ownDir);
    const isStore = item.isFile() && mayBeStoreName({ sessionsFile }, item.name) && isStoreFile(path.join(dir, item.name));
    return isOwner || isStore ? [item.name] : [];
  });
}

/** Those of the names that are stores, and the directory of the usual one's owner. @param names as `mayBeStoreName` has chosen them */
export async function storesAmong(disk: FileSystem, { dir, ownDir }: Pick<StoreLayout, 'dir' | 'ownDir'>, names: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  // One that is gone by now, or cannot be read, tells nothing.
  for (const name of names) if (ENTRY.test(await headOf(disk, path.join(dir, name)).catch(() => ''))) found.push(name);
  const usual = '.store';
  const stats = path.basename(ownDir) === usual ? undefined : await fs.promises.lstat(path.join(dir, usual)).catch(() => undefined);
  return stats?.isDirectory() === true ? [...found, usual] : found;
}

async function headOf(disk: FileSystem, file: string): Promise<string> {
  const fd = await disk.open(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    return head.toString('utf8', 0, await disk.read(fd, head, 0, HEAD_BYTES, 0));
  } finally {
    await disk.close(fd);
  }
}

function isStoreFile(file: string): boolean {
  let fd: number;
  try {
    fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
  } catch {
    return false;
  }
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    return ENTRY.test(head.toString('utf8', 0, fs.readSync(fd, head, 0, HEAD_BYTES, 0)));
  } finally {
    fs.closeSync(fd);
  }
}
