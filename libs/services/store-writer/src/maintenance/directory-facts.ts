/**
 * The files of one store's directory as facts are gathered from them: the names are read; how large they
 * are is looked up for candidates only, unless a disk budget asks how large the store is.
 */
import { parseStoreFile, unreferencedClass, type FileClass } from '@sessions/domain';
import { LoopSlice, type DirectoryFile, type StoreFacts } from '@sessions/store';
import type { FactsQuery, GatheredTotals } from './gather-facts';

/** Other stores of the directory that are named. */
const NEIGHBOURS_MAX = 10;
/** Files that are looked at together. */
const FILES_AT_ONCE = 64;

export interface CandidateFile extends DirectoryFile {
  readonly fileClass: FileClass;
  readonly stampAtMs: number | undefined;
}

export class DirectoryFacts {
  readonly #facts: Pick<StoreFacts, 'fileNames' | 'neighbours' | 'look'>;
  readonly #names = new Set<string>();
  /** Those that were looked at. */
  readonly #looked = new Map<string, DirectoryFile>();
  /** Transcripts whose lock file is there. */
  readonly #locked = new Set<string>();

  constructor(facts: Pick<StoreFacts, 'fileNames' | 'neighbours' | 'look'>) {
    this.#facts = facts;
  }

  /** To be called once, before anything else. @param totals what the directory says of them is filled in. */
  async read({ fileClasses, evictBytes }: Pick<FactsQuery, 'fileClasses' | 'evictBytes'>, totals: GatheredTotals): Promise<void> {
    const slice = new LoopSlice();
    for await (const names of this.#facts.fileNames()) {
      if (slice.isOver()) await slice.rest();
      totals.fileCount += names.length;
      for (const name of names) {
        if (name.endsWith('.lock')) this.#locked.add(name.slice(0, -'.lock'.length));
        else this.#names.add(name);
      }
    }
    if (fileClasses.size > 0) totals.neighbours.push(...(await this.#facts.neighbours(this.#names)).slice(0, NEIGHBOURS_MAX));
    if (evictBytes !== undefined) await this.#sumUp(totals);
  }

  /** The lock file of a transcript is there. */
  isLocked(file: string): boolean {
    return this.#locked.has(file);
  }

  /** 0 for a file that is not there, or was not looked at. */
  sizeOf(name: string): number {
    return this.#looked.get(name)?.sizeBytes ?? 0;
  }

  async look(names: readonly string[]): Promise<void> {
    const unknown = names.filter((name) => this.#names.has(name) && !this.#looked.has(name));
    for (const file of await this.#facts.look(unknown)) this.#looked.set(file.name, file);
  }

  /**
   * Files of the classes asked for, by name.
   * @param referenced session ids and file names that something refers to.
   * @param hasNeighbours other stores have their files here, too.
   */
  async *candidates({ fileClasses, filesBeforeMs }: Pick<FactsQuery, 'fileClasses' | 'filesBeforeMs'>, referenced: ReadonlySet<string>, hasNeighbours: boolean): AsyncGenerator<CandidateFile> {
    if (fileClasses.size === 0) return;
    const slice = new LoopSlice();
    let some: Omit<CandidateFile, 'sizeBytes' | 'mtimeMs'>[] = [];
    for (const name of this.#names) {
      if (slice.isOver()) await slice.rest();
      // Most are: what these are need not be found out.
      if (name.endsWith('.jsonl') && referenced.has(name)) continue;
      const parsed = parseStoreFile(name);
      if (parsed === undefined) continue;
      const isArchive = parsed.kind === 'archive' || parsed.kind === 'index-backup';
      // Another store's files are its own to judge: of a directory with several, only archives of sessions that this one knows.
      if (hasNeighbours && !(isArchive && parsed.sessionIds.some((id) => referenced.has(id)))) continue;
      const fileClass = isArchive ? parsed.fileClass : unreferencedClass(name, (idOrName) => referenced.has(idOrName));
      if (fileClass === undefined || !fileClasses.has(fileClass)) continue;
      some.push({ name, fileClass, stampAtMs: parsed.stampAtMs });
      if (some.length < FILES_AT_ONCE) continue;
      yield* await this.#lookedAt(some, filesBeforeMs);
      some = [];
    }
    yield* await this.#lookedAt(some, filesBeforeMs);
  }

  async #lookedAt(files: readonly Omit<CandidateFile, 'sizeBytes' | 'mtimeMs'>[], beforeMs: number | undefined): Promise<CandidateFile[]> {
    await this.look(files.map(({ name }) => name));
    return files.flatMap((file) => {
      const found = this.#looked.get(file.name);
      if (found === undefined || (beforeMs !== undefined && (file.stampAtMs ?? found.mtimeMs) >= beforeMs)) return [];
      return [{ ...file, ...found }];
    });
  }

  /** Every file is looked at. */
  async #sumUp(totals: GatheredTotals): Promise<void> {
    const slice = new LoopSlice();
    const names = [...this.#names];
    for (let at = 0; at < names.length; at += FILES_AT_ONCE) {
      const some = names.slice(at, at + FILES_AT_ONCE);
      await this.look(some);
      if (slice.isOver()) await slice.rest();
      for (const name of some) {
        const sizeBytes = this.#looked.get(name)?.sizeBytes ?? 0;
        totals.totalBytes += sizeBytes;
        const kind = parseStoreFile(name)?.kind;
        if (kind === 'archive') totals.archiveBytes += sizeBytes;
        if (kind === 'transcript') totals.transcriptBytes += sizeBytes;
      }
    }
  }
}
