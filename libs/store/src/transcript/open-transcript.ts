/**
 * Opens a transcript for reading. What stands in its place and is no regular file is neither followed
 * nor waited for: a link may lead out of the store, and a pipe would hold a thread of the pool until
 * somebody writes to it, a few of them all of its threads.
 */
import { constants } from 'node:fs';
import * as path from 'node:path';
import { SessionError } from '@sessions/domain';
import { hasErrorCode, type FileSystem } from '../files/file-system';

/**
 * @param file its path inside the store's directory
 * @returns undefined when there is none
 * @throws DAMAGED when a link, directory or device stands there
 */
export async function openTranscript(fs: FileSystem, dir: string, file: string): Promise<number | undefined> {
  const place = path.join(dir, file);
  try {
    if ((await fs.identify(place)) === undefined) return undefined;
    // Something else may have come into its place since.
    return await fs.open(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return undefined;
    if (!hasErrorCode(error, 'ELOOP', 'ENOTREG')) throw error;
    throw new SessionError('DAMAGED', `the transcript ${file} is not a regular file: a link, directory or device stands in its place`, {
      facts: { path: file },
      hint: 'move it out of the sessions directory',
      cause: error,
    });
  }
}
