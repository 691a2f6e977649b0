/** DeleteSession: the row goes, its files are set aside. A key without a row is no error. */
import { DeleteSessionResponse, StoreServiceDeleteSessionRequest } from '@sessions/contracts';
import type { DeleteSessionRequest } from '@sessions/contracts';
import { SessionError, asAgentId, mainSessionKey, normaliseSessionKey } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import { assertKnownAgent, assertOneAgent } from './known-agent';
import { ENDING_RUN_BUDGET_MS } from './reset-session';
import { resolveAddress } from './resolve-address';

/** @throws MAIN_PROTECTED, AGENT_UNKNOWN, SESSION_NOT_FOUND for a session id, RUN_STILL_ACTIVE */
export async function deleteSession(deps: HandlerDeps, request: DeleteSessionRequest, context: CallContext): Promise<DeleteSessionResponse> {
  await assertKnownAgent(deps, request.agentId, context);
  assertOneAgent(request);
  const { agentId, key } = await resolveAddress(deps, request, context);
  const mainKey = mainSessionKey(asAgentId(agentId), deps.config().session.scope);
  if (key === mainKey || normaliseSessionKey(key) === mainKey) {
    throw new SessionError('MAIN_PROTECTED', `Cannot delete the main session (${key}).`);
  }
  if (!(await deps.agents.hasStore(agentId, context))) return DeleteSessionResponse.create({ key, deleted: false });
  const { deleted, archived } = await deps.stores.mutate(
    'deleteSession',
    StoreServiceDeleteSessionRequest.create({ agentId, key, deleteTranscript: request.deleteTranscript ?? true }),
    context,
    { budgetMs: ENDING_RUN_BUDGET_MS },
  );
  return DeleteSessionResponse.create({ key, deleted, archived });
}
