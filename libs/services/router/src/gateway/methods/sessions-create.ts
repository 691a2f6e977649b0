import { CreateSessionRequest } from '@sessions/contracts';
import { flagOf, textOf } from '../method';
import type { GatewayMethod } from '../method';

/** `sessions.create`: a new row, or the one there is, with a first message that starts a run. */
export const sessionsCreate: GatewayMethod = async (deps, { params, context }) => {
  const created = await deps.handlers.createSession(
    CreateSessionRequest.create({
      key: textOf(params, 'key'),
      agentId: textOf(params, 'agentId'),
      label: textOf(params, 'label'),
      model: textOf(params, 'model'),
      parentSessionKey: textOf(params, 'parentSessionKey'),
      fork: flagOf(params, 'fork'),
      message: textOf(params, 'message') ?? textOf(params, 'task'),
    }),
    context,
  );
  const { key, sessionId, entryJson, runStarted, runId, messageSeq } = created;
  return {
    payload: {
      ok: true,
      key,
      sessionId,
      entry: JSON.parse(entryJson.toString('utf8')) as unknown,
      created: created.created,
      runStarted,
      ...(runId !== undefined && { runId, status: 'started' }),
      ...(messageSeq !== undefined && { messageSeq }),
      ...(created.forked !== undefined && { forked: created.forked }),
      ...(created.forkRefusal !== undefined && { forkRefusal: created.forkRefusal }),
    },
  };
};
