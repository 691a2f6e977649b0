/**
 * What a plan is made from: facts about rows and files that the owner of a store streams, or that the
 * command line reads itself. A plan needs the candidates only, beside totals of the whole store.
 */
import { SessionError } from '../errors';

/** Why maintenance leaves a row alone, strongest first (maintenance §5). */
export const PROTECTIONS = ['running', 'undelivered', 'held', 'recent', 'named', 'main', 'pointer'] as const;
export type Protection = (typeof PROTECTIONS)[number];

export type TranscriptState = 'present' | 'missing' | 'header-only' | 'unreadable' | 'misplaced';

export interface FactRow {
  readonly key: string;
  readonly sessionId?: string;
  /** As stored. Absent, 0, unreadable or in the future: counts as now. */
  readonly updatedAtMs?: number;
  readonly protections: readonly Protection[];
  /** Undefined: nobody looked. `misplaced`: it stands at its canonical name, `sessionFile` is wrong. */
  readonly transcriptState?: TranscriptState;
  /** Transcript and trajectories that no other row uses. */
  readonly bytes: number;
  /** Share of `sessions.json`; undefined: not known, nothing is counted. */
  readonly entryBytes?: number;
  /** Where a misplaced transcript was found. */
  readonly foundFile?: string;
  /** When an ended sub-agent is to be archived. */
  readonly archiveAtMs?: number;
  readonly cleanup?: 'keep' | 'delete';
  /** Spawned with `mode: "session"`. */
  readonly isPersistentChild?: boolean;
  /** When the removal of the row as it stands was announced; undefined: it was not. */
  readonly removalAnnouncedAtMs?: number;
  /** For tables only. */
  readonly label?: string;
  readonly model?: string;
  readonly flags?: readonly string[];
}

export type FileClass = 'archive-reset' | 'archive-deleted' | 'archive-bak' | 'orphan-transcript' | 'orphan-checkpoint' | 'orphan-trajectory' | 'orphan-prompt-blob' | 'stale-temp';

export interface FactFile {
  /** Inside the sessions directory. */
  readonly name: string;
  readonly fileClass: FileClass;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  /** From an archive's name; undefined: it has none. */
  readonly stampAtMs?: number;
}

/** Rows that have this protection and no stronger one. */
export interface ProtectedRows {
  readonly protection: Protection;
  readonly rowCount: number;
  /** Those of them that are older than `pruneAfter`. */
  readonly overAgeCount: number;
}

export interface StoreTotals {
  readonly rowCount: number;
  /** Rows with any protection. */
  readonly protectedRowCount: number;
  /** The same by their strongest protection, in the order of PROTECTIONS; undefined: nobody counted. */
  readonly protectedRows?: readonly ProtectedRows[];
  /** Everything the disk budget counts. */
  readonly totalBytes: number;
  readonly fileCount: number;
  /** When the first unlinking of an archive was announced; undefined: never. */
  readonly unlinkAnnouncedAtMs?: number;
  /** When it was announced that a bound on count or size will take sessions; undefined: never. */
  readonly boundsAnnouncedAtMs?: number;
  /** An automatic run has taken a session of this store for a limit before, other than those that programs make for themselves. */
  readonly removedBefore?: boolean;
  /** Files beside the store that may be other stores: what no row of this one names may be theirs. */
  readonly neighbours?: readonly string[];
  /** A row has the key that is to be spared; undefined: none was named. */
  readonly hasNamed?: boolean;
  /** Why no plan may be made. */
  readonly refusal?: string;
}

export interface StoreFacts {
  readonly totals: StoreTotals;
  readonly rows: readonly FactRow[];
  readonly files: readonly FactFile[];
}

/** @throws STORE_UNREADABLE where the owner refuses, VALIDATION for a clock that shows no time. */
export function assertPlannable(facts: StoreFacts, nowMs: number): void {
  if (facts.totals.refusal !== undefined) throw new SessionError('STORE_UNREADABLE', 'no maintenance on a store that cannot be read', { facts: { refusal: facts.totals.refusal }, hint: 'openclaw sessions verify' });
  if (!Number.isFinite(nowMs) || nowMs <= 0) throw new SessionError('VALIDATION', 'a plan needs the time', { facts: { nowMs: String(nowMs) } });
}

/** A limit counts when it is a positive, finite number; everything else keeps (decisions 3 and 7). */
export function isLimit(value: number): boolean {
  return Number.isFinite(value) && value > 0;
}

/** The instant that ages a row: stored, or now where what is stored makes no sense. */
export function agedFromMs(row: FactRow, nowMs: number): number {
  const at = row.updatedAtMs;
  return at !== undefined && Number.isFinite(at) && at > 0 && at <= nowMs ? at : nowMs;
}

/** Strictly older than `limitMs`; false where that is no limit. */
export function isOlder(row: FactRow, limitMs: number, nowMs: number): boolean {
  return isLimit(limitMs) && nowMs - agedFromMs(row, nowMs) > limitMs;
}

/** Oldest first; equal ages by key. */
export function oldestRows(rows: readonly FactRow[], nowMs: number): FactRow[] {
  const compare = (left: FactRow, right: FactRow): number => agedFromMs(left, nowMs) - agedFromMs(right, nowMs) || (left.key < right.key ? -1 : left.key > right.key ? 1 : 0);
  return [...rows].sort(compare);
}

/** Bytes as a whole number that never works backwards. */
export function bytesOf(value: number | undefined): number {
  return value !== undefined && Number.isFinite(value) && value > 0 ? Math.floor(value) : 0;
}

/** When an archive was made: its stamp, else its mtime. */
export function archivedAtMs(file: FactFile): number {
  return file.stampAtMs ?? file.mtimeMs;
}

export function isArchive(file: FactFile): boolean {
  return file.fileClass === 'archive-reset' || file.fileClass === 'archive-deleted' || file.fileClass === 'archive-bak';
}

export function isOrphan(file: FactFile): boolean {
  return file.fileClass === 'orphan-transcript' || file.fileClass === 'orphan-checkpoint' || file.fileClass === 'orphan-trajectory';
}
