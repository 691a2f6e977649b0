import { DescribeSessionRequest, SessionRow } from '@sessions/contracts';
import { flagOf, textOf } from '../method';
import type { GatewayMethod } from '../method';

/** `sessions.describe`: one row, or null. */
export const sessionsDescribe: GatewayMethod = async (deps, { params, context }) => {
  const shown = { titles: flagOf(params, 'includeDerivedTitles'), lastMessages: flagOf(params, 'includeLastMessage') };
  const { encodedRow } = await deps.handlers.describeSession(
    DescribeSessionRequest.create({
      key: textOf(params, 'key'),
      agentId: textOf(params, 'agentId'),
      includeDerivedTitles: shown.titles,
      includeLastMessage: shown.lastMessages,
    }),
    context,
  );
  return { payload: { session: encodedRow === undefined ? null : deps.rows.toJson(SessionRow.decode(encodedRow), shown) } };
};
