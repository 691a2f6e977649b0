/**
 * The facts of one store, gathered in one pass over its rows and one over its directory: they count and
 * learn what refers to what; then the candidates are given in the order of their age. No entry is read:
 * what a plan or its table may want to know of it stands beside it in the index, some hundred bytes,
 * which are kept while facts are given. Of files the names are read; how large they are is looked up
 * for candidates only, unless a disk budget asks how large the store is.
 */
import { EXCEPTION_KEYS_MAX, PROTECTIONS, ROW_FLAGS, isAutomaticActor, isSyntheticKey, parseStoreFile, rowProtections, unreferencedClass, type FileClass, type Protection, type ProtectedRows } from '@sessions/domain';
import type { DirectoryFile, OrderedRow, StoreFacts, StoreFiles } from '@sessions/store';
import { sidecarsOf } from '../decisions/session-files';
import { lookAtTranscript, type LookedAt } from './look-at-transcript';
import { SortedRuns } from './sorted-runs';

/** Reason of the manifest line that an announcement leaves. */
export const ANNOUNCE_UNLINK = 'announce-unlink';
/** The same of the announcement that a bound will take sessions. */
export const ANNOUNCE_BOUNDS = 'announce-bounds';
/** Reasons of lines about rows that a limit took. */
const BY_LIMIT: ReadonlySet<string> = new Set(['prune-stale', 'cap-overflow', 'evict-budget']);

/** Longest stretch of work without giving way, milliseconds. A message takes several turns of the loop, and waits as long for each. */
const SLICE_MS = 2;
/** Other stores of the directory that are named. */
const NEIGHBOURS_MAX = 10;
/** Rows whose files are looked at together. */
const ROWS_AT_ONCE = 64;

/** A store, as far as facts are gathered from it. */
export interface FactSource {
  readonly facts: Pick<StoreFacts, 'rows' | 'dueRows' | 'fileNames' | 'neighbours' | 'look' | 'archiveRecords' | 'isLockedByOthers'>;
  readonly files: Pick<StoreFiles, 'readTranscript'>;
}

export interface FactsQuery {
  readonly nowMs: number;
  readonly pruneBeforeMs: number | undefined;
  /** Protected rows that are older are exceptions. */
  readonly overAgeBeforeMs: number | undefined;
  readonly maxEntries: number | undefined;
  readonly cronRunsBeforeMs: number | undefined;
  readonly modelRunsBeforeMs: number | undefined;
  readonly dmScopeRows: boolean;
  readonly missingRows: boolean;
  readonly dueArchives: boolean;
  readonly fileClasses: ReadonlySet<string>;
  readonly filesBeforeMs: number | undefined;
  readonly evictBytes: number | undefined;
  readonly activeKey: string | undefined;
  /** Rows that are no candidates too: for tables. */
  readonly everyRow?: boolean;
}

export interface GatheredTotals {
  rowCount: number;
  protectedRowCount: number;
  protectedRows: ProtectedRows[];
  transcriptBytes: number;
  archiveBytes: number;
  totalBytes: number;
  fileCount: number;
  /** Other stores of the directory, NEIGHBOURS_MAX of them. */
  neighbours: string[];
  /** A row has the key that is to be spared; undefined: none was named. */
  hasNamed?: boolean;
  /** When the first unlinking of an archive was announced. */
  unlinkAnnouncedAtMs?: number;
  /** When it was announced that a bound will take sessions. */
  boundsAnnouncedAtMs?: number;
  /** An automatic run has taken a session for a limit before that needed notice. */
  removedBefore: boolean;
}

export interface CandidateRow {
  readonly row: OrderedRow;
  readonly protections: readonly Protection[];
  readonly bytes: number;
  readonly candidateFor: readonly string[];
  readonly lookedAt: LookedAt | undefined;
}

export interface CandidateFile extends DirectoryFile {
  readonly fileClass: FileClass;
  readonly stampAtMs: number | undefined;
}

export class FactGatherer {
  readonly #store: FactSource;
  readonly #query: FactsQuery;
  readonly #named: readonly string[];
  readonly #names = new Set<string>();
  /** Those that were looked at. */
  readonly #looked = new Map<string, DirectoryFile>();
  readonly #protected = new Map<Protection, { rowCount: number; overAgeCount: number; named: number; namedUpTo: number }>();
  /** Session ids and file names that something refers to. */
  readonly #referenced = new Set<string>();
  readonly #filesOfRows = new Set<string>();
  /** Transcripts of more than one row. */
  readonly #shared = new Set<string>();
  /** Oldest first; of equal ages the newest entry. */
  readonly #rows = new SortedRuns<KeptRow>(({ row: left }, { row: right }) => left.sortAt - right.sortAt || right.id - left.id);
  /** Transcripts whose lock file is there. */
  readonly #locked = new Set<string>();
  readonly totals: GatheredTotals = { rowCount: 0, protectedRowCount: 0, protectedRows: [], transcriptBytes: 0, archiveBytes: 0, totalBytes: 0, fileCount: 0, neighbours: [], removedBefore: false };

