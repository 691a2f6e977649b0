/**
 * Stops the runs of a session: what waits ends, what runs is told to, and where nobody works on it, it
 * ends here. Also the guard of whatever may not happen beside a run.
 */
import { SessionError } from '@sessions/domain';
import { randomUUID } from 'node:crypto';
import { decideCancel, type EndRunAnswer } from './decisions/decide-end-run';
import { RunsOpen } from './decisions/session-files';
import { endLostAttempt, ownContext } from './end-lost-attempt';
import { endOccasion } from './handlers/run-occasion';
import { commit, type OpenAgentStore, type OwnedAgent } from './owned-agent';
import { withSpool } from './run-spool';

/** How long an operation waits for the run that it interrupts, where its request says nothing. */
export const INTERRUPT_WAIT_MS = 15_000;
/** Runs that come while others are ended are ended this often. */
const ROUNDS_MAX = 32;

export interface StopRequest {
  /** As stored. */
  readonly key: string;
  readonly reason: string;
  /** Undefined: every run of the key. */
  readonly runId?: string | undefined;
  /** False: those that wait stay. */
  readonly queuedToo: boolean;
}

export interface StoppedRuns {
  readonly key: string;
  /** They had not begun; they are over. */
  readonly cancelledRunIds: readonly string[];
  /** It has been told to stop; undefined: none ran. */
  readonly stoppingRunId: string | undefined;
}

/** There is nothing to stop. */
class NothingToStop extends Error {}

export async function stopRuns(agent: OwnedAgent, open: OpenAgentStore, { key, reason, runId, queuedToo }: StopRequest): Promise<StoppedRuns> {
  const asked = { ...endOccasion(agent), key, reason, queuedToo, ...(runId === undefined ? {} : { runId }) };
  let cancelledRunIds: readonly string[] = [];
  let stoppingRunId: string | undefined;
  let attempt = 0;
  try {
    await withSpool(open.spool, (spool) =>
      commit<EndRunAnswer>(open, {
        method: 'EndRun',
        context: ownContext(`run-stop:${randomUUID()}`),
        plan: (view) => {
          const planned = decideCancel(asked, view, spool);
          if (planned === undefined) throw new NothingToStop();
          cancelledRunIds = planned.ended.map((one) => one.runId);
          stoppingRunId = planned.stopping?.runId;
          attempt = planned.stopping?.attempt ?? 0;
          return planned;
        },
      }),
    );
    if (stoppingRunId !== undefined) {
      open.work.tellToStop(stoppingRunId, reason);
      if (open.work.claimOf(stoppingRunId) === undefined) await endLostAttempt(open, { ...endOccasion(agent), key, runId: stoppingRunId, attempt });
    }
    return { key, cancelledRunIds, stoppingRunId };
  } catch (error) {
    if (error instanceof NothingToStop) return { key, cancelledRunIds: [], stoppingRunId: undefined };
    throw error;
  }
}

/**
 * Ends the runs of a session before something that may not happen beside them.
 * @param queuedToo false: only the one that runs.
 * @throws RUN_STILL_ACTIVE when it has not ended in time; it ends later
 */
export async function interruptRuns(agent: OwnedAgent, { key, reason, queuedToo, waitMs = INTERRUPT_WAIT_MS }: Omit<StopRequest, 'runId'> & { readonly waitMs?: number | undefined }): Promise<void> {
  const { clock } = agent.deps;
  const endsAtMs = clock.monotonicMs() + waitMs;
  await agent.use(async (open) => {
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const { stoppingRunId, cancelledRunIds } = await stopRuns(agent, open, { key, reason, queuedToo });
      if (stoppingRunId === undefined && cancelledRunIds.length === 0) return;
      if (stoppingRunId === undefined) continue;
      const isOver = await open.work.whenOver(stoppingRunId, Math.max(0, endsAtMs - clock.monotonicMs()));
      if (!isOver) throw new SessionError('RUN_STILL_ACTIVE', 'the run of the session has not ended in time', { facts: { waitMs, runId: stoppingRunId }, retryAfterMs: 1_000 });
      if (!queuedToo) return;
    }
  });
}

/** A guard met open runs this often, and no more. */
const GUARDED_MAX = 16;

/**
 * Does something that refuses while runs are open (`RunsOpen`), after ending them.
 * @throws RUN_STILL_ACTIVE
 */
export async function withoutRuns<T>(agent: OwnedAgent, interrupt: Parameters<typeof interruptRuns>[1], work: () => Promise<T>): Promise<T> {
  for (let turn = 1; ; turn += 1) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof RunsOpen) || turn >= GUARDED_MAX) throw error;
      await interruptRuns(agent, interrupt);
    }
  }
}
