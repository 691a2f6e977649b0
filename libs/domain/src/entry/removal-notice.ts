/**
 * The announcement of a session's removal, as its entry holds it: journalled with the entry, so that a
 * new leader of the maintenance neither repeats it nor begins its time anew. It is about the session as
 * it stood: with a message, a reset or a restore it is void. It is archived and erased with the entry.
 */
import { isJsonObject, type JsonObject, type JsonValue } from '../json';

export const REMOVAL_NOTICE_MEMBER = 'removalNotice';

/** The row that a notice is about. */
export interface NoticedRow {
  readonly sessionId: string | null;
  /** As stored; null: the entry has none. */
  readonly updatedAtMs: number | null;
}

export function writeRemovalNotice({ sessionId, updatedAtMs }: NoticedRow, nowMs: number): Record<string, JsonValue> {
  return { [REMOVAL_NOTICE_MEMBER]: { announcedAt: nowMs, sessionId, updatedAt: updatedAtMs } };
}

/** When the removal of the row as it stands was announced; undefined: it was not. */
export function removalAnnouncedAtMs(members: JsonObject, { sessionId, updatedAtMs }: NoticedRow): number | undefined {
  const notice = members[REMOVAL_NOTICE_MEMBER];
  if (!isJsonObject(notice) || typeof notice['announcedAt'] !== 'number') return undefined;
  return notice['sessionId'] === sessionId && notice['updatedAt'] === updatedAtMs ? notice['announcedAt'] : undefined;
}
