/**
 * What an entry of `sessions.json` tells about its session. Members this system does not know are
 * never touched: whoever changes an entry goes through `patchRawObject`, this file only reads.
 */
import { isSessionId, type SessionId } from '../ids';
import { isJsonObject, type JsonObject } from '../json';
import { transcriptFileOf } from './entry-file';

/** Members of an entry, as stored; each may have any JSON value, a reader checks. */
export type EntryMembers = JsonObject;

export type ParsedEntry =
  | {
      readonly listed: true;
      readonly format: 'native' | 'simple';
      readonly members: EntryMembers;
      /** Null when the stored id is safe but can name no file and no `sessionFile` is given. */
      readonly sessionId: SessionId | null;
      /** Transcript's file name inside the sessions directory; null without one. */
      readonly file: string | null;
      /** Epoch milliseconds; null when the entry has no such member; 0 for a value that is no instant. */
      readonly updatedAtMs: number | null;
    }
  | { readonly listed: false; readonly why: UnlistedReason };

export type UnlistedReason = 'not-an-object' | 'no-session-id' | 'unsafe-session-id';

/** Longest session id that keeps its row. */
const SESSION_ID_CHARS_MAX = 255;
const UNSAFE_ID = /[/\\\u0000-\u001f]|\.\./;
/** A later instant is a mistake; lists would not be able to carry it. */
const INSTANT_MAX = Number.MAX_SAFE_INTEGER;

/**
 * Reads one value of the sessions file. Values that are no entries stay in the file and are not
 * listed (measured: non-objects, null, ids with `/`, `\\`, `..` or beyond 255 characters).
 * @param sessionsDir absolute path of the directory, to judge an absolute `sessionFile` by.
 */
export function parseEntry(value: unknown, sessionsDir?: string): ParsedEntry {
  if (!isJsonObject(value)) return { listed: false, why: 'not-an-object' };
  const format = value['sessionId'] === undefined || value['sessionId'] === null ? 'simple' : 'native';
  const id = format === 'native' ? value['sessionId'] : value['uuid'];
  if (id === undefined || id === null) return { listed: false, why: 'no-session-id' };
  if (typeof id !== 'string' || !isSafeId(id)) return { listed: false, why: 'unsafe-session-id' };
  const file = transcriptFileOf(id, value['sessionFile'], sessionsDir);
  const sessionId = isSessionId(id) || file !== null ? (id as SessionId) : null;
  return { listed: true, format, members: value, sessionId, file, updatedAtMs: updatedAtOf(value, format) };
}

function isSafeId(id: string): boolean {
  return id !== '' && id.length <= SESSION_ID_CHARS_MAX && !UNSAFE_ID.test(id);
}

function updatedAtOf(members: EntryMembers, format: 'native' | 'simple'): number | null {
  const stored = members['updatedAt'];
  if (stored === undefined) return format === 'simple' ? (instantOf(members['lastActive']) ?? null) : null;
  return typeof stored === 'number' && stored >= 0 ? Math.min(Math.floor(stored) + 0, INSTANT_MAX) : 0;
}

/** Epoch milliseconds of an ISO string; undefined for anything else. */
export function instantOf(value: unknown): number | undefined {
  if (typeof value !== 'string' || !/^\d{4}-\d\d/.test(value)) return undefined;
  const parsed = Date.parse(value);
  return Number.isFinite(parsed) ? parsed : undefined;
}
