/** ListPending: what the store waits for. Turns and deliveries are not kept here; compactions are. */
import { ListPendingResponse, PendingCompaction, type ListPendingRequest } from '@sessions/contracts';
import { SessionError, storedSpellings } from '@sessions/domain';
import type { OwnedAgent } from '../owned-agent';

const LIMIT_DEFAULT = 200;
const LIMIT_MAX = 1_000;

/** @throws VALIDATION */
export async function listPending(agent: OwnedAgent, { kinds, key, limit = LIMIT_DEFAULT }: ListPendingRequest): Promise<ListPendingResponse> {
  if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT_MAX) throw new SessionError('VALIDATION', `limit must be 1 to ${String(LIMIT_MAX)}`);
  const wanted = key === undefined ? undefined : new Set<string>(storedSpellings(key));
  return agent.read(
    async (store, { seq, compactions }) => {
      await compactions.found();
      const all = kinds.length > 0 && !kinds.includes('compaction') ? [] : compactions.list().filter((one) => wanted === undefined || wanted.has(one.key));
      return ListPendingResponse.create({
        epoch: store.epoch,
        storeSeq: seq,
        hasMore: all.length > limit,
        compactions: all.slice(0, limit).map((one) =>
          PendingCompaction.create({ operationId: one.operationId, sessionKey: one.key, sessionId: one.sessionId, reason: one.reason, instructions: one.instructions, snapshotTipId: one.snapshotTipId, requestedAtMs: one.requestedAtMs, attempt: 1 }),
        ),
      });
    },
    () => ListPendingResponse.create({}),
  );
}
