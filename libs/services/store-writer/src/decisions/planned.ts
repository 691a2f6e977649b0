/** What a decision is: effects for the store, an answer for the caller, events for everybody else. */
import { SessionRow } from '@sessions/contracts';
import { parseEntry, toSessionRow, type JsonObject, type JsonValue } from '@sessions/domain';
import type { Decision, PutEntryEffect } from '@sessions/store';
import type { Announcement } from '../publish-events';

export interface Planned<T extends JsonValue> {
  readonly decision: Decision<T>;
  /** Published once the decision is durable, in this order. */
  readonly announcements: readonly Announcement[];
}

/** Every stored answer names its method: the same idempotency key at another method is a mistake. */
export type StoredAnswer<Method extends string, Members extends JsonObject> = Members & { readonly method: Method };

/** Members of an entry after an effect. Unknown members are in it as they were. */
export function membersAfter(before: JsonObject, effect: Pick<PutEntryEffect, 'set' | 'clear'>): JsonObject {
  const after: Record<string, JsonValue | undefined> = { ...before, ...effect.set };
  for (const name of effect.clear ?? []) delete after[name];
  return after;
}

/** The encoded row of an entry; undefined for one that lists do not show. */
export function rowOf(agentId: string, key: string, members: JsonObject, messageCount?: number): Uint8Array | undefined {
  const entry = parseEntry(members);
  if (!entry.listed) return undefined;
  return SessionRow.encode(toSessionRow(key, entry, { agentId, ...(messageCount === undefined ? {} : { messageCount }) })).finish();
}
