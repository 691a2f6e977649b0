/** ClaimChild and ReleaseChild: the number of sub-agents of a session, judged by the owner of that session. */
import { ClaimChildResponse, ReleaseChildResponse, type ClaimChildRequest, type ReleaseChildRequest } from '@sessions/contracts';
import { SessionError, assertCreatableKey } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import { decideClaimChild, decideReleaseChild, type ClaimChildAnswer, type ReleaseChildAnswer } from '../decisions/child-claims';
import type { OwnedAgent } from '../owned-agent';
import { requestHash } from './request-hash';

/** Rows of sub-agents that one claim names. */
const NAMED_KEYS_MAX = 2_000;

/** @throws VALIDATION, KEY_INVALID, SESSION_NOT_FOUND, SPAWN_DENIED, IDEMPOTENCY_MISMATCH */
export async function claimChild(agent: OwnedAgent, { key, childKey, childrenMax, activeKeys, endedKeys }: ClaimChildRequest, context: CallContext): Promise<ClaimChildResponse> {
  assertCreatableKey(childKey);
  if (childrenMax < 1) throw new SessionError('VALIDATION', `children_max is at least 1, not ${String(childrenMax)}`);
  if (activeKeys.length + endedKeys.length > NAMED_KEYS_MAX) throw new SessionError('VALIDATION', `a claim names at most ${String(NAMED_KEYS_MAX)} sub-agents`);
  // What the rows said may differ when the call is made again.
  const contentHash = requestHash('ClaimChild', [key, childKey]);
  const plan = { key, childKey, childrenMax, activeKeys, endedKeys };
  return agent.mutate<ClaimChildAnswer, ClaimChildResponse>({ method: 'ClaimChild', context, contentHash, plan: (view) => decideClaimChild(plan, view) }, ({ result, epoch, seq }) =>
    Promise.resolve(ClaimChildResponse.create({ epoch, storeSeq: seq, active: result.active })),
  );
}

/** @throws SESSION_NOT_FOUND, IDEMPOTENCY_MISMATCH */
export async function releaseChild(agent: OwnedAgent, { key, childKey }: ReleaseChildRequest, context: CallContext): Promise<ReleaseChildResponse> {
  const contentHash = requestHash('ReleaseChild', [key, childKey]);
  return agent.mutate<ReleaseChildAnswer, ReleaseChildResponse>({ method: 'ReleaseChild', context, contentHash, plan: (view) => decideReleaseChild({ key, childKey }, view) }, ({ result, epoch, seq }) =>
    Promise.resolve(ReleaseChildResponse.create({ epoch, storeSeq: seq, released: result.released })),
  );
}
