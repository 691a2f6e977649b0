/** ListPending: what the store waits for: turns, compactions, deliveries, approvals. */
import { Delivery, ListPendingResponse, PendingApproval, PendingCompaction, PendingTurn, type ListPendingRequest } from '@sessions/contracts';
import { SessionError, deliveryOffer, slugAccountId, storedSpellings } from '@sessions/domain';
import { approvalRequest, isWaiting } from '../decisions/open-approval';
import { deliveriesOf, isOverdue, outboundOf, type OpenDelivery } from '../decisions/open-delivery';
import { runsOf } from '../decisions/open-run';
import type { OpenAgentStore, OwnedAgent } from '../owned-agent';
import { withSpool } from '../run-spool';
import { openRunState } from './run-state';
import { workspaceOf } from '../workspace/agent-workspace';
import { sessionEntry } from './stored-session';

const LIMIT_DEFAULT = 200;
const LIMIT_MAX = 1_000;
const KINDS = ['turn', 'compaction', 'delivery', 'approval'] as const;
/** An answer ends before it: more is asked for by key, or once these have ended. Bytes of deliveries. */
const ANSWER_BYTES_MAX = 640 * 1024;

/** @throws VALIDATION */
export async function listPending(agent: OwnedAgent, request: ListPendingRequest): Promise<ListPendingResponse> {
  const { kinds, key, limit = LIMIT_DEFAULT } = request;
  if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT_MAX) throw new SessionError('VALIDATION', `limit must be 1 to ${String(LIMIT_MAX)}`);
  const unknown = kinds.find((kind) => !KINDS.some((known) => known === kind));
  if (unknown !== undefined) throw new SessionError('VALIDATION', `a kind is one of ${KINDS.join(', ')}`);
  const wanted = key === undefined ? undefined : new Set<string>(storedSpellings(key));
  const asks = (kind: (typeof KINDS)[number]): boolean => kinds.length === 0 || kinds.includes(kind);
  return agent.read(
    async (store, open) => {
      await open.work.found();
      const compactions = asks('compaction') ? open.compactions.list().filter((one) => wanted === undefined || wanted.has(one.key)) : [];
      const nowMs = agent.deps.clock.nowMs();
      const approvals = asks('approval') ? open.approvals.list().filter((one) => isWaiting(one, nowMs) && (wanted === undefined || wanted.has(one.key))) : [];
      const answer = ListPendingResponse.create({
        epoch: store.epoch,
        storeSeq: open.seq,
        hasMore: compactions.length > limit || approvals.length > limit,
        approvals: approvals.slice(0, limit).map((one) =>
          PendingApproval.create({ approvalId: one.approvalId, sessionKey: one.key, sessionId: one.sessionId, requestedAtMs: one.requestedAtMs, expiresAtMs: one.expiresAtMs, requestJson: Buffer.from(JSON.stringify(approvalRequest({ agentId: agent.agentId, key: one.key, workspace: workspaceOf(agent) }, one))) }),
        ),
        compactions: compactions.slice(0, limit).map((one) =>
          PendingCompaction.create({ operationId: one.operationId, sessionKey: one.key, sessionId: one.sessionId, reason: one.reason, instructions: one.instructions, snapshotTipId: one.snapshotTipId, requestedAtMs: one.requestedAtMs, attempt: 1 }),
        ),
      });
      let bytes = 0;
      for (const held of open.work.keys().filter((one) => wanted === undefined || wanted.has(one))) {
        if (!asks('turn') && !asks('delivery')) break;
        const entry = await sessionEntry(store, { key: held });
        if (entry === undefined) continue;
        const members = JSON.parse(entry.text) as never;
        const runs = asks('turn') ? runsOf(members).filter(({ state }) => state !== 'over') : [];
        for (const run of runs) answer.turns.push(PendingTurn.create({ run: openRunState(run, runs, held), claimEndsAtMs: open.work.claimOf(run.runId)?.endsAtMs }));
        const deliveries = asks('delivery') ? deliveriesOf(members).filter((one) => isFor(one, request)) : [];
        for (const delivery of deliveries) {
          if (bytes > ANSWER_BYTES_MAX) break;
          const made = await deliveryOf(agent, open, held, delivery);
          bytes += Delivery.encode(made).finish().length;
          answer.deliveries.push(made);
        }
        if (answer.turns.length > limit || answer.deliveries.length > limit || bytes > ANSWER_BYTES_MAX) {
          answer.hasMore = true;
          answer.turns.splice(limit);
          answer.deliveries.splice(limit);
          break;
        }
      }
      return answer;
    },
    () => ListPendingResponse.create({}),
  );
}

/** An account is the same in every spelling. */
function isFor({ channel, accountId, toKey }: OpenDelivery, asked: ListPendingRequest): boolean {
  if (asked.toSessions) return toKey !== undefined;
  if (asked.channel === undefined) return true;
  if (toKey !== undefined || channel !== asked.channel) return false;
  return asked.accountId === undefined || slugAccountId(accountId ?? 'default') === slugAccountId(asked.accountId);
}

async function deliveryOf(agent: OwnedAgent, { spool }: OpenAgentStore, sessionKey: string, delivery: OpenDelivery): Promise<Delivery> {
  const message = await withSpool(spool, (view) => Promise.resolve(outboundOf(delivery, view)));
  const nowMs = agent.deps.clock.nowMs();
  const { attempt, nextAtMs } = deliveryOffer(delivery.createdAtMs, nowMs);
  return Delivery.create({
    deliveryId: delivery.deliveryId,
    agentId: agent.agentId,
    runId: delivery.runId,
    sessionKey,
    inReplyTo: delivery.inReplyTo,
    route: message?.route,
    text: message?.text ?? '',
    attachments: message?.attachments ?? [],
    attempt,
    state: isOverdue(delivery, nowMs) ? 'expired' : 'open',
    nextAttemptAtMs: nextAtMs,
    createdAtMs: delivery.createdAtMs,
    toSession: message?.toSession,
  });
}
