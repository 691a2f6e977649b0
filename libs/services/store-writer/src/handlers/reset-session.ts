/** ResetSession: a new session id under the same key, the transcript so far in an archive. */
import { StoreServiceResetSessionResponse, type StoreServiceResetSessionRequest } from '@sessions/contracts';
import { SessionError, assertCreatableKey, modelFor, type ResetReason } from '@sessions/domain';
import { idempotencyKeyOf, type CallContext } from '@sessions/bus';
import { decideReset, type ResetAnswer } from '../decisions/decide-reset';
import { readFieldChanges } from '../decisions/field-patch';
import type { OwnedAgent } from '../owned-agent';
import { goneSince } from './gone-since';
import { answeredEntry } from './entry-json';
import { newSessionOf } from './new-session-of';
import { requestHash } from './request-hash';
import { actorOf, holdsOf, pathsOf } from './session-holds';
import { entryOfKey } from './stored-session';

/** Those that are asked for; `daily` and `idle` are decided with a message. */
const REASONS: ReadonlySet<string> = new Set<ResetReason>(['new', 'reset', 'clear', 'cron-run']);

/** @throws VALIDATION, KEY_INVALID, ENTRY_CHANGED, LABEL_IN_USE, SESSION_LOCKED, IDEMPOTENCY_MISMATCH; RunsOpen */
export async function resetSession(agent: OwnedAgent, request: StoreServiceResetSessionRequest, context: CallContext): Promise<StoreServiceResetSessionResponse> {
  const { key, reason, expectedSessionId } = request;
  assertCreatableKey(key);
  if (!REASONS.has(reason)) throw new SessionError('VALIDATION', `a reset's reason is one of ${[...REASONS].join(', ')}`);
  const fields = readFieldChanges(request.fields);
  const session = newSessionOf(agent, key);
  const asked = { agentId: agent.agentId, key, reason: reason as ResetReason, fields, expectedSessionId, session, defaultModel: modelFor(agent.deps.config(), agent.agentId), actor: actorOf(context) };
  const contentHash = requestHash('ResetSession', [key, reason, fields, expectedSessionId ?? '']);
  return agent.mutateHeld<ResetAnswer, StoreServiceResetSessionResponse>(
    {
      files: (store) => holdsOf(store, key, 'reset'),
      request: (held) => ({ method: 'ResetSession', context, contentHash, plan: (view) => decideReset({ ...asked, held }, view) }),
    },
    async ({ result, epoch, seq }, store) => {
      const entry = await entryOfKey(store, result.key);
      if (entry === undefined) throw goneSince(idempotencyKeyOf(context));
      return StoreServiceResetSessionResponse.create({
        epoch,
        storeSeq: seq,
        key: result.key,
        sessionId: result.sessionId,
        previousSessionId: result.previousSessionId ?? undefined,
        entryJson: answeredEntry(entry.text),
        archived: pathsOf(store, result.archived),
        encodedRow: Buffer.from(entry.encodedRow),
      });
    },
  );
}
