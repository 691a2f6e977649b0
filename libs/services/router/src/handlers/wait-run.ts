/**
 * WaitRun: the answer of a run once it has ended, or how far it is when the caller's patience ends.
 * The run is read from its owner, so a wait may end here and go on at another router.
 */
import { WaitRunResponse } from '@sessions/contracts';
import type { RunState, WaitRunRequest } from '@sessions/contracts';
import { SessionError, isSameKey } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import { findRun, readRun } from './find-run';
import type { WantedRun } from './find-run';
import { resolveAddress } from './resolve-address';

export const WAIT_MS_DEFAULT = 30_000;
/** Longest wait for the end of a run, milliseconds. */
export const WAIT_MS_MAX = 600_000;
/** Events wake a wait; what they do not tell is seen after this. */
export const LOOK_AGAIN_MS = 5_000;

/** The caller's deadline must leave room for `timeoutMs`. @throws VALIDATION */
export async function waitRun(deps: HandlerDeps, request: WaitRunRequest, context: CallContext): Promise<WaitRunResponse> {
  const { runId, timeoutMs = WAIT_MS_DEFAULT } = request;
  if (runId === '') throw new SessionError('VALIDATION', 'runId required');
  if (!(Number.isSafeInteger(timeoutMs) && timeoutMs >= 0 && timeoutMs <= WAIT_MS_MAX)) {
    throw new SessionError('VALIDATION', `timeoutMs must be 0 to ${WAIT_MS_MAX}`);
  }
  const endsAtMs = deps.clock.monotonicMs() + timeoutMs;
  const watch = deps.runEnds.watch(runId);
  try {
    const found = await findRun(deps, { runId, agentId: request.agentId, ...(await ofSession(deps, request, context)) }, context);
    if (found === undefined) return WaitRunResponse.create({ state: 'unknown' });
    let run: RunState | undefined = found.run;
    while (run !== undefined && run.state !== 'ended') {
      const leftMs = endsAtMs - deps.clock.monotonicMs();
      if (leftMs <= 0) break;
      await watch.next(Math.min(leftMs, LOOK_AGAIN_MS), context.signal);
      if (context.signal.aborted) throw context.signal.reason;
      run = await readRun(deps, found.agentId, runId, context);
    }
    return toAnswer(run);
  } finally {
    watch.stop();
  }
}

/** Where a run of the session is, when one is named. */
async function ofSession(deps: HandlerDeps, { sessionKey, agentId }: WaitRunRequest, context: CallContext): Promise<Partial<WantedRun>> {
  if (sessionKey === undefined) return {};
  const address = await resolveAddress(deps, { key: sessionKey, agentId }, context);
  return { agentId: address.agentId, sees: ({ key }) => isSameKey(key, address.key) };
}

function toAnswer(run: RunState | undefined): WaitRunResponse {
  if (run === undefined) return WaitRunResponse.create({ state: 'unknown' });
  const { state, outcome, text, startedAtMs, endedAtMs, stopReason, errorMessage } = run;
  return WaitRunResponse.create({ state, outcome, text, startedAtMs, endedAtMs, stopReason, errorMessage });
}
