import { GetHistoryRequest } from '@sessions/contracts';
import { findSession } from '../../handlers/existing-session';
import { readPage } from '../../handlers/get-history';
import { toClientMessage, withCutTexts } from '../messages';
import { numberOf, textOf } from '../method';
import type { GatewayMethod } from '../method';

/** `chat.message.get`: one message of the newest page by its id. */
export const chatMessageGet: GatewayMethod = async (deps, { params, context }) => {
  const session = await findSession(deps, { key: textOf(params, 'sessionKey'), agentId: textOf(params, 'agentId') }, context);
  const notFound = { payload: { ok: false, unavailableReason: 'not_found' } };
  if (session === undefined) return notFound;
  const page = await readPage(deps, GetHistoryRequest.create({ key: session.key, agentId: session.agentId, includeTools: true }), context);
  const record = page.records.find(({ recordId }) => recordId === textOf(params, 'messageId'));
  const message = record === undefined ? undefined : toClientMessage(record);
  if (message === undefined) return notFound;
  const maxChars = numberOf(params, 'maxChars');
  return { payload: { ok: true, message: maxChars === undefined ? message : withCutTexts(message, maxChars) } };
};
