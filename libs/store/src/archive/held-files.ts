/**
 * Files of one store that one piece of work has for itself: lines on their way to them are written
 * first, later ones wait, and no other work sets them aside or removes them. What such a file holds is
 * counted once it is held, so a decision can be made of facts and the journal can hold results.
 *
 * Appends to a held transcript wait for the length of the work: reading it once, some syncs.
 */
import { constants } from 'node:fs';
import * as path from 'node:path';
import { SessionError, insideSessionsDir, type ArchiveKind } from '@sessions/domain';
import { hasErrorCode, type FileSystem } from '../files/file-system';
import { assertRealDirectory } from '../files/real-directories';
import { byteSourceOf, type ByteSource } from '../transcript/byte-source';
import type { TranscriptFiles } from '../transcript/transcript-files';
import type { HeldBytes, HeldFile, HeldView, StagedTranscript, TranscriptTail } from '../types';
import { freeArchiveFile, isLiveTranscript } from './archive-files';
import { hashOf } from './hash-file';
import { stageTranscript, type Piece } from './stage-transcript';

/** Files of one piece of work: a session's transcript, sidecars and archives. */
export const HELD_FILES_MAX = 64;
const NANOS_PER_MS = 1_000_000n;
const NOTHING: TranscriptTail = { kind: 'none', leafId: null, messages: 0, exchanges: 0, bytes: 0 };

export interface HoldRequest {
  /** Name inside the store's directory. */
  readonly file: string;
  /** What it becomes should it be set aside; `deleted` when absent. */
  readonly kind?: ArchiveKind;
  /** The bytes are not read: for files that are removed. */
  readonly nameOnly?: boolean;
}

export interface FileHolderOptions {
  readonly fs: FileSystem;
  readonly dir: string;
  readonly ownDir: string;
  readonly epoch: number;
  readonly transcripts: TranscriptFiles;
  readonly nowMs: () => number;
}

/** Hands files out to one holder at a time. */
export class FileHolder {
  readonly #options: FileHolderOptions;
  /** Sidecars and archives; transcripts are held where they are written. */
  readonly #holds = new Map<string, Promise<void>>();

  constructor(options: FileHolderOptions) {
    this.#options = options;
  }

  /** @throws VALIDATION for a name outside the store; what `TranscriptFiles.hold` throws; DAMAGED for what is no regular file. */
  async hold(requests: readonly HoldRequest[]): Promise<HeldFiles> {
    const byName = new Map(requests.map((request) => [request.file, request]));
    if (byName.size > HELD_FILES_MAX) throw new SessionError('VALIDATION', `more than ${HELD_FILES_MAX} files at once`);
    for (const file of byName.keys()) {
      if (insideSessionsDir(file) !== file) throw new SessionError('VALIDATION', 'a file is no file of this store', { facts: { fileLength: file.length } });
    }
    const held = new HeldFiles(this.#options);
    try {
      for (const folder of new Set([...byName.keys()].map((file) => path.dirname(path.join(this.#options.dir, file))))) await assertRealDirectory(folder);
      // In one order for all, so that two holders never wait for each other.
      for (const file of [...byName.keys()].sort()) await this.#take(held, byName.get(file) as HoldRequest);
      return held;
    } catch (error) {
      await held.letGo(new Set());
      throw error;
    }
  }

  async #take(held: HeldFiles, request: HoldRequest): Promise<void> {
    const { fs, dir, transcripts, nowMs } = this.#options;
    const { file, kind = 'deleted', nameOnly = false } = request;
    const isTranscript = isLiveTranscript(file);
    const tail = isTranscript ? await transcripts.hold(file) : NOTHING;
    const release = isTranscript ? (changed: boolean) => transcripts.letGo(file, changed) : await this.#takeName(file);
    held.own(file, release);
    const found = await look(fs, path.join(dir, file), nameOnly);
    const asideAs = found === undefined ? '' : await freeArchiveFile(fs, dir, file, kind, nowMs());
    held.put({ file, found, asideAs, tail });
  }

  async #takeName(file: string): Promise<() => Promise<void>> {
    for (let hold = this.#holds.get(file); hold !== undefined; hold = this.#holds.get(file)) await hold;
    let end: () => void = () => undefined;
    this.#holds.set(file, new Promise((resolve) => (end = resolve)));
    return () => {
      this.#holds.delete(file);
      end();
      return Promise.resolve();
    };
  }
}

export class HeldFiles implements HeldView {
  readonly #options: FileHolderOptions;
  readonly #files = new Map<string, HeldFile>();
  readonly #releases = new Map<string, (changed: boolean) => Promise<void>>();
  readonly #staged: string[] = [];

  constructor(options: FileHolderOptions) {
    this.#options = options;
  }

  get(file: string): HeldFile {
    const held = this.#files.get(file);
    if (held === undefined) throw new Error(`${file} is not held`);
    return held;
  }

  has(file: string): boolean {
    return this.#files.has(file);
  }

  get names(): readonly string[] {
    return [...this.#files.keys()];
  }

  own(file: string, release: (changed: boolean) => Promise<void>): void {
    this.#releases.set(file, release);
  }

  put(held: HeldFile): void {
    this.#files.set(held.file, held);
  }

  /** Reads a held file. */
  async read<T>(file: string, use: (source: ByteSource, bytes: number) => Promise<T>): Promise<T> {
    const { fs, dir } = this.#options;
    const fd = await fs.open(path.join(dir, this.get(file).file), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      return await use(byteSourceOf(fs, fd), await fs.size(fd));
    } finally {
      await fs.close(fd);
    }
  }

  /** Writes a new transcript aside, complete and synced; it is removed again unless a mutation puts it into its place. */
  async stage(pieces: AsyncIterable<Piece> | Iterable<Piece>): Promise<StagedTranscript> {
    const { fs, ownDir, epoch } = this.#options;
    const staged = await stageTranscript({ fs, ownDir, epoch, pieces });
    this.#staged.push(staged.name);
    return staged;
  }

  /** @param changed files whose names stand for something else now. @param installed staged files that a record names. */
  async letGo(changed: ReadonlySet<string>, installed: ReadonlySet<string> = new Set()): Promise<void> {
    for (const name of this.#staged.splice(0)) {
      if (!installed.has(name)) await this.#options.fs.unlink(path.join(this.#options.ownDir, name)).catch(() => undefined);
    }
    for (const [file, release] of this.#releases) await release(changed.has(file));
    this.#releases.clear();
  }
}

/** @throws DAMAGED when a link, directory or device stands there. */
async function look(fs: FileSystem, file: string, nameOnly: boolean): Promise<HeldBytes | undefined> {
  let found;
  try {
    found = await fs.identify(file);
  } catch (cause) {
    if (!hasErrorCode(cause, 'ENOTREG')) throw cause;
    throw new SessionError('DAMAGED', `${file} is not a regular file; it is left alone`, { facts: { path: file }, cause });
  }
  if (found === undefined) return undefined;
  const mtimeMs = Number(found.mtimeNs / NANOS_PER_MS);
  return nameOnly ? { bytes: found.size, mtimeMs, sha256: '' } : { mtimeMs, ...(await hashOf(fs, file)) };
}
