/** The owner's own end of an attempt that nobody answers for: the next one, or a stated outcome. */
import type { CallContext } from '@sessions/bus';
import { decideExpiry, type EndPlan, type EndRunAnswer, type ExpiryRequest } from './decisions/decide-end-run';
import type { Announcement } from './publish-events';
import { commit, type OpenAgentStore } from './owned-agent';
import { withSpool } from './run-spool';

/** There is nothing to end any more. */
class NothingLost extends Error {}

/** @throws what the store refuses with */
export async function endLostAttempt(open: OpenAgentStore, request: ExpiryRequest): Promise<void> {
  const context = ownContext(`run-lost:${request.runId}:${String(request.attempt)}:${String(open.store.epoch)}:${String(request.nowMs)}`);
  try {
    await withSpool(open.spool, (spool) =>
      commit<EndRunAnswer>(open, {
        method: 'EndRun',
        context,
        plan: (view) => {
          const planned = decideExpiry(request, view, spool);
          if (planned === undefined) throw new NothingLost();
          return { ...planned, announcements: [...planned.announcements, ...toldEnds(planned, request.nowMs)] };
        },
      }),
    );
  } catch (error) {
    if (!(error instanceof NothingLost)) throw error;
  }
}

/** Nobody else tells of runs that have no runner. */
export function toldEnds({ ended }: Pick<EndPlan, 'ended'>, nowMs: number): Announcement[] {
  return ended.map(({ runId, sessionKey, sessionId, outcome, stopReason, errorMessage: error }): Announcement => {
    const data = { phase: outcome === 'error' ? 'error' : 'end', outcome, endedAt: nowMs, ...(outcome === 'error' ? {} : { aborted: true }), ...(stopReason === undefined ? {} : { stopReason }), ...(error === undefined ? {} : { error }) };
    return { kind: 'run', key: sessionKey, sessionId, runId, data };
  });
}

/** A call of the owner's own. */
export function ownContext(idempotencyKey: string): CallContext {
  return { caller: 'service:store-writer', scopes: [], requestId: idempotencyKey, idempotencyKey, traceparent: undefined, tracestate: undefined, hops: 0, signal: new AbortController().signal, deadlineAtMs: Number.MAX_SAFE_INTEGER };
}
