/**
 * What plans need of the lines of the archive manifest. Plans are made often, and lines are only ever
 * added: what was read once is kept, and the next reading goes on where the last one ended. A manifest
 * of more than RECORDS_KEPT_MAX lines is read whole each time. Reads only; memory alone is lost with it.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { hasErrorCode, type FileSystem } from '../files/file-system';
import type { StoreLayout } from '../files/layout';
import { LoopSlice } from '../loop-slice';
import { linesBackwards, type RawLine } from '../transcript/backward-reader';
import { byteSourceOf } from '../transcript/byte-source';
import { parseManifestLine } from './manifest';

/** Lines whose records are kept, some 200 bytes each. */
export const RECORDS_KEPT_MAX = 100_000;
/** Records between two looks at the clock. */
const RECORDS_PER_LOOK = 500;

/** What a plan needs of a manifest line. */
export interface ArchiveRecord {
  readonly atMs: number;
  readonly reason: string;
  /** Null: it is about no row. */
  readonly key: string | null;
  /** Null: it is about no session. */
  readonly sessionId: string | null;
  /** Who asked for it, as a call names its caller. */
  readonly actor: string;
}

/** The lines up to some place, and by what that place is known again. */
interface Kept {
  /** An erasure puts another file in its place. */
  readonly inode: bigint;
  /** Of the last line's first byte. */
  readonly offset: number;
  /** Of the last line. */
  readonly hash: string;
  /** Oldest first. */
  readonly records: readonly ArchiveRecord[];
}

export class ManifestRecords {
  readonly #fs: FileSystem;
  readonly #file: string;
  #kept: Kept | undefined;

  constructor(fs: FileSystem, layout: Pick<StoreLayout, 'manifestFile'>) {
    this.#fs = fs;
    this.#file = layout.manifestFile;
  }

  /** All of them, newest first. */
  async *newestFirst(): AsyncGenerator<ArchiveRecord> {
    const inode = (await this.#fs.identify(this.#file))?.inode ?? 0n;
    let fd: number;
    try {
      fd = await this.#fs.open(this.#file, constants.O_RDONLY | constants.O_NOFOLLOW);
    } catch (error) {
      if (hasErrorCode(error, 'ENOENT')) return;
      throw error;
    }
    try {
      yield* this.#read(fd, inode);
    } finally {
      await this.#fs.close(fd);
    }
  }

  async *#read(fd: number, inode: bigint): AsyncGenerator<ArchiveRecord> {
    const kept = this.#kept?.inode === inode ? this.#kept : undefined;
    const fresh: ArchiveRecord[] = [];
    let count = 0;
    let newest: RawLine | undefined;
    let goesOn = false;
    reading: for await (const batch of linesBackwards(byteSourceOf(this.#fs, fd), await this.#fs.size(fd))) {
      for (const line of batch) {
        // The same line at the same place: what stands before it has been read. Else another file took its place.
        if (kept !== undefined && line.offset === kept.offset && hashOf(line) === kept.hash) {
          goesOn = true;
          break reading;
        }
        newest ??= line;
        const record = recordOf(line);
        if (record === undefined) continue;
        count += 1;
        if (count <= RECORDS_KEPT_MAX) fresh.push(record);
        yield record;
      }
    }
    const before = goesOn && kept !== undefined ? kept.records : [];
    yield* backwards(before);
    if (goesOn && newest === undefined) return;
    const isKept = newest !== undefined && count + before.length <= RECORDS_KEPT_MAX;
    this.#kept = isKept ? { inode, offset: newest?.offset ?? 0, hash: newest === undefined ? '' : hashOf(newest), records: [...before, ...fresh.reverse()] } : undefined;
  }
}

async function* backwards(records: readonly ArchiveRecord[]): AsyncGenerator<ArchiveRecord> {
  const slice = new LoopSlice();
  for (let at = records.length - 1; at >= 0; at -= 1) {
    yield records[at] as ArchiveRecord;
    if (at % RECORDS_PER_LOOK === 0 && slice.isOver()) await slice.rest();
  }
}

function recordOf({ content }: RawLine): ArchiveRecord | undefined {
  const line = content === undefined ? undefined : parseManifestLine(content.toString('utf8'));
  return line === undefined ? undefined : { atMs: line.at, reason: line.reason, key: line.key, sessionId: line.sessionId, actor: line.actor };
}

/** One that is too long to be collected is known by its length. */
const hashOf = ({ content, bytes }: RawLine): string => (content === undefined ? `${String(bytes)} bytes` : createHash('sha256').update(content).digest('hex'));
