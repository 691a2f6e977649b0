/** CreateSession: a session before anything is said in it; an existing key keeps its session. */
import { StoreServiceCreateSessionResponse, type StoreServiceCreateSessionRequest } from '@sessions/contracts';
import { SessionError, assertCreatableKey, lookupCandidates, parseSessionKey, slugAgentId } from '@sessions/domain';
import { idempotencyKeyOf, type CallContext } from '@sessions/bus';
import { decideCreate, type CreateAnswer, type Creation } from '../decisions/decide-create';
import { readFieldChanges } from '../decisions/field-patch';
import { uuidV7 } from '../new-ids';
import type { OwnedAgent } from '../owned-agent';
import { answeredEntry } from './entry-json';
import { newSessionOf } from './new-session-of';
import { requestHash } from './request-hash';

/** @throws VALIDATION, KEY_INVALID, LABEL_IN_USE, SESSION_NOT_FOUND for an unknown parent, ENTRY_CHANGED, IDEMPOTENCY_MISMATCH */
export async function createSession(agent: OwnedAgent, request: StoreServiceCreateSessionRequest, context: CallContext): Promise<StoreServiceCreateSessionResponse> {
  if (request.fork) throw new SessionError('UNSUPPORTED', 'a session cannot be begun as a fork here: create it without fork');
  const key = request.key ?? `agent:${agent.agentId}:dashboard:${uuidV7(agent.deps.clock.nowMs())}`;
  assertCreatableKey(key);
  const parentAgent = request.parentSessionKey === undefined ? undefined : parseSessionKey(request.parentSessionKey).agentId;
  const creation: Creation = {
    agentId: agent.agentId,
    key,
    fields: readFieldChanges(request.fields),
    ...(request.parentSessionKey === undefined
      ? {}
      : { parent: { key: request.parentSessionKey, inThisStore: parentAgent === undefined || slugAgentId(parentAgent) === agent.agentId } }),
    session: newSessionOf(agent, key, request.sessionId),
    ownSessionId: request.sessionId !== undefined,
  };
  const contentHash = requestHash('CreateSession', [request.key ?? '', creation.fields, request.parentSessionKey ?? '', request.sessionId ?? '']);
  return agent.mutate<CreateAnswer, StoreServiceCreateSessionResponse>(
    { method: 'CreateSession', context, contentHash, plan: (view) => decideCreate(creation, view) },
    async ({ result, epoch, seq }, store) => {
      const entry = await store.entry({ anyOf: lookupCandidates(result.key) });
      if (entry === undefined) throw goneSince(idempotencyKeyOf(context));
      return StoreServiceCreateSessionResponse.create({
        epoch,
        storeSeq: seq,
        key: result.key,
        sessionId: result.sessionId ?? '',
        entryJson: answeredEntry(entry.text),
        created: result.created,
        encodedRow: Buffer.from(entry.encodedRow),
      });
    },
  );
}

/** A repeated request is answered from the store; what it made may have been deleted since. */
export function goneSince(idempotencyKey: string): SessionError {
  return new SessionError('SESSION_NOT_FOUND', 'the session of this request has been deleted since', { facts: { idempotencyKeyLength: idempotencyKey.length } });
}
