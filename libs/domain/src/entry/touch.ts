/**
 * Which members of an entry a creation and an inbound message set (the store format's table of
 * occasions). Instants are epoch milliseconds.
 */
import type { JsonValue } from '../json';

type Members = Record<string, JsonValue>;

/** Members that may be absent or null in the making; absent ones are left out. */
export type OptionalMembers = Readonly<Record<string, JsonValue | undefined>>;

export interface NewEntry {
  readonly sessionId: string;
  /** Absolute path or name of the transcript, as the original stores it. */
  readonly sessionFile: string;
  readonly nowMs: number;
}

/** A new entry: identity and time first, then what was given. */
export function createEntryFields({ sessionId, sessionFile, nowMs }: NewEntry, given: OptionalMembers = {}): Members {
  return { sessionId, sessionFile, updatedAt: nowMs, ...present(given) };
}

/**
 * The first message of a session, on top of `createEntryFields`.
 * @param origin members that tell where the message came from; null ones are not stored.
 */
export function firstMessageFields(nowMs: number, origin: OptionalMembers): Members {
  return { sessionStartedAt: nowMs, lastInteractionAt: nowMs, systemSent: false, abortedLastRun: false, ...present(origin) };
}

/** An inbound message to a session that exists. `clear` names members that the message has not. */
export function inboundTouchFields(nowMs: number, origin: OptionalMembers): { readonly set: Members; readonly clear: readonly string[] } {
  const clear = Object.keys(origin).filter((name) => origin[name] === null);
  return { set: { ...present(origin), lastInteractionAt: nowMs, updatedAt: nowMs }, clear };
}

/** Without members that are undefined or null, nested objects likewise. */
function present(members: OptionalMembers): Members {
  const result: Members = {};
  for (const [name, value] of Object.entries(members)) {
    if (value === undefined || value === null) continue;
    result[name] = typeof value === 'object' && !Array.isArray(value) ? present(value as OptionalMembers) : value;
  }
  return result;
}
