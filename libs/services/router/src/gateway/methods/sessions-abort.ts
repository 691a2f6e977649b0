import { AbortRunRequest } from '@sessions/contracts';
import { textOf } from '../method';
import type { GatewayMethod } from '../method';

/** `sessions.abort`: ends the active run and those that wait; an unknown key or run is no error. */
export const sessionsAbort: GatewayMethod = async (deps, { params, context }) => {
  const { abortedRunId, status } = await deps.handlers.abortRun(
    AbortRunRequest.create({ key: textOf(params, 'key'), runId: textOf(params, 'runId'), agentId: textOf(params, 'agentId') }),
    context,
  );
  return { payload: { ok: true, abortedRunId: abortedRunId ?? null, status } };
};
