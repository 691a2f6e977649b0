/**
 * One new file that appears when it is complete: written beside its name, synced, linked into place. What
 * has the name already stays; a command that dies leaves a hidden temporary file at most, which a later
 * one removes.
 */
import { errorCode } from '../error-code';
import { SessionError } from '@sessions/domain';
import { draftName, sweepDrafts } from '@sessions/store';
import { constants } from 'node:fs';
import { link, lstat, open, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

const FILE_MODE = 0o600;

/** @throws VALIDATION when something has the name, or its directory is none */
export async function writeNewFile<T>(path: string, write: (file: FileHandle) => Promise<T>): Promise<T> {
  const taken = (cause?: unknown): SessionError => new SessionError('VALIDATION', `${path} exists already; nothing is overwritten.`, { facts: { option: '--output' }, ...(cause === undefined ? {} : { cause }) });
  if ((await lstat(path).catch(() => undefined)) !== undefined) throw taken();
  const draft = join(dirname(path), draftName(basename(path)));
  sweepDrafts(dirname(path), Date.now());
  let file: FileHandle;
  try {
    file = await open(draft, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, FILE_MODE);
  } catch (cause) {
    if (errorCode(cause) !== 'ENOENT' && errorCode(cause) !== 'ENOTDIR') throw cause;
    throw new SessionError('VALIDATION', `There is no directory ${dirname(path)}.`, { facts: { option: '--output' }, cause });
  }
  try {
    const result = await write(file);
    await file.sync();
    await link(draft, path).catch((cause: unknown) => {
      throw errorCode(cause) === 'EEXIST' ? taken(cause) : cause;
    });
    return result;
  } finally {
    await file.close();
    await rm(draft, { force: true });
    await syncDirectory(dirname(path));
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
