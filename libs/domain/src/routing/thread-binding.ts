/**
 * A thread of a channel that is bound to a spawned session: its messages go there instead of to the
 * session of the thread, until it is unbound, was silent too long, or is bound too long. Pure.
 *
 * Two entries hold it and have to agree: that of the thread names the session (`BOUND_SESSION_MEMBER`),
 * that of the session the thread (`THREAD_BINDING_MEMBER`).
 */
import { isJsonObject, type JsonObject, type JsonValue } from '../json';

export const BOUND_SESSION_MEMBER = 'boundSession';
export const THREAD_BINDING_MEMBER = 'threadBinding';

const HOUR_MS = 60 * 60_000;

export interface BoundSession {
  readonly sessionKey: string;
  readonly boundAtMs: number;
  /** 0: never. */
  readonly idleHours: number;
  /** 0: never. */
  readonly maxAgeHours: number;
  /** Undefined: nobody has unbound it. */
  readonly endedAtMs?: number | undefined;
}

export interface ThreadPlace {
  readonly channel: string;
  readonly to: string;
  readonly accountId?: string | undefined;
  readonly threadId?: string | undefined;
}

/** As the entry of the thread's own session says it; undefined: it was never bound. */
export function boundSessionOf(entry: JsonObject): BoundSession | undefined {
  const value = entry[BOUND_SESSION_MEMBER];
  if (!isJsonObject(value)) return undefined;
  const { sessionKey, boundAt, idleHours, maxAgeHours, endedAt } = value;
  if (typeof sessionKey !== 'string' || typeof boundAt !== 'number') return undefined;
  const hours = (given: JsonValue | undefined): number => (typeof given === 'number' && given > 0 ? given : 0);
  return { sessionKey, boundAtMs: boundAt, idleHours: hours(idleHours), maxAgeHours: hours(maxAgeHours), ...(typeof endedAt === 'number' && { endedAtMs: endedAt }) };
}

export function boundSessionMember({ sessionKey, boundAtMs, idleHours, maxAgeHours, endedAtMs }: BoundSession): JsonObject {
  return { sessionKey, boundAt: boundAtMs, idleHours, maxAgeHours, ...(endedAtMs !== undefined && { endedAt: endedAtMs }) };
}

/** @param lastInteractionAtMs of the bound session; undefined: nobody has spoken with it */
export function bindingHolds({ boundAtMs, idleHours, maxAgeHours, endedAtMs }: BoundSession, lastInteractionAtMs: number | undefined, nowMs: number): boolean {
  if (endedAtMs !== undefined) return false;
  if (maxAgeHours > 0 && nowMs - boundAtMs >= maxAgeHours * HOUR_MS) return false;
  return idleHours === 0 || nowMs - Math.max(boundAtMs, lastInteractionAtMs ?? 0) < idleHours * HOUR_MS;
}

/** True where the entry of a session says that it is bound to this thread. */
export function isBoundTo(entry: JsonObject, { channel, to, accountId, threadId }: ThreadPlace): boolean {
  const value = entry[THREAD_BINDING_MEMBER];
  if (!isJsonObject(value)) return false;
  const same = (a: JsonValue | undefined, b: string | undefined): boolean => String(a ?? '').toLowerCase() === (b ?? '').toLowerCase();
  const account = (name: JsonValue | undefined): string => String(name ?? 'default').toLowerCase();
  return same(value['channel'], channel) && same(value['to'], to) && same(value['threadId'], threadId) && account(value['accountId']) === account(accountId);
}
