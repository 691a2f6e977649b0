/**
 * One action of a maintenance plan, looked at once more inside the mutation that performs it: the row
 * or file is still what the plan saw, and nothing protects it. What does not hold is skipped by name.
 */
import { parseStoreFile, removalAnnouncedAtMs, maintenanceFacts, rowProtections, writeRemovalNotice, type JsonObject, type TranscriptState } from '@sessions/domain';
import { readArchiveFile, type Decision, type HeldView, type MutationView } from '@sessions/store';
import { ANNOUNCE_BOUNDS, ANNOUNCE_UNLINK } from '../maintenance/gather-facts';
import type { Planned, StoredAnswer } from './planned';
import { entryTextOf, setAside } from './session-files';
import { findRow, findSession, type PresentSession } from './session-of-key';

export interface ActionRequest {
  readonly kind: string;
  readonly key: string | undefined;
  readonly file: string | undefined;
  readonly expectedSessionId: string | undefined;
  readonly expectedUpdatedAtMs: number | undefined;
  readonly expectedSizeBytes: number | undefined;
  readonly expectedMtimeMs: number | undefined;
  readonly activeKey: string | undefined;
  readonly held: HeldView;
  /** A living process of somebody else has the transcript. */
  readonly isLocked: boolean;
  /** Of `prune-missing` and `repair-session-file`, as the files are now. */
  readonly transcriptState: TranscriptState | undefined;
  /** When the same was announced of this store first, of an announcement about all of it; undefined: never. */
  readonly announcedAtMs: number | undefined;
  readonly actor: string;
}

export type ActionAnswer = StoredAnswer<
  'ApplyMaintenance',
  { readonly outcome: 'done' | 'skipped'; readonly reason: string | null; readonly archivedBytes: number; readonly freedBytes: number; readonly archivedAs: string | null; readonly key: string | null }
>;

/** Rows that nothing but a bound takes: every protection holds. */
const BY_BOUND: ReadonlySet<string> = new Set(['prune-stale', 'cap-overflow', 'prune-model-run', 'prune-cron-run', 'evict-budget']);
/** Rows that somebody asked for by name. */
const BY_NAME: ReadonlySet<string> = new Set(['retire-dm-scope', 'prune-missing', 'archive-subagent']);
/** What holds against those too. */
const ALWAYS: ReadonlySet<string> = new Set(['running', 'undelivered', 'held', 'recent', 'named']);
/** An archive is never removed before (decision 29). */
export const ARCHIVE_MS_MIN = 60 * 60_000;

/** @throws FilesMoved */
export function decideAction(request: ActionRequest, view: MutationView): Planned<ActionAnswer> {
  const { kind } = request;
  if (BY_BOUND.has(kind) || BY_NAME.has(kind)) return removeRow(request, view);
  if (kind === 'repair-session-file') return repairFile(request, view);
  if (kind === 'unlink-archive') return unlinkArchive(request, view);
  if (kind === 'archive-orphan') return archiveOrphan(request, view);
  if (kind === 'announce-removal') return announceRemoval(request, view);
  if (kind === ANNOUNCE_UNLINK || kind === ANNOUNCE_BOUNDS) return announceOfStore(request, view);
  return skipped('unsupported');
}

function removeRow(request: ActionRequest, view: MutationView): Planned<ActionAnswer> {
  const { kind, held, actor } = request;
  const present = kind === 'prune-missing' ? presentRow(request, view, findRow) : presentRow(request, view);
  if (typeof present === 'string') return skipped(present);
  const why = protectedBy(request, present, view.nowMs).find((name) => BY_BOUND.has(kind) || ALWAYS.has(name));
  if (why !== undefined) return skipped(why === 'held' ? 'locked' : 'protected');
  if (kind === 'prune-missing' && request.transcriptState !== 'missing' && request.transcriptState !== 'header-only' && present.sessionId !== null) return skipped('changed');
  const aside = setAside({ held, present, withSidecars: true }, view);
  const { key, sessionId } = present;
  return done(
    [...aside.effects, { kind: 'recordArchive', reason: kind, key, sessionId, ...entryTextOf(view, key), actor }, { kind: 'removeEntry', key }],
    { archivedBytes: aside.bytes, archivedAs: aside.archived[0] ?? null, key },
  );
}

function repairFile(request: ActionRequest, view: MutationView): Planned<ActionAnswer> {
  const { file, held } = request;
  const present = presentRow(request, view);
  if (typeof present === 'string') return skipped(present);
  if (protectedBy(request, present, view.nowMs).some((name) => ALWAYS.has(name))) return skipped('protected');
  if (file === undefined || !held.has(file) || held.get(file).found === undefined || request.transcriptState !== 'misplaced') return skipped('changed');
  return done([{ kind: 'putEntry', key: present.key, set: { sessionFile: file } }], { key: present.key });
}

