/**
 * Retention with notice: before an automatic run first removes sessions for their age, it says which:
 * nobody loses a conversation unasked. What it says are keys and times, never contents.
 *
 * Age can be foreseen, so age waits for the notice. A bound on count or size is kept at once: those
 * sessions are named together with their removal, and the archive keeps them meanwhile. Rows that
 * programs made for themselves, and what a person asks for, need no notice.
 */
import type { MaintenanceAction } from './actions';
import { agedFromMs, isLimit, oldestRows, type FactRow } from './facts';
import { planPrune } from './plan-prune';
import { isSyntheticKey } from './protection';

/** How long before its removal a session is announced. */
export const REMOVAL_NOTICE_MS = 24 * 3_600_000;
/** Sessions named in one announcement; the others are counted and named next time. */
export const NOTICE_KEYS_MAX = 200;

/** A session that was announced, by key: which transcript, and when. */
export interface Announced {
  readonly sessionId: string | undefined;
  readonly updatedAtMs: number | undefined;
  readonly announcedAtMs: number;
}

export interface Notice {
  readonly key: string;
  readonly sessionId: string | undefined;
  readonly updatedAtMs: number | undefined;
  /** Earliest time of its removal, if nobody writes to it. */
  readonly removeAtMs: number;
}

export interface NoticeRequest {
  readonly rows: readonly FactRow[];
  readonly pruneAfterMs: number;
  readonly nowMs: number;
  readonly noticeMs?: number;
  readonly announced: ReadonlyMap<string, Announced>;
}

/** Sessions to announce now, oldest first; at most `NOTICE_KEYS_MAX`. */
export function planNotices({ rows, pruneAfterMs, nowMs, noticeMs = REMOVAL_NOTICE_MS, announced }: NoticeRequest): { readonly notices: readonly Notice[]; readonly moreCount: number } {
  if (!isLimit(pruneAfterMs)) return { notices: [], moreCount: 0 };
  const due = new Set(planPrune(rows, Math.max(1, pruneAfterMs - noticeMs), nowMs).map((action) => action.key));
  const fresh = oldestRows(rows.filter((row) => due.has(row.key) && needsNotice(row.key) && !isAnnounced(row, announced.get(row.key))), nowMs);
  const notices = fresh.slice(0, NOTICE_KEYS_MAX).map((row) => ({
    key: row.key,
    sessionId: row.sessionId,
    updatedAtMs: row.updatedAtMs,
    removeAtMs: Math.max(nowMs + noticeMs, agedFromMs(row, nowMs) + pruneAfterMs + 1),
  }));
  return { notices, moreCount: fresh.length - notices.length };
}

/**
 * The actions that an automatic run may carry out: removals for age wait until their notice is over.
 * A session that was used or reset since is announced anew; a notice from the future has not begun.
 */
export function holdUnannounced(
  actions: readonly MaintenanceAction[],
  { announced, nowMs, noticeMs = REMOVAL_NOTICE_MS }: Pick<NoticeRequest, 'announced' | 'nowMs' | 'noticeMs'>,
): { readonly actions: readonly MaintenanceAction[]; readonly held: readonly MaintenanceAction[] } {
  const mustWait = (action: MaintenanceAction): boolean => {
    if (action.kind !== 'prune-stale' || action.key === undefined || !needsNotice(action.key)) return false;
    const known = announced.get(action.key);
    const isSame = known !== undefined && known.sessionId === action.expectedSessionId && known.updatedAtMs === action.expectedUpdatedAtMs;
    return !isSame || !(nowMs - known.announcedAtMs >= noticeMs);
  };
  return { actions: actions.filter((action) => !mustWait(action)), held: actions.filter(mustWait) };
}

function needsNotice(key: string): boolean {
  return !isSyntheticKey(key);
}

function isAnnounced(row: FactRow, known: Announced | undefined): boolean {
  return known !== undefined && known.sessionId === row.sessionId && known.updatedAtMs === row.updatedAtMs;
}
