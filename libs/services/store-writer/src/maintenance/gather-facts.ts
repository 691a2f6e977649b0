/**
 * The facts of one store, gathered in one pass over its rows and one over its directory: they count and
 * learn what refers to what; then the candidates are given in the order of their age. No entry is read:
 * what a plan or its table may want to know of it stands beside it in the index, some hundred bytes,
 * which are kept while facts are given.
 */
import { ROW_FLAGS, parseStoreFile, rowProtections, unreferencedClass, type FileClass, type Protection } from '@sessions/domain';
import type { DirectoryFile, OrderedRow, StoreFacts, StoreFiles } from '@sessions/store';
import { sidecarsOf } from '../decisions/session-files';
import { lookAtTranscript, type LookedAt } from './look-at-transcript';
import { SortedRuns } from './sorted-runs';

/** Reason of the manifest line that an announcement leaves. */
export const ANNOUNCE_UNLINK = 'announce-unlink';

/** Longest stretch of work without giving way, milliseconds. */
const SLICE_MS = 10;

/** A store, as far as facts are gathered from it. */
export interface FactSource {
  readonly facts: Pick<StoreFacts, 'rows' | 'files' | 'archiveRecords' | 'isLockedByOthers'>;
  readonly files: Pick<StoreFiles, 'readTranscript'>;
}

export interface FactsQuery {
  readonly nowMs: number;
  readonly pruneBeforeMs: number | undefined;
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
  transcriptBytes: number;
  archiveBytes: number;
  totalBytes: number;
  fileCount: number;
  /** When the first unlinking of an archive was announced. */
  unlinkAnnouncedAtMs?: number;
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
  readonly #files = new Map<string, DirectoryFile>();
  /** Session ids and file names that something refers to. */
  readonly #referenced = new Set<string>();
  /** Transcripts of more than one row. */
  readonly #shared = new Set<string>();
  /** Oldest first; of equal ages the newest entry. */
  readonly #rows = new SortedRuns<KeptRow>(({ row: left }, { row: right }) => left.sortAt - right.sortAt || right.id - left.id);
  /** Transcripts whose lock file is there. */
  readonly #locked = new Set<string>();
  readonly totals: GatheredTotals = { rowCount: 0, protectedRowCount: 0, transcriptBytes: 0, archiveBytes: 0, totalBytes: 0, fileCount: 0 };

  constructor(store: FactSource, query: FactsQuery) {
    this.#store = store;
    this.#query = query;
  }

