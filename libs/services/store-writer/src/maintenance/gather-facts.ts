/**
 * The facts of one store, gathered in two passes over its rows and one over its directory: the first
 * counts and learns what refers to what, the second gives the candidates. Entries are parsed in slices
 * and not kept, once each and candidates twice; what is kept is some bytes a row: key, protections, a
 * session id and a file name.
 */
import { factMembers, isCronRunKey, isJsonObject, isModelRunKey, parseSessionKey, parseStoreFile, unreferencedClass, type FileClass, type JsonObject, type Protection } from '@sessions/domain';
import type { AgedRow, DirectoryFile, StoreFacts, StoreFiles } from '@sessions/store';
import { sidecarsOf } from '../decisions/session-files';
import { lookAtTranscript, type LookedAt } from './look-at-transcript';
import { protectionsOfEntry } from './protected-row';

/** Reason of the manifest line that an announcement leaves. */
export const ANNOUNCE_UNLINK = 'announce-unlink';

/** Members of a compaction checkpoint that hold session ids too. */
const CHECKPOINT_ENDS = ['preCompaction', 'postCompaction'];

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
  readonly row: AgedRow;
  readonly native: JsonObject;
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
  /** What the first pass found of each row that is protected. */
  readonly #protected = new Map<string, readonly Protection[]>();
  /** Transcripts whose lock file is there. */
  readonly #locked = new Set<string>();
  readonly totals: GatheredTotals = { rowCount: 0, protectedRowCount: 0, transcriptBytes: 0, archiveBytes: 0, totalBytes: 0, fileCount: 0 };

  constructor(store: FactSource, query: FactsQuery) {
    this.#store = store;
    this.#query = query;
  }

  /** The first pass. */
  async count(): Promise<GatheredTotals> {
    await this.#readDirectory();
    const seen = new Set<string>();
    for await (const row of this.#store.facts.rows()) {
      this.totals.rowCount += 1;
      if (row.file !== null) {
        if (seen.has(row.file)) this.#shared.add(row.file);
        seen.add(row.file);
        this.#referenced.add(row.file);
      }
      const native = nativeOf(row);
      for (const id of sessionIdsOf(row, native)) this.#referenced.add(id);
      const protections = await this.#protections(row, native);
      if (protections.length === 0) continue;
      this.totals.protectedRowCount += 1;
      this.#protected.set(row.key, protections);
    }
    for await (const { sessionId, reason, atMs } of this.#store.facts.archiveRecords()) {
      if (sessionId !== null) this.#referenced.add(sessionId);
      // Of a clock that was wrong: it has not begun, and is given again.
      if (reason === ANNOUNCE_UNLINK && atMs <= this.#query.nowMs) this.totals.unlinkAnnouncedAtMs = atMs;
    }
    return this.totals;
  }

  /** The second pass: candidate rows, oldest first. */
  async *candidates(): AsyncGenerator<CandidateRow> {
    const { maxEntries, evictBytes } = this.#query;
    const overCap = maxEntries === undefined ? 0 : Math.max(0, this.totals.rowCount - maxEntries);
    let unprotected = 0;
    let capEndsAt: number | undefined;
    let evicted = 0;
    for await (const row of this.#store.facts.rows()) {
      const protections = this.#protected.get(row.key) ?? [];
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
      if (candidateFor.length > 0 || this.#query.everyRow === true) yield { row, native: nativeOf(row), protections, bytes, candidateFor, lookedAt };
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

  async *#timeless(): AsyncGenerator<CandidateRow> {
    for await (const row of this.#store.facts.rows()) {
      if (this.#agedMs(row) < this.#query.nowMs) continue;
      if (!this.#protected.has(row.key)) yield { row, native: nativeOf(row), protections: [], bytes: this.#bytesOf(row), candidateFor: ['cap'], lookedAt: undefined };
    }
  }

  async #protections(row: AgedRow, native: JsonObject): Promise<readonly Protection[]> {
    const isHeld = row.file !== null && this.#locked.has(row.file) && (await this.#store.facts.isLockedByOthers(row.file).catch(() => true));
    const { nowMs, activeKey } = this.#query;
    return protectionsOfEntry(row.key, native, { nowMs, isHeld, named: activeKey === undefined ? [] : [activeKey] });
  }

  #agedMs({ updatedAt }: AgedRow): number {
    const { nowMs } = this.#query;
    return updatedAt !== null && updatedAt > 0 && updatedAt <= nowMs ? updatedAt : nowMs;
  }

  #byKind(row: AgedRow, agedMs: number): string[] {
    const { key } = row;
    const { pruneBeforeMs, cronRunsBeforeMs, modelRunsBeforeMs, dmScopeRows, dueArchives, nowMs } = this.#query;
    const isBefore = (limitMs: number | undefined): boolean => limitMs !== undefined && agedMs < limitMs;
    const archiveAt = dueArchives ? nativeOf(row)['archiveAt'] : undefined;
    return [
      ...(isBefore(pruneBeforeMs) ? ['age'] : []),
      ...(isBefore(cronRunsBeforeMs) && isCronRunKey(key) ? ['cron-run'] : []),
      ...(isBefore(modelRunsBeforeMs) && isModelRunKey(key) ? ['model-run'] : []),
      ...(dmScopeRows && parseSessionKey(key).form === 'direct' ? ['dm-scope'] : []),
      ...(typeof archiveAt === 'number' && archiveAt <= nowMs ? ['archive-due'] : []),
    ];
  }

  /** Transcript and trajectories that go with the row. */
  #bytesOf({ file, sessionId }: AgedRow): number {
    if (file === null || this.#shared.has(file)) return 0;
    return [file, ...sidecarsOf(file, sessionId ?? '')].reduce((sum, name) => sum + (this.#files.get(name)?.sizeBytes ?? 0), 0);
  }
}

function nativeOf({ text, members }: AgedRow): JsonObject {
  return members ?? factMembers(JSON.parse(text));
}

/** The row's own id, those of its family, and both ends of its compaction checkpoints. */
function* sessionIdsOf({ sessionId }: AgedRow, native: JsonObject): Generator<string> {
  if (sessionId !== null) yield sessionId;
  const family: unknown = native['usageFamilySessionIds'];
  for (const id of Array.isArray(family) ? (family as readonly unknown[]) : []) if (typeof id === 'string') yield id;
  const checkpoints: unknown = native['compactionCheckpoints'];
  for (const checkpoint of Array.isArray(checkpoints) ? (checkpoints as readonly unknown[]) : []) {
    if (!isJsonObject(checkpoint)) continue;
    for (const end of [checkpoint, ...CHECKPOINT_ENDS.map((name) => checkpoint[name])]) {
      if (isJsonObject(end) && typeof end['sessionId'] === 'string') yield end['sessionId'];
    }
  }
}
