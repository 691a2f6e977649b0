import { DescribeSessionRequest, GetHistoryRequest, SessionRow } from '@sessions/contracts';
import { displayMessage } from '@sessions/domain';
import { readPage } from '../../handlers/get-history';
import { resolveAddress } from '../../handlers/resolve-address';
import { toClientMessage, withCutTexts } from '../messages';
import { numberOf, textOf } from '../method';
import type { GatewayMethod } from '../method';

const LIMIT_DEFAULT = 200;

/** `chat.history`: the newest messages of a session with its row; empty for an unknown session. */
export const chatHistory: GatewayMethod = async (deps, { params, context }) => {
  const sessionKey = textOf(params, 'sessionKey') ?? '';
  const agentId = textOf(params, 'agentId');
  const { key } = await resolveAddress(deps, { key: sessionKey, agentId }, context);
  const { encodedRow } = await deps.handlers.describeSession(DescribeSessionRequest.create({ key, agentId }), context);
  const defaults = deps.rows.defaults();
  if (encodedRow === undefined) {
    return { payload: { sessionKey, messages: [], defaults, sessionInfo: { key, kind: deps.rows.kindOf(key), updatedAt: null } } };
  }
  const row = SessionRow.decode(encodedRow);
  const sessionInfo = deps.rows.toJson(row, {});
  const limit = numberOf(params, 'limit') ?? LIMIT_DEFAULT;
  const page = await readPage(deps, GetHistoryRequest.create({ key: row.key, agentId: row.agentId, limit, includeTools: true }), context);
  const maxChars = numberOf(params, 'maxChars');
  const messages = page.records
    .map(toClientMessage)
    .filter((message) => message !== undefined)
    .map((message) => displayMessage(message))
    .filter((message) => message !== undefined)
    .map((message) => (maxChars === undefined ? message : withCutTexts(message, maxChars)));
  return {
    payload: {
      sessionKey,
      ...(page.sessionId !== undefined && { sessionId: page.sessionId }),
      messages,
      defaults,
      sessionInfo,
      ...(row.thinkingLevel !== undefined && { thinkingLevel: row.thinkingLevel }),
      ...(row.verboseLevel !== undefined && { verboseLevel: row.verboseLevel }),
    },
  };
};
