/**
 * Opens files of one store and nothing else: every opened path is a regular file inside the store's
 * own directory, reached through no link that leads out of it.
 *
 * Order: the parent directory is opened and its true path compared with the root's; then the file is
 * opened relative to that open directory, without following a link in the last place. A link swapped
 * in between the check and the open therefore changes nothing. Relies on /proc/self/fd (Linux);
 * elsewhere paths are checked before and after instead.
 */
import { constants, existsSync } from 'node:fs';
import { open, readlink, realpath, type FileHandle } from 'node:fs/promises';
import * as path from 'node:path';
import { SessionError } from '@sessions/domain';
import { errorCodeOf } from './error-code';

const DESCRIPTORS = '/proc/self/fd';
const HAS_DESCRIPTOR_PATHS = existsSync(DESCRIPTORS);
const FILE_MODE = 0o600;

export interface OpenInsideOptions {
  /** Flags of open(2); O_RDONLY when absent. O_NOFOLLOW is always added. */
  readonly flags?: number;
  /** Mode of a file that the call creates. */
  readonly mode?: number;
}

/**
 * Opens `file` inside `root`.
 * @param root absolute path of the directory that must hold the file; may itself be reached by links.
 * @param file absolute, or relative to `root`.
 * @returns undefined when there is no such file (or no such directory on the way).
 * @throws VALIDATION when the path leads out of `root` or is no path; DAMAGED when a link, directory or device
 *   stands where a regular file is expected.
 */
export async function openInside(root: string, file: string, options: OpenInsideOptions = {}): Promise<FileHandle | undefined> {
  const wanted = path.resolve(root, file);
  if (!isInside(path.resolve(root), wanted)) throw leadsOut(root, wanted);
  let directory: FileHandle | undefined;
  let handle: FileHandle | undefined;
  try {
    const trueRoot = await realpath(root);
    directory = await open(path.dirname(wanted), constants.O_RDONLY | constants.O_DIRECTORY);
    const trueDirectory = await truePathOf(directory, path.dirname(wanted));
    if (trueDirectory !== trueRoot && !isInside(trueRoot, trueDirectory)) throw leadsOut(root, wanted);
    const place = HAS_DESCRIPTOR_PATHS ? `${DESCRIPTORS}/${directory.fd}/${path.basename(wanted)}` : wanted;
    // O_NONBLOCK: opening a FIFO must not wait for its other end.
    const flags = (options.flags ?? constants.O_RDONLY) | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    handle = await open(place, flags, options.mode ?? FILE_MODE);
    if (!(await handle.stat()).isFile()) throw notRegular(wanted);
    if (!HAS_DESCRIPTOR_PATHS && !isInside(trueRoot, await realpath(wanted))) throw leadsOut(root, wanted);
    const opened = handle;
    handle = undefined;
    return opened;
  } catch (error) {
    const code = errorCodeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    if (code === 'ERR_INVALID_ARG_VALUE' || code === 'ENAMETOOLONG') throw noPath(error);
    if (code === 'ELOOP' || code === 'EISDIR' || code === 'ENXIO') throw notRegular(wanted);
    throw error;
  } finally {
    await handle?.close();
    await directory?.close();
  }
}

/**
 * True when `file` is strictly below `directory`; a comparison of the two strings, both absolute and
 * normalised. Says nothing about links.
 */
export function isInside(directory: string, file: string): boolean {
  const relative = path.relative(directory, file);
  return relative !== '' && relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative);
}

async function truePathOf(directory: FileHandle, fallback: string): Promise<string> {
  return HAS_DESCRIPTOR_PATHS ? readlink(`${DESCRIPTORS}/${directory.fd}`) : realpath(fallback);
}

function leadsOut(root: string, wanted: string): SessionError {
  return new SessionError('VALIDATION', `${wanted} is not inside the store ${root}`, { facts: { path: wanted, root } });
}

function noPath(cause: unknown): SessionError {
  return new SessionError('VALIDATION', 'a path inside the store holds a NUL byte or is too long', { cause });
}

function notRegular(wanted: string): SessionError {
  return new SessionError('DAMAGED', `${wanted} is not a regular file`, {
    facts: { path: wanted },
    hint: 'links, directories and devices are not followed here; move it out of the sessions directory',
  });
}
