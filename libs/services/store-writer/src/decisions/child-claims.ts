/**
 * Places among the active sub-agents of a session, taken in its entry before a sub-agent is made: the
 * one thing about a spawn that all spawns of a session agree on, through whatever router they come.
 *
 * A place bridges the time until the sub-agent's row can be read. From then on the row counts, so a
 * place ends by itself when no spawn can still be under way, and at once when the sub-agent was seen
 * to have ended, has told its result, or was not made. Pure.
 */
import { CHILD_CLAIMS_MEMBER, SessionError, childrenDenial, isJsonObject, isSameKey, type JsonObject, type JsonValue } from '@sessions/domain';
import type { MutationView } from '@sessions/store';
import type { Planned, StoredAnswer } from './planned';
import { findSession, type PresentSession } from './session-of-key';

/** Longer than a call of a tool lives, from the reading of the rows to the making of the child. Milliseconds. */
export const CHILD_CLAIM_MS = 15 * 60_000;

interface ChildClaim {
  readonly key: string;
  readonly atMs: number;
}

export interface ClaimChildAsked {
  readonly key: string;
  readonly childKey: string;
  readonly childrenMax: number;
  /** What rows said before the call. */
  readonly activeKeys: readonly string[];
  readonly endedKeys: readonly string[];
}

export type ClaimChildAnswer = StoredAnswer<'ClaimChild', { readonly active: number }>;
export type ReleaseChildAnswer = StoredAnswer<'ReleaseChild', { readonly released: boolean }>;

/** @throws SESSION_NOT_FOUND; SPAWN_DENIED when all places are taken */
export function decideClaimChild({ key, childKey, childrenMax, activeKeys, endedKeys }: ClaimChildAsked, view: MutationView): Planned<ClaimChildAnswer> {
  const present = presentSession(view, key);
  const ended = new Set(endedKeys);
  const held = claimsOf(present.members).filter((claim) => claim.key !== childKey && !ended.has(claim.key) && view.nowMs - claim.atMs < CHILD_CLAIM_MS);
  const taken = new Set([...held.map((claim) => claim.key), ...activeKeys.filter((active) => active !== childKey)]);
  if (taken.size >= childrenMax) throw new SessionError('SPAWN_DENIED', childrenDenial(taken.size, childrenMax), { facts: { active: taken.size, childrenMax } });
  const put = claimMembers([...held, { key: childKey, atMs: view.nowMs }], present.members);
  return { decision: { effects: [{ kind: 'putEntry', key: present.key, ...put }], result: { method: 'ClaimChild', active: taken.size + 1 } }, announcements: [] };
}

/** @throws SESSION_NOT_FOUND */
export function decideReleaseChild({ key, childKey }: Pick<ClaimChildAsked, 'key' | 'childKey'>, view: MutationView): Planned<ReleaseChildAnswer> {
  const present = presentSession(view, key);
  const put = withoutClaim(present.members, childKey);
  const effects = put === undefined ? [] : [{ kind: 'putEntry', key: present.key, ...put } as const];
  return { decision: { effects, result: { method: 'ReleaseChild', released: put !== undefined } }, announcements: [] };
}

/** What the message of a sub-agent that has ended changes in the entry of who spawned it. */
export function endedClaim(members: JsonObject, provenance: JsonObject | undefined): ClaimMembers {
  const isResult = provenance?.['sourceTool'] === 'sessions_spawn' && typeof provenance['sourceSessionKey'] === 'string';
  return (isResult ? withoutClaim(members, String(provenance['sourceSessionKey'])) : undefined) ?? { set: {}, clear: [] };
}

interface ClaimMembers {
  readonly set: Record<string, JsonValue>;
  readonly clear: readonly string[];
}

function withoutClaim(members: JsonObject, childKey: string): ClaimMembers | undefined {
  const claims = claimsOf(members);
  const left = claims.filter(({ key }) => !isSameKey(key, childKey));
  return left.length === claims.length ? undefined : claimMembers(left, members);
}

function claimMembers(claims: readonly ChildClaim[], before: JsonObject): ClaimMembers {
  if (claims.length > 0) return { set: { [CHILD_CLAIMS_MEMBER]: claims.map(({ key, atMs }) => ({ key, at: atMs })) }, clear: [] };
  return { set: {}, clear: before[CHILD_CLAIMS_MEMBER] === undefined ? [] : [CHILD_CLAIMS_MEMBER] };
}

function claimsOf(members: JsonObject): readonly ChildClaim[] {
  const value = members[CHILD_CLAIMS_MEMBER];
  if (!Array.isArray(value)) return [];
  return (value as readonly JsonValue[]).flatMap((one) => (isJsonObject(one) && typeof one['key'] === 'string' && typeof one['at'] === 'number' ? [{ key: one['key'], atMs: one['at'] }] : []));
}

function presentSession(view: MutationView, key: string): PresentSession {
  const present = findSession(view, key);
  if (present === undefined) throw new SessionError('SESSION_NOT_FOUND', `No session found: ${key}`);
  return present;
}
