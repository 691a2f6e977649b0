/** ResetSession: another session id under the key; the transcript before is set aside. An unknown key begins. */
import { ResetSessionResponse, StoreServiceResetSessionRequest } from '@sessions/contracts';
import type { ResetSessionRequest } from '@sessions/contracts';
import { SessionError, assertCreatableKey } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import { assertKnownAgent, assertOneAgent } from './known-agent';
import { resolveAddress } from './resolve-address';

/** Reasons that a caller may give; `daily`, `idle` and `cron-run` are the owner's own. */
export const RESET_REASONS = ['new', 'reset', 'clear'] as const;

/** Time for a mutation that may have to wait for the end of an active run. */
export const ENDING_RUN_BUDGET_MS = 25_000;

/** @throws VALIDATION, KEY_INVALID, AGENT_UNKNOWN, SESSION_NOT_FOUND for a session id, RUN_STILL_ACTIVE */
export async function resetSession(deps: HandlerDeps, request: ResetSessionRequest, context: CallContext): Promise<ResetSessionResponse> {
  const reason = request.reason === '' ? 'reset' : request.reason;
  if (!RESET_REASONS.some((known) => known === reason)) throw new SessionError('VALIDATION', `reason must be one of ${RESET_REASONS.join(', ')}`);
  await assertKnownAgent(deps, request.agentId, context);
  assertOneAgent(request);
  const { agentId, key } = await resolveAddress(deps, request, context);
  assertCreatableKey(key);
  const answer = await deps.stores.mutate('resetSession', StoreServiceResetSessionRequest.create({ agentId, key, reason }), context, {
    budgetMs: ENDING_RUN_BUDGET_MS,
  });
  deps.agents.noteWritten(agentId);
  const { sessionId, previousSessionId, entryJson, archived } = answer;
  return ResetSessionResponse.create({ key: answer.key, sessionId, previousSessionId, entryJson, archived });
}
