/** DeleteSession: the row goes, its files become archives. */
import { StoreServiceDeleteSessionResponse, type StoreServiceDeleteSessionRequest } from '@sessions/contracts';
import type { CallContext } from '@sessions/bus';
import { decideDelete, type DeleteAnswer } from '../decisions/decide-delete';
import type { OwnedAgent } from '../owned-agent';
import { requestHash } from './request-hash';
import { actorOf, holdsOf, pathsOf } from './session-holds';

/** @throws MAIN_PROTECTED, ENTRY_CHANGED, SESSION_LOCKED, IDEMPOTENCY_MISMATCH; RunsOpen */
export async function deleteSession(agent: OwnedAgent, request: StoreServiceDeleteSessionRequest, context: CallContext): Promise<StoreServiceDeleteSessionResponse> {
  const { key, deleteTranscript, expectedSessionId } = request;
  const asked = { key, deleteTranscript, expectedSessionId, actor: actorOf(context) };
  const contentHash = requestHash('DeleteSession', [key, deleteTranscript, expectedSessionId ?? '']);
  if (!(await agent.hasStore())) return StoreServiceDeleteSessionResponse.create({ deleted: false });
  return agent.mutateHeld<DeleteAnswer, StoreServiceDeleteSessionResponse>(
    {
      files: (store) => holdsOf(store, key, 'deleted', true),
      request: (held) => ({ method: 'DeleteSession', context, contentHash, plan: (view) => decideDelete({ ...asked, held }, view) }),
    },
    ({ result, epoch, seq }, store) =>
      Promise.resolve(
        StoreServiceDeleteSessionResponse.create({ epoch, storeSeq: seq, deleted: result.deleted, archived: pathsOf(store, result.archived), sessionId: result.sessionId ?? undefined }),
      ),
  );
}
