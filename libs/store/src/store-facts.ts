/**
 * What maintenance plans are made from: every row, the name of every file of the
 * directory, every line of the archive manifest. Each is read in slices with other work
 * between them; memory grows with the names of the directory, never with entries or transcripts.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { isTempFileName, type StoreLayout } from './files/layout';
import { hasErrorCode, type FileSystem } from './files/file-system';
import { mayBeStoreName, storesAmong } from './files/neighbour-stores';
import { inspectTranscriptLock } from './files/transcript-lock';
import { ManifestRecords, type ArchiveRecord } from './archive/manifest-records';
import { LoopSlice } from './loop-slice';
import type { IndexReader, OrderedRow } from './session-index/index-reader';

/** Rows read at a time. */
const ROWS_PER_QUERY = 100;
/** Files looked at in one go. */
const FILES_AT_ONCE = 32;
/** Names that one read of a directory brings. */
const NAMES_PER_READ = 256;
/** A temp file that is older belongs to nobody. */
export const TEMP_FILE_MS = 5 * 60_000;
const TRANSCRIPTS_FOLDER = 'transcripts';

export interface DirectoryFile {
  /** Below the store's directory. */
  readonly name: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
}

export interface StoreFactsParts {
  readonly fs: FileSystem;
  readonly layout: StoreLayout;
  readonly reader: Pick<IndexReader, 'factRows' | 'dueRows' | 'openWork'>;
  readonly nowMs: () => number;
  /** Resolves when the index has everything acknowledged. */
  readonly upToDate: () => Promise<void>;
}

export class StoreFacts {
  readonly #parts: StoreFactsParts;
  readonly #manifest: ManifestRecords;

  constructor(parts: StoreFactsParts) {
    this.#parts = parts;
    this.#manifest = new ManifestRecords(parts.fs, parts.layout);
  }

  /** All rows, those that no list shows too, in the order in which they lie: each is read once, some at a time. */
  async *rows(): AsyncGenerator<readonly OrderedRow[]> {
    yield* this.#some((after) => this.#parts.reader.factRows(after, ROWS_PER_QUERY));
  }

  /** Those of ended sub-agents whose archive is due by then, some at a time. */
  async *dueRows(nowMs: number): AsyncGenerator<readonly OrderedRow[]> {
    yield* this.#some((after) => this.#parts.reader.dueRows(nowMs, after, ROWS_PER_QUERY));
  }

  async *#some(read: (after: number) => readonly OrderedRow[]): AsyncGenerator<readonly OrderedRow[]> {
    await this.#parts.upToDate();
    const slice = new LoopSlice();
    for (let after = Number.MIN_SAFE_INTEGER; ; ) {
      const rows = read(after);
      const last = rows.at(-1);
      if (last === undefined) return;
      yield rows;
      after = last.id;
      if (slice.isOver()) await slice.rest();
    }
  }

  /** Entries that hold work which has not ended (`OPEN_WORK_MEMBERS`), by an index of their own. */
  async *openWork(): AsyncGenerator<{ readonly key: string; readonly text: string; readonly sessionId: string | null }> {
    await this.#parts.upToDate();
    for (let after = Number.MIN_SAFE_INTEGER; ; ) {
      const rows = this.#parts.reader.openWork(after, ROWS_PER_QUERY);
      yield* rows;
      const last = rows.at(-1);
      if (last === undefined) return;
      after = last.id;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Names of the regular files directly in the store's directory and in `transcripts/`, some at a time; links and directories are left out. */
  async *fileNames(): AsyncGenerator<readonly string[]> {
    for (const folder of ['', TRANSCRIPTS_FOLDER]) {
      let some: string[] = [];
      for await (const item of await openDirectory(path.join(this.#parts.layout.dir, folder))) {
        if (item.isFile()) some.push(path.posix.join(folder, item.name));
        if (some.length < NAMES_PER_READ) continue;
        yield some;
        some = [];
      }
      if (some.length > 0) yield some;
    }
  }

  /** Names of other stores in the directory, as far as the names of its files tell: their transcripts stand there too. */
  async neighbours(names: Iterable<string>): Promise<readonly string[]> {
    const { fs: disk, layout } = this.#parts;
    return storesAmong(disk, layout, [...names].filter((name) => mayBeStoreName(layout, name)));
  }

  /** What is known of these files now, FILES_AT_ONCE of them looked at at a time; those that are gone, or no regular files any more, are left out. */
  async look(names: readonly string[]): Promise<DirectoryFile[]> {
    const found: DirectoryFile[] = [];
    for (let at = 0; at < names.length; at += FILES_AT_ONCE) found.push(...(await this.#look(names.slice(at, at + FILES_AT_ONCE))));
    return found;
  }

  /** Lines of the manifest, newest first; those that were read before are not read again. */
  archiveRecords(): AsyncGenerator<ArchiveRecord> {
    return this.#manifest.newestFirst();
  }

  /** True while a living process of somebody else holds the transcript. */
  async isLockedByOthers(file: string): Promise<boolean> {
    const { fs: disk, layout, nowMs } = this.#parts;
    const found = await inspectTranscriptLock(`${path.join(layout.dir, file)}.lock`, { fs: disk, epoch: 0, nowMs });
    return found.state === 'live' && found.holder?.pid !== process.pid;
  }

  /** Removes a temp file of the sessions file that nobody wants any more. @returns its bytes; undefined: it is none, or young. */
  async removeStaleTemp(name: string): Promise<number | undefined> {
    const { fs: disk, layout, nowMs } = this.#parts;
    if (!name.startsWith(`${path.basename(layout.sessionsFile)}.`) || name.includes('/') || !isTempFileName(name)) return undefined;
    const [found] = await this.#look([name]);
    if (found === undefined || nowMs() - found.mtimeMs <= TEMP_FILE_MS) return undefined;
    await disk.unlink(path.join(layout.dir, name));
    return found.sizeBytes;
  }

  async #look(names: readonly string[]): Promise<DirectoryFile[]> {
    const { fs: disk, layout } = this.#parts;
    const found = await Promise.all(
      names.map(async (name) => {
        const identity = await disk.identify(path.join(layout.dir, name)).catch(() => undefined);
        return identity === undefined ? [] : [{ name, sizeBytes: identity.size, mtimeMs: Number(identity.mtimeNs / 1_000_000n) }];
      }),
    );
    return found.flat();
  }
}

async function openDirectory(place: string): Promise<AsyncIterable<fs.Dirent>> {
  try {
    const stats = await fs.promises.lstat(place);
    return stats.isDirectory() ? await fs.promises.opendir(place, { bufferSize: NAMES_PER_READ }) : nothing();
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return nothing();
    throw error;
  }
}

async function* nothing(): AsyncGenerator<fs.Dirent> {
  // A store without this folder.
}