function unlinkArchive({ file, held, actor, ...expected }: ActionRequest, view: MutationView): Planned<ActionAnswer> {
  const archive = file === undefined ? undefined : readArchiveFile(file);
  if (file === undefined || archive === undefined) return skipped('unsupported');
  const { found } = held.get(file);
  if (found === undefined) return skipped('gone');
  if (isOtherFile(expected, found)) return skipped('changed');
  if (view.nowMs - archive.atMs < ARCHIVE_MS_MIN) return skipped('not-due');
  return done(
    [{ kind: 'removeArchive', archive: file }, { kind: 'recordArchive', reason: 'unlink-archive', key: null, sessionId: null, actor }],
    { freedBytes: found.bytes },
  );
}

function archiveOrphan({ file, held, actor, kind, ...expected }: ActionRequest, view: MutationView): Planned<ActionAnswer> {
  const parsed = file === undefined ? undefined : parseStoreFile(file);
  if (file === undefined || parsed === undefined || !['transcript', 'checkpoint', 'trajectory'].includes(parsed.kind)) return skipped('unsupported');
  const { found, asideAs } = held.get(file);
  if (found === undefined) return skipped('gone');
  if (isOtherFile(expected, found)) return skipped('changed');
  if (view.isFileOfOthers(file, '') || parsed.sessionIds.some((id) => view.keyOfSession(id) !== undefined)) return skipped('protected');
  return done(
    [{ kind: 'setAside', file }, { kind: 'recordArchive', reason: kind, key: null, sessionId: parsed.sessionIds[0] ?? null, actor }],
    { archivedBytes: found.bytes, archivedAs: asideAs },
  );
}

/** Noted in the entry, which keeps its age: nobody used the session. */
function announceRemoval(request: ActionRequest, view: MutationView): Planned<ActionAnswer> {
  const present = presentRow(request, view);
  if (typeof present === 'string') return skipped(present);
  if (protectedBy(request, present, view.nowMs).length > 0) return skipped('protected');
  const before = removalAnnouncedAtMs(present.members as JsonObject, present);
  if (before !== undefined && before <= view.nowMs) return skipped('announced');
  return done([{ kind: 'putEntry', key: present.key, set: writeRemovalNotice(present, view.nowMs) }], {});
}

/** Noted in the manifest, where all archives of the store are. */
function announceOfStore({ kind, announcedAtMs: before, actor }: ActionRequest, view: MutationView): Planned<ActionAnswer> {
  if (before !== undefined && before <= view.nowMs) return skipped('announced');
  return done([{ kind: 'recordArchive', reason: kind, key: null, sessionId: null, actor }], {});
}

/** The row that the plan saw, or why it is not. */
function presentRow({ key, expectedSessionId, expectedUpdatedAtMs }: ActionRequest, view: MutationView, find = findSession): PresentSession | 'gone' | 'changed' {
  const present = key === undefined || view.entry(key) === undefined ? undefined : find(view, key);
  if (present === undefined || present.key !== key) return 'gone';
  const isSame = (expectedSessionId ?? null) === present.sessionId && (expectedUpdatedAtMs ?? null) === present.updatedAtMs;
  return isSame ? present : 'changed';
}

function protectedBy({ isLocked, activeKey }: ActionRequest, present: PresentSession, nowMs: number): readonly string[] {
  return rowProtections(present.key, maintenanceFacts(present.key, present.members), { nowMs, isHeld: isLocked, named: activeKey === undefined ? [] : [activeKey] });
}

function isOtherFile({ expectedSizeBytes, expectedMtimeMs }: Pick<ActionRequest, 'expectedSizeBytes' | 'expectedMtimeMs'>, found: { readonly bytes: number; readonly mtimeMs: number }): boolean {
  return (expectedSizeBytes !== undefined && expectedSizeBytes !== found.bytes) || (expectedMtimeMs !== undefined && expectedMtimeMs !== found.mtimeMs);
}

export function skipped(reason: string): Planned<ActionAnswer> {
  return planned([], { outcome: 'skipped', reason });
}

function done(effects: Decision<ActionAnswer>['effects'], more: Partial<Pick<ActionAnswer, 'archivedBytes' | 'freedBytes' | 'archivedAs' | 'key'>>): Planned<ActionAnswer> {
  return planned(effects, { outcome: 'done', reason: null, ...more });
}

function planned(effects: Decision<ActionAnswer>['effects'], more: Pick<ActionAnswer, 'outcome' | 'reason'> & Partial<ActionAnswer>): Planned<ActionAnswer> {
  return { decision: { effects, result: { method: 'ApplyMaintenance', archivedBytes: 0, freedBytes: 0, archivedAs: null, key: null, ...more } }, announcements: [] };
}
