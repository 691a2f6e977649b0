/** WaitRun: the answer of a run once it has ended, or how far it is when the caller's patience ends. */
import { WaitRunResponse } from '@sessions/contracts';
import type { RunState, WaitRunRequest } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import { sleep } from '@sessions/host';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import { findRun, readRun } from './find-run';
import { WAIT_MS_MAX } from './submit-message';

export const WAIT_MS_DEFAULT = 30_000;
/** Between two looks at a run, the first short. */
const LOOK_MS_FIRST = 100;
const LOOK_MS_MAX = 1_000;

/** The caller's deadline must leave room for `timeoutMs`. @throws VALIDATION */
export async function waitRun(deps: HandlerDeps, request: WaitRunRequest, context: CallContext): Promise<WaitRunResponse> {
  const { runId, timeoutMs = WAIT_MS_DEFAULT } = request;
  if (runId === '') throw new SessionError('VALIDATION', 'runId required');
  if (!(Number.isSafeInteger(timeoutMs) && timeoutMs >= 0 && timeoutMs <= WAIT_MS_MAX)) {
    throw new SessionError('VALIDATION', `timeoutMs must be 0 to ${WAIT_MS_MAX}`);
  }
  const endsAtMs = deps.clock.monotonicMs() + timeoutMs;
  const found = await findRun(deps, runId, request.agentId, context);
  if (found === undefined) return WaitRunResponse.create({ state: 'unknown' });
  let run: RunState | undefined = found.run;
  for (let lookMs = LOOK_MS_FIRST; run !== undefined && run.state !== 'ended'; lookMs = Math.min(lookMs * 2, LOOK_MS_MAX)) {
    const leftMs = endsAtMs - deps.clock.monotonicMs();
    if (leftMs <= 0) break;
    await sleep(deps.clock, Math.min(lookMs, leftMs));
    if (context.signal.aborted) throw context.signal.reason;
    run = await readRun(deps, found.agentId, runId, context);
  }
  if (run === undefined) return WaitRunResponse.create({ state: 'unknown' });
  const { state, outcome, text, endedAtMs, stopReason } = run;
  return WaitRunResponse.create({ state, outcome, text, endedAtMs, stopReason });
}
