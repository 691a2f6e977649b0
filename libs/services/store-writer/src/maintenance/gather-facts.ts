/**
 * The facts of one store, gathered in one pass over its rows and one over its directory
 * (`directory-facts.ts`): they count and learn what refers to what; then the candidates are given in the
 * order of their age. No entry is read: what a plan or its table may want to know of it stands beside it
 * in the index, some hundred bytes, which are kept while facts are given.
 */
import { EXCEPTION_KEYS_MAX, PROTECTIONS, ROW_FLAGS, isAutomaticActor, isSyntheticKey, rowProtections, type Protection, type ProtectedRows } from '@sessions/domain';
import { LoopSlice, type OrderedRow, type StoreFacts, type StoreFiles } from '@sessions/store';
import { sidecarsOf } from '../decisions/session-files';
import { DirectoryFacts, type CandidateFile } from './directory-facts';
import { lookAtTranscript, type LookedAt } from './look-at-transcript';
import { SortedRuns } from './sorted-runs';

/** Reason of the manifest line that an announcement leaves. */
export const ANNOUNCE_UNLINK = 'announce-unlink';
/** The same of the announcement that a bound will take sessions. */
export const ANNOUNCE_BOUNDS = 'announce-bounds';
/** Reasons of lines about rows that a limit took. */
const BY_LIMIT: ReadonlySet<string> = new Set(['prune-stale', 'cap-overflow', 'evict-budget']);

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

export class FactGatherer {
  readonly #store: FactSource;
  readonly #query: FactsQuery;
  readonly #named: readonly string[];
  readonly #directory: DirectoryFacts;
  readonly #protected = new Map<Protection, { rowCount: number; overAgeCount: number; named: number; namedUpTo: number }>();
  /** Session ids and file names that something refers to. */
  readonly #referenced = new Set<string>();
  readonly #filesOfRows = new Set<string>();
  /** Transcripts of more than one row. */
  readonly #shared = new Set<string>();
  /** Oldest first; of equal ages the newest entry. */
  readonly #rows = new SortedRuns<KeptRow>(({ row: left }, { row: right }) => left.sortAt - right.sortAt || right.id - left.id);
  readonly totals: GatheredTotals = { rowCount: 0, protectedRowCount: 0, protectedRows: [], transcriptBytes: 0, archiveBytes: 0, totalBytes: 0, fileCount: 0, neighbours: [], removedBefore: false };

  constructor(store: FactSource, query: FactsQuery) {
    this.#store = store;
    this.#query = query;
    this.#directory = new DirectoryFacts(store.facts);
    this.#named = query.activeKey === undefined ? [] : [query.activeKey];
    if (query.activeKey !== undefined) this.totals.hasNamed = false;
  }

  /** Reads everything; to be called once, before candidates are asked for. */
  async count(): Promise<GatheredTotals> {
    // Looked for every minute in every store: that is no occasion to look at every row and file.
    const isSweep = isSweepOnly(this.#query);
    if (!isSweep) await this.#directory.read(this.#query, this.totals);
    const { facts } = this.#store;
    for await (const rows of isSweep ? facts.dueRows(this.#query.nowMs) : facts.rows()) {
      for (const row of rows) {
        this.#refer(row);
        // Few have a lock file: the others are not waited for.
        const mayBeHeld = row.file !== null && (isSweep || this.#directory.isLocked(row.file));
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
    const slice = new LoopSlice();
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
  candidateFiles(): AsyncGenerator<CandidateFile> {
    return this.#directory.candidates(this.#query, this.#referenced, this.totals.neighbours.length > 0);
  }

  async #withBytes(some: readonly Chosen[]): Promise<CandidateRow[]> {
    await this.#directory.look(some.flatMap(({ row }) => this.#filesOf(row)));
    return some.map((chosen) => ({ ...chosen, bytes: this.#bytesOf(chosen.row) }));
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
    return this.#filesOf(row).reduce((sum, name) => sum + this.#directory.sizeOf(name), 0);
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
