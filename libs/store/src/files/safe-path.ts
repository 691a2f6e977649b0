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
import { lstat, open, readlink, realpath, type FileHandle } from 'node:fs/promises';
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
 * Opens `file` inside `root`, for a single file; StoreRoot is cheaper for many.
 * @returns undefined when there is no such file (or no such directory on the way).
 * @throws as StoreRoot.open does.
 */
export async function openInside(root: string, file: string, options: OpenInsideOptions = {}): Promise<FileHandle | undefined> {
  const held = await StoreRoot.hold(root);
  try {
    return await (held ?? new StoreRoot(path.resolve(root), undefined, '')).open(file, options);
  } finally {
    await held?.close();
  }
}

/**
 * Whether `file` is there, without opening it: closing a descriptor would free the locks that this
 * process has on the file (SQLite's are such locks).
 * @throws as StoreRoot.open does.
 */
export async function isFileInside(root: string, file: string): Promise<boolean> {
  const held = await StoreRoot.hold(root);
  try {
    return (await held?.has(file)) ?? false;
  } finally {
    await held?.close();
  }
}

/** An open directory below which files are opened. Close it when done. */
export class StoreRoot {
  readonly path: string;
  readonly #directory: FileHandle | undefined;
  readonly #truePath: string;

  /** Use `hold`; without a directory every file is missing. */
  constructor(root: string, directory: FileHandle | undefined, truePath: string) {
    this.path = root;
    this.#directory = directory;
    this.#truePath = truePath;
  }

  /**
   * @param root absolute path of a directory; may itself be reached by links.
   * @returns undefined when there is no such directory.
   */
  static async hold(root: string): Promise<StoreRoot | undefined> {
    const directory = await openDirectory(root);
    if (!directory) return undefined;
    try {
      return new StoreRoot(path.resolve(root), directory, await truePathOf(directory, root));
    } catch (error) {
      await directory.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#directory?.close();
  }

  /**
   * Opens one file.
   * @param file absolute, or relative to the root.
   * @returns undefined when there is no such file (or no such directory on the way).
   * @throws VALIDATION when the path leads out of the root or is no path; DAMAGED when a link,
   *   directory or device stands where a regular file is expected.
   */
  open(file: string, options: OpenInsideOptions = {}): Promise<FileHandle | undefined> {
    return this.#inParent(file, (directory, wanted) => this.#openIn(directory, wanted, options));
  }

  /**
   * Whether a file is there; it is not opened.
   * @throws as `open` does.
   */
  async has(file: string): Promise<boolean> {
    return (await this.#inParent(file, findIn)) ?? false;
  }

  async #inParent<T>(file: string, use: (directory: FileHandle, wanted: string) => Promise<T>): Promise<T | undefined> {
    const wanted = path.resolve(this.path, file);
    if (!isInside(this.path, wanted)) throw leadsOut(this.path, wanted);
    if (!this.#directory) return undefined;
    if (path.dirname(wanted) === this.path) return use(this.#directory, wanted);
    const directory = await openDirectory(path.dirname(wanted));
    if (!directory) return undefined;
    try {
      const truePath = await truePathOf(directory, path.dirname(wanted));
      if (truePath !== this.#truePath && !isInside(this.#truePath, truePath)) throw leadsOut(this.path, wanted);
      return await use(directory, wanted);
    } finally {
      await directory.close();
    }
  }

  async #openIn(directory: FileHandle, wanted: string, options: OpenInsideOptions): Promise<FileHandle | undefined> {
    const place = placeIn(directory, wanted);
    // O_NONBLOCK: opening a FIFO must not wait for its other end.
    const flags = (options.flags ?? constants.O_RDONLY) | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    let handle: FileHandle | undefined;
    try {
      handle = await open(place, flags, options.mode ?? FILE_MODE);
      if (!(await handle.stat()).isFile()) throw notRegular(wanted);
      if (!HAS_DESCRIPTOR_PATHS && !isInside(this.#truePath, await realpath(wanted))) throw leadsOut(this.path, wanted);
      const opened = handle;
      handle = undefined;
      return opened;
    } catch (error) {
      const code = errorCodeOf(error);
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
      if (code === 'ELOOP' || code === 'EISDIR' || code === 'ENXIO') throw notRegular(wanted);
      throw asNoPath(error);
    } finally {
      await handle?.close();
    }
  }
}

const placeIn = (directory: FileHandle, wanted: string): string =>
  HAS_DESCRIPTOR_PATHS ? `${DESCRIPTORS}/${directory.fd}/${path.basename(wanted)}` : wanted;

async function findIn(directory: FileHandle, wanted: string): Promise<boolean> {
  try {
    if ((await lstat(placeIn(directory, wanted))).isFile()) return true;
  } catch (error) {
    const code = errorCodeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    throw asNoPath(error);
  }
  throw notRegular(wanted);
}

async function openDirectory(place: string): Promise<FileHandle | undefined> {
  try {
    return await open(place, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    const code = errorCodeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw asNoPath(error);
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

function asNoPath(error: unknown): unknown {
  const code = errorCodeOf(error);
  if (code !== 'ERR_INVALID_ARG_VALUE' && code !== 'ENAMETOOLONG') return error;
  return new SessionError('VALIDATION', 'a path inside the store holds a NUL byte or is too long', { cause: error });
}

function notRegular(wanted: string): SessionError {
  return new SessionError('DAMAGED', `${wanted} is not a regular file`, {
    facts: { path: wanted },
    hint: 'links, directories and devices are not followed here; move it out of the sessions directory',
  });
}
