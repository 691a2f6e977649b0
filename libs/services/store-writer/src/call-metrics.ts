/** How long calls take and how they end; nothing of what they carry. */
import type { CallContext } from '@sessions/bus';
import { toSessionError } from '@sessions/bus';
import type { Clock, Logger, Metrics } from '@sessions/host';

const MS_PER_SECOND = 1000;
/** Reasons that are a fault of ours or of the machine, not an answer to the caller. */
const FAULTS: ReadonlySet<string> = new Set(['INTERNAL', 'DAMAGED', 'OUTCOME_UNKNOWN', 'STORE_UNREADABLE', 'DISK_FULL', 'READ_ONLY']);

export interface CallMetrics {
  timed<Request, Response>(
    method: string,
    handler: (request: Request, context: CallContext) => Promise<Response>,
  ): (request: Request, context: CallContext) => Promise<Response>;
}

export function createCallMetrics(metrics: Metrics, clock: Clock, logger: Logger): CallMetrics {
  const durations = metrics.durations('sessions_store_call_seconds', 'Calls of the StoreService, by method and outcome', ['method', 'outcome']);
  return {
    timed: (method, handler) => async (request, context) => {
      const beganAtMs = clock.monotonicMs();
      const note = (outcome: string): void => durations.observe({ method, outcome }, (clock.monotonicMs() - beganAtMs) / MS_PER_SECOND);
      try {
        const answer = await handler(request, context);
        note('ok');
        return answer;
      } catch (error) {
        const refusal = toSessionError(error);
        note(refusal.reason);
        if (FAULTS.has(refusal.reason)) logger.error('a call to the store failed', { requestId: context.requestId, reason: refusal.reason, err: error });
        throw error;
      }
    },
  };
}
