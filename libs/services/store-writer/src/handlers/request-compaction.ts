/** RequestCompaction: a summary is asked for; it is in the journal when this answers, and workers hear of it after. */
import { CompactionResult, RequestCompactionResponse, type RequestCompactionRequest } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import { decideRequestCompaction, type RequestCompactionAnswer } from '../decisions/decide-request-compaction';
import { REQUEST_REASONS } from '../decisions/pending-compaction';
import type { OwnedAgent } from '../owned-agent';
import { requestHash } from './request-hash';

/** What a person may say about a summary. Characters. */
export const INSTRUCTIONS_CHARS_MAX = 4_000;

/** @throws VALIDATION, SESSION_NOT_FOUND, IDEMPOTENCY_MISMATCH; RunsOpen */
export async function requestCompaction(agent: OwnedAgent, request: RequestCompactionRequest, context: CallContext): Promise<RequestCompactionResponse> {
  const { key, instructions } = request;
  const reason = REQUEST_REASONS.find((each) => each === (request.reason === '' ? 'manual' : request.reason));
  if (reason === undefined) throw new SessionError('VALIDATION', `reason must be one of ${REQUEST_REASONS.join(', ')}`);
  if (instructions !== undefined && instructions.length > INSTRUCTIONS_CHARS_MAX) throw new SessionError('VALIDATION', `instructions have at most ${String(INSTRUCTIONS_CHARS_MAX)} characters`);
  if (!(await agent.hasStore())) throw new SessionError('SESSION_NOT_FOUND', `No session found: ${key}`);
  const asked = { agentId: agent.agentId, key, reason, instructions };
  const contentHash = requestHash('RequestCompaction', [key, reason, instructions ?? '']);
  return agent.mutate<RequestCompactionAnswer, RequestCompactionResponse>(
    { method: 'RequestCompaction', context, contentHash, plan: (view) => decideRequestCompaction(asked, view) },
    ({ result, epoch, seq, repeated }, _store, { compactions }) => {
      const { operationId, snapshotTipId, sessionId, joined, nothing, requestedAtMs } = result;
      if (operationId === null || snapshotTipId === null || sessionId === null) {
        const ok = nothing !== 'simple format';
        return Promise.resolve(RequestCompactionResponse.create({ epoch, storeSeq: seq, result: CompactionResult.create({ ok, compacted: false, reason: nothing ?? undefined }), sessionId: sessionId ?? undefined }));
      }
      // A repeated request may be about an operation that has ended since.
      if (!repeated) compactions.asked({ operationId, sessionId, reason, instructions, snapshotTipId, requestedAtMs, key: result.key });
      return Promise.resolve(RequestCompactionResponse.create({ epoch, storeSeq: seq, operationId, joined, snapshotTipId, sessionId }));
    },
  );
}
