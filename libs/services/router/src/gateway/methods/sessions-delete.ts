import { DeleteSessionRequest } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import { textOf } from '../method';
import type { GatewayMethod } from '../method';

/** `sessions.delete`: the row goes, its files are set aside; what is not there is not deleted. */
export const sessionsDelete: GatewayMethod = async (deps, { params, context }) => {
  const key = textOf(params, 'key') ?? '';
  const asked = DeleteSessionRequest.create({ key, agentId: textOf(params, 'agentId'), deleteTranscript: params.deleteTranscript !== false });
  const answer = await deps.handlers.deleteSession(asked, context).catch((error: unknown) => {
    if (error instanceof SessionError && error.reason === 'SESSION_NOT_FOUND') return { key, deleted: false, archived: [] };
    throw error;
  });
  return { payload: { ok: true, key: answer.key, deleted: answer.deleted, archived: answer.archived } };
};
