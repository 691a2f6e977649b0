import { SearchSessionsRequest } from '@sessions/contracts';
import { numberOf, textOf } from '../method';
import type { GatewayMethod } from '../method';

/** `sessions.search`: hits in names and keys, or in transcripts. */
export const sessionsSearch: GatewayMethod = async (deps, { params, context }) => {
  const { hits, nextCursor } = await deps.handlers.searchSessions(
    SearchSessionsRequest.create({
      query: textOf(params, 'query'),
      agentId: textOf(params, 'agentId'),
      in: textOf(params, 'in'),
      limit: numberOf(params, 'limit'),
      cursor: textOf(params, 'cursor'),
    }),
    context,
  );
  return {
    payload: {
      hits: hits.map(({ messageSeq, ...hit }) => ({ ...hit, ...(messageSeq !== undefined && { seq: messageSeq }) })),
      ...(nextCursor !== undefined && { nextCursor }),
    },
  };
};
