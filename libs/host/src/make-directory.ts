/** Makes directories that a person named. */
import { mkdir, stat } from 'node:fs/promises';
import * as path from 'node:path';
import { directoryChain } from '@sessions/domain';
import { errorCode } from './error-code';

/**
 * Makes a directory and those on the way to it; what is there stays as it is.
 * @throws the file system's error, ENOTDIR when something else stands in its place
 */
export async function makeDirectory(directory: string, mode: number): Promise<void> {
  for (const each of directoryChain(path.resolve(directory))) {
    await mkdir(each, { mode }).catch((error: unknown) => {
      if (errorCode(error) !== 'EEXIST') throw error;
    });
  }
  if (!(await stat(directory)).isDirectory()) throw Object.assign(new Error(`${directory} is no directory`), { code: 'ENOTDIR' });
}
