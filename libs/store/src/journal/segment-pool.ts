/**
 * Segment files of the journal: 4 MiB, zero-filled once, then overwritten and recycled by renaming.
 * Overwriting changes no length, so a synced write costs one data write and one flush and nothing
 * of the file system's own journal.
 *
 * Owns `journal-spare-<epoch>-<n>.log`. A spare's bytes mean nothing; losing one costs a zero-fill. Files
 * of an earlier owner are removed, never reused: it may be asleep with one of them open. They are
 * removed before its journal is read: an owner that wakes up then finds nothing that it could make a
 * segment of, and one that it would make anew its fence refuses.
 */
import { constants } from 'node:fs';
import * as path from 'node:path';
import type { FileSystem } from '../files/file-system';
import { epochOfSpare, parseSegmentName, segmentFileName, spareFileName } from '../files/layout';

export const SEGMENT_BYTES = 4 * 1024 * 1024;
/** Spares kept ready, 80 MiB: what a store fills until its journal is long, and during the checkpoint that this brings. Further recycled segments are unlinked. */
const SPARES_MAX = 20;
const FILL_STEP_BYTES = 1024 * 1024;
const FILE_MODE = 0o600;

export interface ActiveFile {
  readonly fd: number;
  readonly path: string;
  readonly firstSeq: number;
}

export class SegmentPool {
  readonly #fs: FileSystem;
  readonly #dir: string;
  readonly #epoch: number;
  #spares: string[] = [];
  #nextSpare = 1;
  #filling: Promise<void> | undefined;
  /** Segments begun since the last checkpoint. */
  #taken = 0;
  /** Spares worth keeping: what the busiest interval of late took. */
  #wanted = 0;

  constructor(fs: FileSystem, dir: string, epoch: number) {
    this.#fs = fs;
    this.#dir = dir;
    this.#epoch = epoch;
  }

  /** Removes the spares that earlier owners left. */
  async removeInherited(): Promise<void> {
    for (const name of await this.#fs.readdir(this.#dir)) {
      const epoch = epochOfSpare(name);
      if (epoch !== undefined && epoch !== this.#epoch) await this.#fs.unlink(path.join(this.#dir, name));
    }
  }

  /** Zero-fills one spare unless one is ready; errors are kept for the next `take`. */
  prepare(): void {
    if (this.#spares.length > 0 || this.#filling !== undefined) return;
    this.#filling = this.#fill().then(
      (file) => {
        this.#spares.push(file);
      },
      () => undefined,
    ).finally(() => {
      this.#filling = undefined;
    });
  }

  /** Resolves when no zero-fill is under way. */
  async settled(): Promise<void> {
    await this.#filling;
  }

  /**
   * A segment file under its final name, open for synced writes; its directory entry is durable.
   * @param fence called once the spare is there, right before it becomes a segment: throws when a newer owner is known.
   * @throws the file system's error (ENOSPC, EROFS …); nothing was acknowledged by it then.
   */
  async take(firstSeq: number, fence: () => void): Promise<ActiveFile> {
    await this.#filling;
    const spare = this.#spares.pop() ?? (await this.#fill());
    fence();
    this.#taken += 1;
    const target = path.join(this.#dir, segmentFileName({ epoch: this.#epoch, firstSeq }));
    await this.#fs.rename(spare, target);
    await this.#fs.syncDirectory(this.#dir);
    const fd = await this.#fs.open(target, constants.O_RDWR | constants.O_DSYNC | constants.O_NOFOLLOW);
    return { fd, path: target, firstSeq };
  }

  /** Gives a segment back whose records no replay needs any more. */
  async recycle(file: string): Promise<void> {
    const identity = await this.#fs.identify(file);
    if (identity === undefined) return;
    const isOurs = parseSegmentName(path.basename(file))?.epoch === this.#epoch;
    if (!isOurs || identity.size !== SEGMENT_BYTES || this.#spares.length >= SPARES_MAX) {
      await this.#fs.unlink(file);
      return;
    }
    const spare = this.#spareName();
    await this.#fs.rename(file, spare);
    this.#spares.push(spare);
  }

  /** A checkpoint is over: spares for another interval as busy as those before stay, one fewer with each quieter one. */
  async trim(): Promise<void> {
    this.#wanted = Math.max(this.#taken + 1, this.#wanted - 1);
    this.#taken = 0;
    // One that cannot be removed is the next owner's to remove.
    while (this.#spares.length > this.#wanted) await this.#fs.unlink(this.#spares.pop() as string).catch(() => undefined);
  }

  #spareName(): string {
    const name = spareFileName(this.#epoch, this.#nextSpare);
    this.#nextSpare += 1;
    return path.join(this.#dir, name);
  }

  async #fill(): Promise<string> {
    const file = this.#spareName();
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const fd = await this.#fs.open(file, flags, FILE_MODE);
    try {
      const zeros = Buffer.alloc(FILL_STEP_BYTES);
      for (let at = 0; at < SEGMENT_BYTES; at += FILL_STEP_BYTES) await this.#fs.writeAll(fd, [zeros], at);
      await this.#fs.fsync(fd);
    } catch (error) {
      await this.#fs.close(fd);
      await this.#fs.unlink(file).catch(() => undefined);
      throw error;
    }
    await this.#fs.close(fd);
    return file;
  }
}
