/**
 * CompactionService: whoever cannot go on without a compaction waits here for its end. The work takes
 * the one path of the queue; this waits for it, wherever it is done.
 */
import { CancelResponse, CompactResponse, CompactionResult, CompactionServiceService } from '@sessions/contracts';
import { serveService, sleep, type Bus, type CallContext, type Served, type Subjects } from '@sessions/bus';
import { SessionError } from '@sessions/domain';
import type { Compactor } from './compactor';

export const QUEUE_GROUP = 'compaction-worker';
/** How often the end of a compaction that another worker does is asked for. Milliseconds. */
export const POLL_MS = 500;

export function serveCompaction(bus: Bus, subjects: Subjects, compactor: Compactor): Promise<Served> {
  const end = async (agentId: string, operationId: string, { signal }: CallContext): Promise<CompactionResult> => {
    for (;;) {
      const here = await compactor.running(operationId);
      if (here !== undefined) return here;
      // An operation that is not open never opens again: this ends nothing, and answers with its end.
      if (!(await compactor.isOpen(agentId, operationId))) return endOf(agentId, operationId, 'cancelled');
      await sleep(bus.clock, POLL_MS, signal);
    }
  };
  const endOf = (agentId: string, operationId: string, reason: string): Promise<CompactionResult> =>
    compactor.fail(agentId, operationId, reason).catch((error: unknown) => {
      if (error instanceof SessionError && error.reason === 'STALE_PLAN') return CompactionResult.create({ ok: false, reason: 'stale', operationId });
      throw error;
    });
  return serveService(
    bus,
    CompactionServiceService,
    {
      compact: async ({ agentId, operationId }, context) => CompactResponse.create({ result: await end(agentId, operationId, context) }),
      cancel: async ({ agentId, operationId, reason }) => {
        const wasOpen = await compactor.isOpen(agentId, operationId);
        const result = wasOpen ? await endOf(agentId, operationId, reason === '' ? 'cancelled' : reason) : undefined;
        compactor.abort(operationId);
        return CancelResponse.create({ cancelled: result !== undefined && !result.compacted });
      },
    },
    { subjectFor: (method) => subjects.compaction(method), queueGroup: QUEUE_GROUP },
  );
}
