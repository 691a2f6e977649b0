/** What the file system refuses with where no part of the engine has put it into words yet. */
import { SessionError } from '@sessions/domain';

const FULL: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
const READ_ONLY: ReadonlySet<unknown> = new Set(['EROFS', 'EACCES', 'EPERM']);

/**
 * The result of `work`.
 * @param what cannot be written, as a person knows it.
 * @throws DISK_FULL, READ_ONLY; anything else as it was thrown
 */
export async function tellingOfDisk<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const code: unknown = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (FULL.has(code)) throw new SessionError('DISK_FULL', `there is no space for ${what}`, { cause });
    if (READ_ONLY.has(code)) throw new SessionError('READ_ONLY', `${what} cannot be written where the gateway keeps them`, { cause });
    throw cause;
  }
}
