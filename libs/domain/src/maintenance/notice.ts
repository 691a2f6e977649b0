/**
 * Retention with notice: before an automatic run removes sessions for their age, it says so: nobody
 * loses a conversation unasked. An announcement is an action like any other: its owner keeps it with the
 * row (`entry/removal-notice.ts`), or in the archive manifest, and tells of it once; the plan finds it
 * among the facts, whoever makes the plan by then.
 *
 * Age can be foreseen, so age waits for the notice of each session. Which session a bound on count or size
 * takes next cannot: before the first one of a store the bound itself is announced, and kept at once from then
 * on; those sessions are named together with their removal. Rows that programs made for themselves, and what
 * a person asks for, need no notice.
 */
import type { MaintenanceAction } from './actions';
import { agedFromMs, isLimit, oldestRows, type FactRow, type StoreTotals } from './facts';
import type { MaintenancePlan } from './plan';
import { UNLINK_NOTICE_MS } from './plan-archives';
import { planPrune } from './plan-prune';
import { isSyntheticKey } from './protection';

/** Sessions named in one announcement; the others are counted and named next time. */
export const NOTICE_KEYS_MAX = 200;

/** Caller of what the maintenance service does by itself; its instance follows. What a person asks it for is done in that person's name. */
export const AUTOMATIC_ACTOR_PREFIX = 'service:maintenance-scheduler/';

/** Whether nobody asked for what this caller did. */
export const isAutomaticActor = (actor: string): boolean => actor.startsWith(AUTOMATIC_ACTOR_PREFIX);

export interface NoticeRequest {
  readonly rows: readonly FactRow[];
  readonly pruneAfterMs: number;
  /** How long before its removal a session is announced; 0: not at all. */
  readonly noticeMs: number;
  readonly nowMs: number;
}

export interface Announcements {
  readonly actions: readonly MaintenanceAction[];
  /** Sessions that are left to the next announcement. */
  readonly moreCount: number;
}

/** What is to be announced now: sessions, oldest first, at most `NOTICE_KEYS_MAX`; and the first unlinking of archives. */
export function planAnnouncements(request: NoticeRequest & Pick<StoreTotals, 'unlinkAnnouncedAtMs' | BoundFacts>, { announceUnlink, actions: planned }: Pick<MaintenancePlan, 'announceUnlink' | 'actions'>): Announcements {
  const { actions: removals, moreCount } = planRemovalNotices(request);
  const actions = [...removals, ...planBoundNotice(request, planned)];
  if (announceUnlink === undefined || request.unlinkAnnouncedAtMs !== undefined) return { actions, moreCount };
  const { filesCount, bytes } = announceUnlink;
  return { actions: [...actions, { kind: 'announce-unlink', reason: 'retention-over', bytes, filesCount, notBeforeMs: request.nowMs + UNLINK_NOTICE_MS }], moreCount };
}

type BoundFacts = 'boundsAnnouncedAtMs' | 'removedBefore';
type BoundNotice = Pick<NoticeRequest, 'nowMs' | 'noticeMs'> & Pick<StoreTotals, BoundFacts>;

const isByBound = ({ kind, key }: MaintenanceAction): boolean => (kind === 'cap-overflow' || kind === 'evict-budget') && key !== undefined && needsNotice(key);

/** A time that a wrong clock has put into the future is none. */
const boundsToldAtMs = ({ boundsAnnouncedAtMs: atMs, nowMs }: BoundNotice): number | undefined => (atMs !== undefined && Number.isFinite(atMs) && atMs <= nowMs ? atMs : undefined);

function planBoundNotice(request: BoundNotice, planned: readonly MaintenanceAction[]): MaintenanceAction[] {
  const { removedBefore = false, nowMs, noticeMs } = request;
  const sessionsCount = planned.filter(isByBound).length;
  if (sessionsCount === 0 || removedBefore || !isLimit(noticeMs) || boundsToldAtMs(request) !== undefined) return [];
  return [{ kind: 'announce-bounds', reason: 'over-max-entries', bytes: 0, sessionsCount, notBeforeMs: nowMs + noticeMs }];
}

function boundsMustWait(request: BoundNotice): boolean {
  const atMs = boundsToldAtMs(request);
  return request.removedBefore !== true && isLimit(request.noticeMs) && (atMs === undefined || request.nowMs - atMs < request.noticeMs);
}

function planRemovalNotices({ rows, pruneAfterMs, noticeMs, nowMs }: NoticeRequest): Announcements {
  if (!isLimit(pruneAfterMs) || !isLimit(noticeMs)) return { actions: [], moreCount: 0 };
  const due = new Set(planPrune(rows, Math.max(1, pruneAfterMs - noticeMs), nowMs).map((action) => action.key));
  const fresh = oldestRows(rows.filter((row) => due.has(row.key) && needsNotice(row.key) && announcedAtMs(row, nowMs) === undefined), nowMs);
  const actions = fresh.slice(0, NOTICE_KEYS_MAX).map(
    (row): MaintenanceAction => ({
      kind: 'announce-removal',
      reason: 'older-than-limit',
      key: row.key,
      ...(row.sessionId === undefined ? {} : { expectedSessionId: row.sessionId }),
      ...(row.updatedAtMs === undefined ? {} : { expectedUpdatedAtMs: row.updatedAtMs }),
      bytes: 0,
      notBeforeMs: Math.max(nowMs + noticeMs, agedFromMs(row, nowMs) + pruneAfterMs + 1),
    }),
  );
  return { actions, moreCount: fresh.length - actions.length };
}

/**
 * The actions that an automatic run may carry out: removals for age wait until their notice is over, the
 * first ones for a bound until the store's is.
 * @param rows those that the actions were planned from.
 */
export function holdUnannounced(
  actions: readonly MaintenanceAction[],
  { rows, ...request }: Pick<NoticeRequest, 'rows'> & BoundNotice,
): { readonly actions: readonly MaintenanceAction[]; readonly held: readonly MaintenanceAction[] } {
  const { nowMs, noticeMs } = request;
  const boundsWait = boundsMustWait(request);
  const byKey = new Map(rows.map((row) => [row.key, row]));
  const mustWait = (action: MaintenanceAction): boolean => {
    if (isByBound(action)) return boundsWait;
    if (action.kind !== 'prune-stale' || action.key === undefined || !isLimit(noticeMs) || !needsNotice(action.key)) return false;
    const row = byKey.get(action.key);
    const atMs = row === undefined ? undefined : announcedAtMs(row, nowMs);
    return atMs === undefined || nowMs - atMs < noticeMs;
  };
  return { actions: actions.filter((action) => !mustWait(action)), held: actions.filter(mustWait) };
}

function needsNotice(key: string): boolean {
  return !isSyntheticKey(key);
}

/** A notice from the future, of a clock that was wrong, has not begun and is given again. */
function announcedAtMs({ removalAnnouncedAtMs: atMs }: FactRow, nowMs: number): number | undefined {
  return atMs !== undefined && Number.isFinite(atMs) && atMs <= nowMs ? atMs : undefined;
}
