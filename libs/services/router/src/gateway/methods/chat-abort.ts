import { AbortRunRequest } from '@sessions/contracts';
import { textOf } from '../method';
import type { GatewayMethod } from '../method';

/** `chat.abort`: ends a run, or all of a session; a run is ended whichever session it is of. */
export const chatAbort: GatewayMethod = async (deps, { params, context }) => {
  const { abortedRunId, cancelledRunIds } = await deps.handlers.abortRun(
    AbortRunRequest.create({ key: textOf(params, 'sessionKey'), agentId: textOf(params, 'agentId'), runId: textOf(params, 'runId') }),
    context,
  );
  const runIds = [...(abortedRunId === undefined ? [] : [abortedRunId]), ...cancelledRunIds];
  return { payload: { ok: true, aborted: runIds.length > 0, runIds } };
};
