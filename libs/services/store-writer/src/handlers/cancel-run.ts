/**
 * CancelRun: a run, or all of a key, and those of its children. What waits ends at once, its message
 * still reaches the transcript; what runs is told to stop, and its end can be waited for.
 */
import { CancelRunResponse, type CancelRunRequest } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { OwnedAgent } from '../owned-agent';
import { stopFamily } from './stop-family';
import { entryOfKey } from './stored-session';

const REASONS: ReadonlySet<string> = new Set(['abort', 'stop', 'kill', 'reset', 'delete', 'compact', 'steer', 'parent']);
/** Longest wait for the end of a run. */
export const CANCEL_WAIT_MS_MAX = 60_000;

/** An unknown run or key is `idle`, not an error. @throws VALIDATION */
export async function cancelRun(agent: OwnedAgent, request: CancelRunRequest, _context: CallContext): Promise<CancelRunResponse> {
  const { by, cascade, waitMs = 0 } = request;
  const reason = request.reason === '' ? 'abort' : request.reason;
  if (!REASONS.has(reason)) throw new SessionError('VALIDATION', `reason must be one of ${[...REASONS].join(', ')}`);
  if (by === undefined) throw new SessionError('VALIDATION', 'a run or a key is needed');
  return agent.read(
    async (_store, open) => {
      const key = by.$case === 'runId' ? await open.work.keyOfRun(by.value) : ((await entryOfKey(open.store, by.value))?.key ?? by.value);
      const only = by.$case === 'runId' ? by.value : undefined;
      const stopped = key === undefined ? [] : await stopFamily(agent, open, { key, reason, runId: only, cascade });
      const [own] = stopped;
      const running = stopped.flatMap(({ stoppingRunId }) => (stoppingRunId === undefined ? [] : [stoppingRunId]));
      const endsAtMs = agent.deps.clock.monotonicMs() + Math.min(Math.max(0, waitMs), CANCEL_WAIT_MS_MAX);
      let isOver = true;
      for (const runId of running) isOver = (await open.work.whenOver(runId, Math.max(0, endsAtMs - agent.deps.clock.monotonicMs()))) && isOver;
      const cancelledRunIds = stopped.flatMap(({ cancelledRunIds: ids }) => ids);
      const children = stopped.filter((one) => one !== own && (one.cancelledRunIds.length > 0 || one.stoppingRunId !== undefined));
      return CancelRunResponse.create({
        epoch: open.store.epoch,
        storeSeq: open.seq,
        state: running.length === 0 && cancelledRunIds.length === 0 ? 'idle' : isOver ? 'stopped' : 'stopping',
        cancelledRunIds,
        activeRunId: own?.stoppingRunId,
        stoppedChildren: children.map((one) => one.key),
      });
    },
    () => CancelRunResponse.create({ state: 'idle' }),
  );
}
