/** CreateSession: a session before anything is said in it; an existing key keeps its session. */
import { ForkSessionRequest, StoreServiceCreateSessionResponse, type StoreServiceCreateSessionRequest } from '@sessions/contracts';
import { SessionError, assertCreatableKey, storedSpellings, parseSessionKey, slugAgentId } from '@sessions/domain';
import { idempotencyKeyOf, type CallContext } from '@sessions/bus';
import { decideCreate, type CreateAnswer, type Creation } from '../decisions/decide-create';
import { readFieldChanges } from '../decisions/field-patch';
import { uuidV7 } from '../new-ids';
import type { OwnedAgent } from '../owned-agent';
import { answeredEntry } from './entry-json';
import { forkSession } from './fork-session';
import { goneSince } from './gone-since';
import { newSessionOf } from './new-session-of';
import { requestHash } from './request-hash';

/** @throws VALIDATION, KEY_INVALID, LABEL_IN_USE, SESSION_NOT_FOUND for an unknown parent, ENTRY_CHANGED, IDEMPOTENCY_MISMATCH */
export async function createSession(agent: OwnedAgent, request: StoreServiceCreateSessionRequest, context: CallContext): Promise<StoreServiceCreateSessionResponse> {
  if (request.fork) return createFork(agent, request, context);
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
      const entry = await store.entry({ anyOf: storedSpellings(result.key) });
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

/** @throws as `forkSession`; VALIDATION without a parent, or with a session id of the caller's own */
async function createFork(agent: OwnedAgent, request: StoreServiceCreateSessionRequest, context: CallContext): Promise<StoreServiceCreateSessionResponse> {
  const { agentId, key, fields, parentSessionKey, forkContextTokens } = request;
  if (parentSessionKey === undefined) throw new SessionError('VALIDATION', 'a fork needs the session that it begins with');
  if (request.sessionId !== undefined) throw new SessionError('VALIDATION', 'a fork gets a session id of its own');
  const { epoch, storeSeq, forked, refusal, ...made } = await forkSession(agent, ForkSessionRequest.create({ agentId, sourceKey: parentSessionKey, targetKey: key, fields, contextTokens: forkContextTokens }), context);
  const { sessionId, entryJson, encodedRow } = made;
  return StoreServiceCreateSessionResponse.create({ epoch, storeSeq, key: made.key, sessionId, entryJson, encodedRow, created: true, forked, forkRefusal: refusal });
}
