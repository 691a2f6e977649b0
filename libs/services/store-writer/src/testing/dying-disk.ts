/** For processes of spec files that die: the disk as it is, until `kill -9` at the n-th call that changes it; a write is half done then. */
import { constants } from 'node:fs';
import type { OpenStoreOptions } from '@sessions/store';

type FileSystem = NonNullable<OpenStoreOptions['fileSystem']>;

export interface DyingDisk {
  readonly fileSystem: FileSystem;
  /** Calls from here on count. */
  count(): void;
  readonly steps: number;
}

/** @param dieAt from 1; 0: never. */
export function dyingAt(disk: FileSystem, dieAt: number): DyingDisk {
  let isCounting = false;
  let steps = 0;
  const isLast = (): boolean => isCounting && (steps += 1) === dieAt;
  const die = (): void => void process.kill(process.pid, 'SIGKILL');
  const before = <A extends readonly unknown[], R>(call: (...args: A) => R) => (...args: A): R => {
    if (isLast()) die();
    return call(...args);
  };
  const fileSystem: FileSystem = {
    ...disk,
    open: (path, flags, mode) => ((flags & (constants.O_CREAT | constants.O_TRUNC)) === 0 ? disk.open(path, flags, mode) : before(disk.open)(path, flags, mode)),
    async writeAll(fd, buffers, position) {
      if (!isLast()) return disk.writeAll(fd, buffers, position);
      const all = Buffer.concat(buffers);
      await disk.writeAll(fd, [all.subarray(0, all.length >> 1)], position);
      die();
    },
    fdatasync: before(disk.fdatasync),
    fsync: before(disk.fsync),
    truncate: before(disk.truncate),
    rename: before(disk.rename),
    link: before(disk.link),
    unlink: before(disk.unlink),
    mkdir: before(disk.mkdir),
    syncDirectory: before(disk.syncDirectory),
  };
  return {
    fileSystem,
    count: () => (isCounting = true),
    get steps() {
      return steps;
    },
  };
}
