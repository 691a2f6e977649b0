import { DescribeSessionRequest, GetHistoryRequest } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import { readPage } from '../../handlers/get-history';
import { toClientMessage } from '../messages';
import { numberOf, textOf } from '../method';
import type { GatewayMethod } from '../method';

const LIMIT_DEFAULT = 200;
const LIMIT_MAX = 1000;

/** `sessions.get`: a session's messages and entry; empty for an unknown key. */
export const sessionsGet: GatewayMethod = async (deps, { params, context }) => {
  const key = textOf(params, 'key') ?? textOf(params, 'sessionKey');
  if (key === undefined || key.trim() === '') throw new SessionError('VALIDATION', 'key required');
  const given = params.limit === undefined ? LIMIT_DEFAULT : numberOf(params, 'limit');
  const limit = Math.min(given !== undefined && Number.isSafeInteger(given) && given >= 1 ? given : LIMIT_DEFAULT, LIMIT_MAX);
  const agentId = textOf(params, 'agentId');
  const { entryJson } = await deps.handlers.describeSession(DescribeSessionRequest.create({ key, agentId }), context);
  if (entryJson === undefined) return { payload: { messages: [] } };
  const page = await readPage(deps, GetHistoryRequest.create({ key, agentId, limit, includeTools: true }), context);
  const messages = page.records.map(toClientMessage).filter((message) => message !== undefined);
  return { payload: { key: page.key, entry: JSON.parse(entryJson.toString('utf8')) as unknown, messages } };
};
