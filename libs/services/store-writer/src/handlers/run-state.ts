/** A run as callers are told of it: open, from its entry; ended, from what its end left. */
import { RunState, TokenUsage } from '@sessions/contracts';
import { type OpenRun } from '../decisions/open-run';
import { type EndedRun } from '../decisions/run-end';
import type { RunSpool } from '../run-spool';

/** @param runs all of the entry, for the place in the queue. */
export function openRunState(run: OpenRun, runs: readonly OpenRun[], key: string): RunState {
  const live = runs.filter(({ state, joins }) => state !== 'over' && joins === undefined);
  const at = live.indexOf(run);
  return RunState.create({
    runId: run.runId,
    sessionKey: key,
    sessionId: run.sessionId,
    state: run.cancel !== undefined ? 'stopping' : run.state === 'running' ? 'running' : 'queued',
    acceptedAtMs: run.acceptedAtMs,
    startedAtMs: run.startedAtMs,
    position: at > 0 ? at : undefined,
    runnerId: run.runnerId,
    attempt: run.attempt,
    messageId: run.messageId,
    deniedTools: [...run.request.deniedTools],
  });
}

export async function endedRunState(ended: EndedRun, spool: RunSpool): Promise<RunState> {
  const text = ended.textSpool === undefined ? ended.text : await spool.read(ended.textSpool);
  return RunState.create({
    runId: ended.runId,
    sessionKey: ended.sessionKey,
    sessionId: ended.sessionId,
    state: 'ended',
    outcome: ended.outcome,
    text,
    stopReason: ended.stopReason,
    errorMessage: ended.errorMessage,
    acceptedAtMs: ended.acceptedAt,
    startedAtMs: ended.startedAt,
    endedAtMs: ended.endedAt,
    runnerId: ended.runnerId,
    attempt: ended.attempt,
    usage: ended.usage.map((one) => TokenUsage.fromJSON(one)),
    messageId: ended.messageId,
  });
}
