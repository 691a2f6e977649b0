/** Which stored session a key means, and what it is while a mutation is decided. */
import {
  SessionError,
  formatSessionKey,
  storedSpellings,
  nativeView,
  parseEntry,
  parseSessionKey,
  type JsonObject,
} from '@sessions/domain';
import type { EntrySnapshot, MutationView } from '@sessions/store';

/** A session as it stands in the store. */
export interface PresentSession {
  /** As stored; it stays so. */
  readonly key: string;
  /** The stored members. */
  readonly members: JsonObject;
  /** The same with native names, also for the tutorial's format. */
  readonly native: JsonObject;
  /** Null: the entry names none that can be used. */
  readonly sessionId: string | null;
  /** Name of the transcript inside the store's directory; null: none can be named. */
  readonly file: string | null;
  readonly updatedAtMs: number | null;
}

/**
 * The live row for a key: the first existing spelling; where both words for direct chats have a row,
 * the one changed last.
 */
export function liveSpelling<E extends { readonly key: string }>(key: string, find: (key: string) => E | undefined, updatedAtOf: (entry: E) => number): E | undefined {
  const candidates = storedSpellings(key);
  const whole = candidates.filter((spelling) => spelling.startsWith('agent:')).map(find).filter((entry) => entry !== undefined);
  // Spellings without an agent are rare: they are looked for only where there is no other.
  const found = whole.length > 0 ? whole : candidates.filter((spelling) => !spelling.startsWith('agent:')).map(find).filter((entry) => entry !== undefined);
  const [first] = found;
  if (first === undefined || found.length === 1) return first;
  const same = found.filter((entry) => directWordless(entry.key) === directWordless(first.key));
  if (same.length === 1) return first;
  return same.reduce((live, entry) => (updatedAtOf(entry) > updatedAtOf(live) ? entry : live), first);
}

/** In the letters of the key: rows that differ in case are different conversations of whoever wrote them, and the exact one is meant. */
function directWordless(key: string): string {
  const parsed = parseSessionKey(key);
  if (parsed.form !== 'direct') return key;
  return formatSessionKey({ ...parsed, word: 'direct' });
}

/** @throws DAMAGED for a value that is no entry: it is kept as it is and nothing is written to it. */
export function findSession(view: MutationView, key: string): PresentSession | undefined {
  const snapshot = liveSpelling(key, (spelling) => view.entry(spelling), (entry) => updatedAtOf(entry));
  return snapshot === undefined ? undefined : readSession(snapshot);
}

/** As `findSession`; an entry whose session id could be taken for a path counts as one without: it can go, and nothing else. */
export function findRow(view: MutationView, key: string): PresentSession | undefined {
  const snapshot = view.entry(key);
  if (snapshot === undefined) return undefined;
  const value: unknown = JSON.parse(snapshot.text);
  const entry = parseEntry(value);
  return entry.listed || entry.why !== 'unsafe-session-id' ? readSession(snapshot) : withoutSession(snapshot.key, value as JsonObject);
}

function withoutSession(key: string, members: JsonObject): PresentSession {
  return { key, members, native: members, sessionId: null, file: null, updatedAtMs: null };
}

function updatedAtOf(snapshot: EntrySnapshot): number {
  const entry = parseEntry(JSON.parse(snapshot.text));
  return entry.listed ? (entry.updatedAtMs ?? 0) : 0;
}

/** @throws DAMAGED */
export function readSession(snapshot: EntrySnapshot): PresentSession {
  const value: unknown = JSON.parse(snapshot.text);
  const entry = parseEntry(value);
  if (entry.listed) {
    const { members, sessionId, file, updatedAtMs } = entry;
    return { key: snapshot.key, members, native: nativeView(members), sessionId, file, updatedAtMs };
  }
  if (entry.why !== 'no-session-id') {
    throw new SessionError('DAMAGED', `the stored entry cannot be used (${entry.why}); it is kept as it is`, {
      facts: { problem: entry.why },
      hint: 'run: openclaw sessions verify',
    });
  }
  return withoutSession(snapshot.key, value as JsonObject);
}
