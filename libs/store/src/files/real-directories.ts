/**
 * No link leads out of an agent's root: the directories that a store consists of are directories
 * themselves. What lies above them (a state directory behind a link, say) is its owner's business.
 */
import { promises as fs, type Stats } from 'node:fs';
import * as path from 'node:path';
import { SessionError } from '@sessions/domain';
import { errorCodeOf } from './error-code';
import type { StoreLayout } from './layout';

/** @throws DAMAGED naming the link or other thing that stands in the place of a directory. */
export async function assertRealDirectories(layout: StoreLayout): Promise<void> {
  const parent = path.dirname(layout.dir);
  // `agents/<agentId>/sessions`: the agent's own directory belongs to the store too.
  const own = path.basename(parent) === layout.agentId ? [parent] : [];
  for (const directory of [...own, layout.dir, layout.ownDir]) await assertRealDirectory(directory);
}

/** One directory; one that is not there yet is fine. */
export async function assertRealDirectory(directory: string): Promise<void> {
  const stats = await lstatIfThere(directory);
  if (stats === undefined || stats.isDirectory()) return;
  const what = stats.isSymbolicLink() ? 'a symbolic link' : 'no directory';
  throw new SessionError('DAMAGED', `${directory} is ${what}; a store is not reached through it`, {
    facts: { path: directory },
    hint: 'move the directory itself there, or name its place in session.store',
  });
}

/** A directory of an opened store: it was there. @throws as `assertRealDirectory`; STORE_UNREADABLE when it is gone. */
export async function assertStandingDirectory(directory: string): Promise<void> {
  await assertRealDirectory(directory);
  if ((await lstatIfThere(directory)) !== undefined) return;
  throw new SessionError('STORE_UNREADABLE', `${directory} is gone`, {
    facts: { path: directory },
    hint: 'put the directory back; the store goes on by itself',
  });
}

async function lstatIfThere(file: string): Promise<Stats | undefined> {
  try {
    return await fs.lstat(file);
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
