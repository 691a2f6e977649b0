/**
 * Looks into one working directory and nothing else: regular files and directories that are reached
 * through no link, and files that have no second name elsewhere. An agent, or what it ran, wrote what
 * stands there.
 *
 * Order: the thing is opened first and asked where it truly is; only then it is looked at. What is
 * swapped in between changes nothing. Relies on /proc/self/fd (Linux); elsewhere the true path of the
 * name is compared instead.
 */
import { constants, existsSync, type Stats } from 'node:fs';
import { lstat, open, opendir, readlink, realpath, type FileHandle } from 'node:fs/promises';
import * as path from 'node:path';

const DESCRIPTORS = '/proc/self/fd';
const HAS_DESCRIPTOR_PATHS = existsSync(DESCRIPTORS);
/** Names of one directory that are looked at. */
export const DIRECTORY_NAMES_MAX = 5_000;

export interface FoundFile {
  readonly kind: 'file' | 'directory';
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly updatedAtMs: number;
}

export interface FoundNames {
  /** Regular files and directories only, directories first, then by name. */
  readonly names: readonly Pick<FoundFile, 'kind' | 'name'>[];
  readonly truncated: boolean;
}

/** An open working directory. Close it when done. */
export class Workspace {
  readonly #directory: FileHandle;
  readonly #truePath: string;

  private constructor(directory: FileHandle, truePath: string) {
    this.#directory = directory;
    this.#truePath = truePath;
  }

  /**
   * @param root absolute; may itself be reached by links
   * @param below a directory in it that is held instead, with `/`; no part of it may be a link
   * @returns undefined when there is no such directory
   */
  static async hold(root: string, below = ''): Promise<Workspace | undefined> {
    const directory = await openDirectory(root, 0);
    if (directory === undefined) return undefined;
    const truePath = await truePathOf(directory, root);
    if (below === '') return new Workspace(directory, truePath);
    await directory.close();
    const place = path.join(truePath, below);
    const inner = await openDirectory(place, constants.O_NOFOLLOW);
    if (inner === undefined) return undefined;
    if ((await truePathOf(inner, place)) === place) return new Workspace(inner, place);
    await inner.close();
    return undefined;
  }

  close(): Promise<void> {
    return this.#directory.close();
  }

  /** @param relative below the root, with `/`; empty: the root */
  find(relative: string): Promise<FoundFile | undefined> {
    return this.#opened(relative, (_handle, found) => Promise.resolve(found));
  }

  /** What stands in a directory; undefined: it is none. */
  names(relative: string): Promise<FoundNames | undefined> {
    return this.#opened(relative, async (handle, { kind }, place) => {
      if (kind !== 'directory') return undefined;
      const names: Pick<FoundFile, 'kind' | 'name'>[] = [];
      let count = 0;
      for await (const each of await opendir(HAS_DESCRIPTOR_PATHS ? `${DESCRIPTORS}/${String(handle.fd)}` : place)) {
        if ((count += 1) > DIRECTORY_NAMES_MAX) break;
        if (each.isFile() || each.isDirectory()) names.push({ name: each.name, kind: each.isFile() ? 'file' : 'directory' });
      }
      return { names: names.sort(byKindAndName), truncated: count > DIRECTORY_NAMES_MAX };
    });
  }

  /** The bytes of a regular file; `too-large` above `bytesMax`; undefined: there is none. */
  read(relative: string, bytesMax: number): Promise<{ readonly found: FoundFile; readonly content: Buffer | 'too-large' } | undefined> {
    return this.#opened(relative, async (handle, found) => {
      if (found.kind !== 'file') return undefined;
      if (found.size > bytesMax) return { found, content: 'too-large' };
      const buffer = Buffer.alloc(bytesMax + 1);
      let length = 0;
      for (;;) {
        const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
        length += bytesRead;
        // It may have grown since.
        if (length > bytesMax) return { found: { ...found, size: length }, content: 'too-large' };
        if (bytesRead === 0) return { found: { ...found, size: length }, content: buffer.subarray(0, length) };
      }
    });
  }

  async #opened<T>(relative: string, use: (handle: FileHandle, found: FoundFile, place: string) => Promise<T>): Promise<T | undefined> {
    const place = path.join(this.#truePath, relative);
    let handle: FileHandle | undefined;
    try {
      // A device must not even be opened.
      if (kindOf(await lstat(place)) === undefined) return undefined;
      handle = await open(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      if ((await truePathOf(handle, place)) !== place) return undefined;
      const stats = await handle.stat();
      const kind = kindOf(stats);
      if (kind === undefined) return undefined;
      return await use(handle, { kind, name: path.basename(place), size: stats.size, updatedAtMs: Math.floor(stats.mtimeMs) }, place);
    } catch {
      // Gone meanwhile, or not for this process to read: it is not there.
      return undefined;
    } finally {
      await handle?.close();
    }
  }
}

const openDirectory = (place: string, flags: number): Promise<FileHandle | undefined> => open(place, constants.O_RDONLY | constants.O_DIRECTORY | flags).catch(() => undefined);

function kindOf(stats: Stats): FoundFile['kind'] | undefined {
  if (stats.isDirectory()) return 'directory';
  return stats.isFile() && stats.nlink === 1 ? 'file' : undefined;
}

function byKindAndName(a: Pick<FoundFile, 'kind' | 'name'>, b: Pick<FoundFile, 'kind' | 'name'>): number {
  if (a.kind !== b.kind) return a.kind === 'directory' ? -1 : 1;
  return a.name.localeCompare(b.name);
}

function truePathOf(handle: FileHandle, place: string): Promise<string> {
  return HAS_DESCRIPTOR_PATHS ? readlink(`${DESCRIPTORS}/${String(handle.fd)}`) : realpath(place);
}