  constructor(store: FactSource, query: FactsQuery) {
    this.#store = store;
    this.#query = query;
    this.#named = query.activeKey === undefined ? [] : [query.activeKey];
    if (query.activeKey !== undefined) this.totals.hasNamed = false;
  }

  /** Reads everything; to be called once, before candidates are asked for. */
  async count(): Promise<GatheredTotals> {
    // Looked for every minute in every store: that is no occasion to look at every row and file.
    const isSweep = isSweepOnly(this.#query);
    if (!isSweep) await this.#readDirectory();
    const { facts } = this.#store;
    for await (const rows of isSweep ? facts.dueRows(this.#query.nowMs) : facts.rows()) {
      for (const row of rows) {
        this.#refer(row);
        // Few have a lock file: the others are not waited for.
        const mayBeHeld = row.file !== null && (isSweep || this.#locked.has(row.file));
        const isHeld = mayBeHeld && (await facts.isLockedByOthers(row.file as string).catch(() => true));
        const protections = rowProtections(row.key, row, { nowMs: this.#query.nowMs, isHeld, named: this.#named });
        if (protections.includes('named')) this.totals.hasNamed = true;
        this.#countProtected(protections, row);
        this.#rows.add({ row, protections: protections.length === 0 ? UNPROTECTED : protections });
      }
    }
    this.totals.protectedRows = PROTECTIONS.flatMap((protection): ProtectedRows[] => {
      const found = this.#protected.get(protection);
      return found === undefined ? [] : [{ protection, rowCount: found.rowCount, overAgeCount: found.overAgeCount }];
    });
    if (isSweep) return this.totals;
    for await (const { key, sessionId, reason, atMs, actor } of facts.archiveRecords()) {
      if (sessionId !== null) this.#referenced.add(sessionId);
      // What programs made for themselves goes without notice, so that it went is none either; what a person
      // asked to have cleaned up tells nobody that it will be done unasked.
      if (BY_LIMIT.has(reason) && isAutomaticActor(actor) && key !== null && !isSyntheticKey(key)) this.totals.removedBefore = true;
      if (reason === ANNOUNCE_BOUNDS && atMs <= this.#query.nowMs) this.totals.boundsAnnouncedAtMs = atMs;
      // Of a clock that was wrong: it has not begun, and is given again.
      if (reason === ANNOUNCE_UNLINK && atMs <= this.#query.nowMs) this.totals.unlinkAnnouncedAtMs = atMs;
    }
    return this.totals;
  }

  #refer({ file, sessionId, otherIds }: OrderedRow): void {
    this.totals.rowCount += 1;
    if (file !== null) {
      if (this.#filesOfRows.has(file)) this.#shared.add(file);
      this.#filesOfRows.add(file);
      this.#referenced.add(file);
    }
    if (sessionId !== null) this.#referenced.add(sessionId);
    if (otherIds !== null) for (const id of otherIds.split('\n')) this.#referenced.add(id);
  }

  /** Candidate rows, oldest first. */
  async *candidates(): AsyncGenerator<CandidateRow> {
    let some: Chosen[] = [];
    for await (const chosen of this.#choose()) {
      some.push(chosen);
      if (some.length < ROWS_AT_ONCE) continue;
      yield* await this.#withBytes(some);
      some = [];
    }
    yield* await this.#withBytes(some);
  }

  async *#choose(): AsyncGenerator<Chosen> {
    const { maxEntries, evictBytes, everyRow = false } = this.#query;
    const overCap = maxEntries === undefined || this.#isCapUnmet(maxEntries) ? 0 : Math.max(0, this.totals.rowCount - maxEntries);
    let unprotected = 0;
    let capEndsAt: number | undefined;
    let evicted = 0;
    const slice = new Slice();
    for (const { row, protections } of this.#rows.inOrder()) {
      if (slice.isOver()) await slice.rest();
      const agedMs = this.#agedMs(row);
      const candidateFor = this.#byKind(row, protections, agedMs);
      // Rows without a usable time count as now; of equal ages the plan takes the first keys.
      if (protections.length === 0 && agedMs < this.#query.nowMs) {
        unprotected += 1;
        if (unprotected === overCap) capEndsAt = agedMs;
        if (unprotected <= overCap || agedMs === capEndsAt) candidateFor.push('cap');
        if (evictBytes !== undefined && evicted < evictBytes) {
          candidateFor.push('evict');
          evicted += this.#bytesOf(row);
        }
      }
      const lookedAt = this.#query.missingRows ? await lookAtTranscript(this.#store, row.file, row.sessionId) : undefined;
      if (lookedAt !== undefined && (lookedAt.state !== 'present' || row.sessionId === null)) candidateFor.push('missing');
      if (candidateFor.length > 0 || everyRow) yield { row, protections, candidateFor, lookedAt };
    }
    // Too few rows have a time: those that count as now fill the rest.
    if (unprotected < overCap && !everyRow) yield* this.#timeless();
  }

  /** Then the cap takes none, unless protected rows go before because somebody asked for it. */
  #isCapUnmet(maxEntries: number): boolean {
    const { missingRows, dmScopeRows } = this.#query;
    return !missingRows && !dmScopeRows && this.totals.protectedRowCount >= maxEntries;
  }

  /** Candidate files of the classes asked for, by name. */
  async *candidateFiles(): AsyncGenerator<CandidateFile> {
    const { fileClasses, filesBeforeMs } = this.#query;
    if (fileClasses.size === 0) return;
    const slice = new Slice();
    let some: Omit<CandidateFile, 'sizeBytes' | 'mtimeMs'>[] = [];
    for (const name of this.#names) {
      if (slice.isOver()) await slice.rest();
      // Most are: what these are need not be found out.
      if (name.endsWith('.jsonl') && this.#referenced.has(name)) continue;
      const parsed = parseStoreFile(name);
      if (parsed === undefined) continue;
      const isArchive = parsed.kind === 'archive' || parsed.kind === 'index-backup';
      // Another store's files are its own to judge: of a directory with several, only archives of sessions that this one knows.
      if (this.totals.neighbours.length > 0 && !(isArchive && parsed.sessionIds.some((id) => this.#referenced.has(id)))) continue;
      const fileClass = isArchive ? parsed.fileClass : unreferencedClass(name, (idOrName) => this.#referenced.has(idOrName));
      if (fileClass === undefined || !fileClasses.has(fileClass)) continue;
      some.push({ name, fileClass, stampAtMs: parsed.stampAtMs });
      if (some.length < ROWS_AT_ONCE) continue;
      yield* await this.#lookedAt(some, filesBeforeMs);
      some = [];
    }
    yield* await this.#lookedAt(some, filesBeforeMs);
  }

  async #lookedAt(files: readonly Omit<CandidateFile, 'sizeBytes' | 'mtimeMs'>[], beforeMs: number | undefined): Promise<CandidateFile[]> {
    await this.#look(files.map(({ name }) => name));
    return files.flatMap((file) => {
      const found = this.#looked.get(file.name);
      if (found === undefined || (beforeMs !== undefined && (file.stampAtMs ?? found.mtimeMs) >= beforeMs)) return [];
      return [{ ...file, ...found }];
    });
  }

  async #withBytes(some: readonly Chosen[]): Promise<CandidateRow[]> {
    await this.#look(some.flatMap(({ row }) => this.#filesOf(row)));
    return some.map((chosen) => ({ ...chosen, bytes: this.#bytesOf(chosen.row) }));
  }

  async #look(names: readonly string[]): Promise<void> {
    const unknown = names.filter((name) => this.#names.has(name) && !this.#looked.has(name));
    for (const file of await this.#store.facts.look(unknown)) this.#looked.set(file.name, file);
  }

  async #readDirectory(): Promise<void> {
    const slice = new Slice();
    for await (const names of this.#store.facts.fileNames()) {
      if (slice.isOver()) await slice.rest();
      this.totals.fileCount += names.length;
      for (const name of names) {
        if (name.endsWith('.lock')) this.#locked.add(name.slice(0, -'.lock'.length));
        else this.#names.add(name);
      }
    }
    if (this.#query.fileClasses.size > 0) this.totals.neighbours.push(...(await this.#store.facts.neighbours(this.#names)).slice(0, NEIGHBOURS_MAX));
    if (this.#query.evictBytes !== undefined) await this.#sumUp();
  }

  /** Every file is looked at. */
  async #sumUp(): Promise<void> {
    const slice = new Slice();
    const names = [...this.#names];
    for (let at = 0; at < names.length; at += ROWS_AT_ONCE) {
      const some = names.slice(at, at + ROWS_AT_ONCE);
      await this.#look(some);
      if (slice.isOver()) await slice.rest();
      for (const name of some) {
        const sizeBytes = this.#looked.get(name)?.sizeBytes ?? 0;
        this.totals.totalBytes += sizeBytes;
        const kind = parseStoreFile(name)?.kind;
        if (kind === 'archive') this.totals.archiveBytes += sizeBytes;
        if (kind === 'transcript') this.totals.transcriptBytes += sizeBytes;
      }
    }
  }

  #countProtected([strongest]: readonly Protection[], row: OrderedRow): void {
    if (strongest === undefined) return;
    this.totals.protectedRowCount += 1;
    const counts = this.#protected.get(strongest) ?? { rowCount: 0, overAgeCount: 0, named: 0, namedUpTo: Number.NEGATIVE_INFINITY };
    counts.rowCount += 1;
    if (this.#query.overAgeBeforeMs !== undefined && this.#agedMs(row) < this.#query.overAgeBeforeMs) counts.overAgeCount += 1;
    this.#protected.set(strongest, counts);
  }

  /** A limit may not reach it although it is protected. */
  #isOverBound(agedMs: number): boolean {
    const { overAgeBeforeMs, maxEntries, evictBytes } = this.#query;
    return evictBytes !== undefined || (overAgeBeforeMs !== undefined && agedMs < overAgeBeforeMs) || (maxEntries !== undefined && this.totals.protectedRowCount >= maxEntries);
  }

  /** Whether the report may name it: the oldest of each protection, and those as old as the last of these. */
  #isNamedException(protection: Protection, agedMs: number): boolean {
    const counts = this.#protected.get(protection);
    if (counts === undefined || agedMs >= this.#query.nowMs) return false;
    if (counts.named >= EXCEPTION_KEYS_MAX) return agedMs === counts.namedUpTo;
    counts.named += 1;
    counts.namedUpTo = agedMs;
    return true;
  }

  *#timeless(): Generator<Chosen> {
    for (const { row, protections } of this.#rows.inOrder()) {
      if (this.#agedMs(row) < this.#query.nowMs) continue;
      if (protections.length === 0) yield { row, protections, candidateFor: ['cap'], lookedAt: undefined };
    }
  }

  #agedMs({ updatedAt }: OrderedRow): number {
    const { nowMs } = this.#query;
    return updatedAt !== null && updatedAt > 0 && updatedAt <= nowMs ? updatedAt : nowMs;
  }

  #byKind({ flags, archiveAtMs }: OrderedRow, [protection]: readonly Protection[], agedMs: number): string[] {
    const { pruneBeforeMs, cronRunsBeforeMs, modelRunsBeforeMs, dmScopeRows, dueArchives, nowMs } = this.#query;
    const isBefore = (limitMs: number | undefined): boolean => protection === undefined && limitMs !== undefined && agedMs < limitMs;
    const reasons: string[] = [];
    if (isBefore(pruneBeforeMs)) reasons.push('age');
    if ((flags & ROW_FLAGS.cronRun) !== 0 && isBefore(cronRunsBeforeMs)) reasons.push('cron-run');
    if ((flags & ROW_FLAGS.modelRun) !== 0 && isBefore(modelRunsBeforeMs)) reasons.push('model-run');
    if (dmScopeRows && (flags & ROW_FLAGS.direct) !== 0) reasons.push('dm-scope');
    if (dueArchives && archiveAtMs !== null && archiveAtMs <= nowMs) reasons.push('archive-due');
    if (protection !== undefined && this.#isOverBound(agedMs) && this.#isNamedException(protection, agedMs)) reasons.push('exception');
    return reasons;
  }

  /** Transcript and trajectories that go with the row. */
  #filesOf({ file, sessionId }: OrderedRow): readonly string[] {
    return file === null || this.#shared.has(file) ? [] : [file, ...sidecarsOf(file, sessionId ?? '')];
  }

  #bytesOf(row: OrderedRow): number {
    return this.#filesOf(row).reduce((sum, name) => sum + (this.#looked.get(name)?.sizeBytes ?? 0), 0);
  }
}

/** A stretch of SLICE_MS, after which other work of the loop has its turn. */
class Slice {
  #endsAt = performance.now() + SLICE_MS;

  isOver(): boolean {
    return performance.now() >= this.#endsAt;
  }

  async rest(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#endsAt = performance.now() + SLICE_MS;
  }
}

/** Nothing is asked for but ended sub-agents: no file counts, and sizes stay 0. */
function isSweepOnly({ dueArchives, pruneBeforeMs, maxEntries, cronRunsBeforeMs, modelRunsBeforeMs, dmScopeRows, missingRows, fileClasses, evictBytes, everyRow }: FactsQuery): boolean {
  const limits = [pruneBeforeMs, maxEntries, cronRunsBeforeMs, modelRunsBeforeMs, evictBytes];
  return dueArchives && !dmScopeRows && !missingRows && everyRow !== true && fileClasses.size === 0 && limits.every((limit) => limit === undefined);
}

/** A candidate whose files were not looked at. */
type Chosen = Omit<CandidateRow, 'bytes'>;

/** What is kept of a row. */
interface KeptRow {
  readonly row: OrderedRow;
  readonly protections: readonly Protection[];
}

const UNPROTECTED: readonly Protection[] = [];
