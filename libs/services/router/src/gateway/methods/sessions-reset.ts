import { ResetSessionRequest } from '@sessions/contracts';
import { textOf } from '../method';
import type { GatewayMethod } from '../method';

/** `sessions.reset`: another session id under the key; an unknown key begins. */
export const sessionsReset: GatewayMethod = async (deps, { params, context }) => {
  const { key, sessionId, entryJson, previousSessionId, archived } = await deps.handlers.resetSession(
    ResetSessionRequest.create({ key: textOf(params, 'key'), agentId: textOf(params, 'agentId'), reason: textOf(params, 'reason') }),
    context,
  );
  return {
    payload: {
      ok: true,
      key,
      sessionId,
      entry: JSON.parse(entryJson.toString('utf8')) as unknown,
      ...(previousSessionId !== undefined && { previousSessionId }),
      archived,
    },
  };
};
