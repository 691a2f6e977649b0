/**
 * Retention with notice: before an automatic run removes sessions for their age, it says so: nobody
 * loses a conversation unasked. An announcement is an action like any other: its owner keeps it with the
 * row (`entry/removal-notice.ts`), or in the archive manifest, and tells of it once; the plan finds it
 * among the facts, whoever makes the plan by then.
 *
 * Age can be foreseen, so age waits for the notice. A bound on count or size is kept at once: those
 * sessions are named together with their removal, and the archive keeps them meanwhile. Rows that
 * programs made for themselves, and what a person asks for, need no notice.
 */
import type { MaintenanceAction } from './actions';
import { agedFromMs, isLimit, oldestRows, type FactRow, type StoreTotals } from './facts';
import type { MaintenancePlan } from './plan';
import { UNLINK_NOTICE_MS } from './plan-archives';
import { planPrune } from './plan-prune';
import { isSyntheticKey } from './protection';

/** Sessions named in one announcement; the others are counted and named next time. */
export const NOTICE_KEYS_MAX = 200;

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
export function planAnnouncements(request: NoticeRequest & Pick<StoreTotals, 'unlinkAnnouncedAtMs'>, { announceUnlink }: Pick<MaintenancePlan, 'announceUnlink'>): Announcements {
  const { actions, moreCount } = planRemovalNotices(request);
  if (announceUnlink === undefined || request.unlinkAnnouncedAtMs !== undefined) return { actions, moreCount };
  const { filesCount, bytes } = announceUnlink;
  return { actions: [...actions, { kind: 'announce-unlink', reason: 'retention-over', bytes, filesCount, notBeforeMs: request.nowMs + UNLINK_NOTICE_MS }], moreCount };
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
 * The actions that an automatic run may carry out: removals for age wait until their notice is over.
 * @param rows those that the actions were planned from.
 */
export function holdUnannounced(
  actions: readonly MaintenanceAction[],
  { rows, nowMs, noticeMs }: Pick<NoticeRequest, 'rows' | 'nowMs' | 'noticeMs'>,
): { readonly actions: readonly MaintenanceAction[]; readonly held: readonly MaintenanceAction[] } {
  const byKey = new Map(rows.map((row) => [row.key, row]));
  const mustWait = (action: MaintenanceAction): boolean => {
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
