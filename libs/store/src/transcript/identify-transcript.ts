import { SessionError } from '@sessions/domain';
import { hasErrorCode, type FileSystem } from '../files/file-system';

/**
 * The size of what stands under a transcript's name; undefined: nothing does.
 * @throws DAMAGED for what is no regular file
 */
export async function identifyTranscript(fs: Pick<FileSystem, 'identify'>, file: string): Promise<{ readonly size: number } | undefined> {
  try {
    return await fs.identify(file);
  } catch (cause) {
    if (!hasErrorCode(cause, 'ENOTREG')) throw cause;
    throw new SessionError('DAMAGED', `${file} is not a regular file; nothing is written through it`, { facts: { path: file }, cause });
  }
}