  /** Reads everything; to be called once, before candidates are asked for. */
  async count(): Promise<GatheredTotals> {
    // Looked for every minute in every store: that is no occasion to look at every file.
    const isSweep = isSweepOnly(this.#query);
    if (!isSweep) await this.#readDirectory();
    const { nowMs, activeKey } = this.#query;
    const named = activeKey === undefined ? [] : [activeKey];
    const seen = new Set<string>();
    for await (const row of this.#store.facts.rows()) {
      this.totals.rowCount += 1;
      if (row.file !== null) {
        if (seen.has(row.file)) this.#shared.add(row.file);
        seen.add(row.file);
        this.#referenced.add(row.file);
      }
      if (row.sessionId !== null) this.#referenced.add(row.sessionId);
      if (row.otherIds !== null) for (const id of row.otherIds.split('\n')) this.#referenced.add(id);
      // Few have a lock file: the others are not waited for.
      const mayBeHeld = isSweep ? row.archiveAtMs !== null && row.archiveAtMs <= nowMs : row.file !== null && this.#locked.has(row.file);
      const isHeld = row.file !== null && mayBeHeld && (await this.#store.facts.isLockedByOthers(row.file).catch(() => true));
      const protections = rowProtections(row.key, row, { nowMs, isHeld, named });
      if (protections.length > 0) this.totals.protectedRowCount += 1;
      this.#rows.add({ row, protections: protections.length === 0 ? UNPROTECTED : protections });
    }
    if (isSweep) return this.totals;
    for await (const { sessionId, reason, atMs } of this.#store.facts.archiveRecords()) {
      if (sessionId !== null) this.#referenced.add(sessionId);
      // Of a clock that was wrong: it has not begun, and is given again.
      if (reason === ANNOUNCE_UNLINK && atMs <= this.#query.nowMs) this.totals.unlinkAnnouncedAtMs = atMs;
    }
    return this.totals;
  }

  /** Candidate rows, oldest first. */
  async *candidates(): AsyncGenerator<CandidateRow> {
    const { maxEntries, evictBytes } = this.#query;
    const overCap = maxEntries === undefined ? 0 : Math.max(0, this.totals.rowCount - maxEntries);
    let unprotected = 0;
    let capEndsAt: number | undefined;
    let evicted = 0;
    let sliceEndsAt = performance.now() + SLICE_MS;
    for (const { row, protections } of this.#rows.inOrder()) {
      if (performance.now() >= sliceEndsAt) {
        await new Promise((resolve) => setImmediate(resolve));
        sliceEndsAt = performance.now() + SLICE_MS;
      }
      const agedMs = this.#agedMs(row);
      const bytes = this.#bytesOf(row);
      const candidateFor = this.#byKind(row, agedMs);
      // Rows without a usable time count as now; of equal ages the plan takes the first keys.
      if (protections.length === 0 && agedMs < this.#query.nowMs) {
        unprotected += 1;
        if (unprotected === overCap) capEndsAt = agedMs;
        if (unprotected <= overCap || agedMs === capEndsAt) candidateFor.push('cap');
        if (evictBytes !== undefined && evicted < evictBytes) {
          candidateFor.push('evict');
          evicted += bytes;
        }
      }
      const lookedAt = this.#query.missingRows ? await lookAtTranscript(this.#store, row.file, row.sessionId) : undefined;
      if (lookedAt !== undefined && (lookedAt.state !== 'present' || row.sessionId === null)) candidateFor.push('missing');
      if (candidateFor.length > 0 || this.#query.everyRow === true) yield { row, protections, bytes, candidateFor, lookedAt };
    }
    // Too few rows have a time: those that count as now fill the rest.
    if (unprotected < overCap && this.#query.everyRow !== true) yield* this.#timeless();
  }

  /** Candidate files of the classes asked for, by name. */
  *candidateFiles(): Generator<CandidateFile> {
    const { fileClasses, filesBeforeMs } = this.#query;
    for (const file of this.#files.values()) {
      const parsed = parseStoreFile(file.name);
      if (parsed === undefined) continue;
      const isArchive = parsed.kind === 'archive' || parsed.kind === 'index-backup';
      const fileClass = isArchive ? parsed.fileClass : unreferencedClass(file.name, (name) => this.#referenced.has(name));
      if (fileClass === undefined || !fileClasses.has(fileClass)) continue;
      if (filesBeforeMs !== undefined && (parsed.stampAtMs ?? file.mtimeMs) >= filesBeforeMs) continue;
      yield { ...file, fileClass, stampAtMs: parsed.stampAtMs };
    }
  }

  async #readDirectory(): Promise<void> {
    for await (const file of this.#store.facts.files()) {
      this.totals.fileCount += 1;
      if (file.name.endsWith('.lock')) {
        this.#locked.add(file.name.slice(0, -'.lock'.length));
        continue;
      }
      this.totals.totalBytes += file.sizeBytes;
      const kind = parseStoreFile(file.name)?.kind;
      if (kind === 'archive') this.totals.archiveBytes += file.sizeBytes;
      if (kind === 'transcript') this.totals.transcriptBytes += file.sizeBytes;
      this.#files.set(file.name, file);
    }
  }

  *#timeless(): Generator<CandidateRow> {
    for (const { row, protections } of this.#rows.inOrder()) {
      if (this.#agedMs(row) < this.#query.nowMs) continue;
      if (protections.length === 0) yield { row, protections, bytes: this.#bytesOf(row), candidateFor: ['cap'], lookedAt: undefined };
    }
  }

  #agedMs({ updatedAt }: OrderedRow): number {
    const { nowMs } = this.#query;
    return updatedAt !== null && updatedAt > 0 && updatedAt <= nowMs ? updatedAt : nowMs;
  }

  #byKind({ flags, archiveAtMs }: OrderedRow, agedMs: number): string[] {
    const { pruneBeforeMs, cronRunsBeforeMs, modelRunsBeforeMs, dmScopeRows, dueArchives, nowMs } = this.#query;
    const isBefore = (limitMs: number | undefined): boolean => limitMs !== undefined && agedMs < limitMs;
    const reasons: string[] = [];
    if (isBefore(pruneBeforeMs)) reasons.push('age');
    if ((flags & ROW_FLAGS.cronRun) !== 0 && isBefore(cronRunsBeforeMs)) reasons.push('cron-run');
    if ((flags & ROW_FLAGS.modelRun) !== 0 && isBefore(modelRunsBeforeMs)) reasons.push('model-run');
    if (dmScopeRows && (flags & ROW_FLAGS.direct) !== 0) reasons.push('dm-scope');
    if (dueArchives && archiveAtMs !== null && archiveAtMs <= nowMs) reasons.push('archive-due');
    return reasons;
  }

  /** Transcript and trajectories that go with the row. */
  #bytesOf({ file, sessionId }: OrderedRow): number {
    if (file === null || this.#shared.has(file)) return 0;
    return [file, ...sidecarsOf(file, sessionId ?? '')].reduce((sum, name) => sum + (this.#files.get(name)?.sizeBytes ?? 0), 0);
  }
}

/** Nothing is asked for but ended sub-agents: no file counts, and sizes stay 0. */
function isSweepOnly({ dueArchives, pruneBeforeMs, maxEntries, cronRunsBeforeMs, modelRunsBeforeMs, dmScopeRows, missingRows, fileClasses, evictBytes, everyRow }: FactsQuery): boolean {
  const limits = [pruneBeforeMs, maxEntries, cronRunsBeforeMs, modelRunsBeforeMs, evictBytes];
  return dueArchives && !dmScopeRows && !missingRows && everyRow !== true && fileClasses.size === 0 && limits.every((limit) => limit === undefined);
}

/** What is kept of a row. */
interface KeptRow {
  readonly row: OrderedRow;
  readonly protections: readonly Protection[];
}

const UNPROTECTED: readonly Protection[] = [];
