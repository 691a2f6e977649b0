/** `/compact` in a chat: the same request as from the command line, and an answer at once; the summary comes when it comes. */
import type { DeliverResponse } from '@sessions/contracts';
import type { MutationView } from '@sessions/store';
import type { DeliverAnswer } from '../decisions/decide-deliver';
import { decideRequestCompaction, type RequestCompactionAnswer } from '../decisions/decide-request-compaction';
import type { Planned } from '../decisions/planned';
import { findSession } from '../decisions/session-of-key';
import { answerOf, type Asked } from './keep-message';
import { INSTRUCTIONS_CHARS_MAX } from './request-compaction';

/**
 * @param instructions what the person said about the summary; cut where it is longer than a request may have
 * @throws RunsOpen while a turn runs
 */
export function compactFromChat({ agent, key, request }: Asked, instructions: string | undefined): Promise<DeliverResponse> {
  const asked = { agentId: agent.agentId, key, reason: 'manual', instructions: instructions?.slice(0, INSTRUCTIONS_CHARS_MAX) } as const;
  let outcome: RequestCompactionAnswer | undefined;
  const plan = (view: MutationView): Planned<DeliverAnswer> => {
    const present = findSession(view, key);
    const planned = present === undefined ? undefined : decideRequestCompaction(asked, view);
    outcome = planned?.decision.result;
    const result: DeliverAnswer = {
      method: 'Deliver',
      sessionKey: present?.key ?? key,
      sessionId: present?.sessionId ?? null,
      messageId: null,
      messageSeq: null,
      created: false,
      reset: null,
      reply: replyTo(outcome),
      ignoredReason: null,
      deliveryBlocked: false,
      runId: null,
      queued: false,
      position: null,
      interruptedRunId: null,
    };
    return { decision: { effects: planned?.decision.effects ?? [], result }, announcements: planned?.announcements ?? [] };
  };
  return agent.mutate<DeliverAnswer, DeliverResponse>({ ...request, plan }, (done, _store, { compactions }) => {
    const { operationId, snapshotTipId, sessionId, joined, requestedAtMs } = outcome ?? {};
    // A repeated message is about a compaction that may have ended since.
    if (!done.repeated && joined === false && typeof operationId === 'string' && typeof snapshotTipId === 'string' && typeof sessionId === 'string' && requestedAtMs !== undefined) {
      compactions.asked({ operationId, sessionId, reason: asked.reason, instructions: asked.instructions, snapshotTipId, requestedAtMs, key: done.result.sessionKey });
    }
    return answerOf(done);
  });
}

function replyTo(outcome: RequestCompactionAnswer | undefined): string {
  if (outcome === undefined) return 'No compaction needed: nothing has been said yet.';
  if (outcome.joined) return 'A compaction is under way already.';
  return outcome.operationId === null ? `No compaction needed (${outcome.nothing ?? 'nothing to summarise'}).` : 'Compaction started; the conversation goes on meanwhile.';
}
