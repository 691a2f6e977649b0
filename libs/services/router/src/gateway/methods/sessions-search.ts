import { SearchSessionsRequest } from '@sessions/contracts';
import type { SearchHit } from '@sessions/contracts';
import { numberOf, textOf } from '../method';
import type { GatewayMethod } from '../method';

/** `sessions.search`: hits in names and keys, or in transcripts. */
export const sessionsSearch: GatewayMethod = async (deps, { params, context }) => {
  const { hits, nextCursor, incomplete } = await deps.handlers.searchSessions(
    SearchSessionsRequest.create({
      query: textOf(params, 'query'),
      agentId: textOf(params, 'agentId'),
      in: textOf(params, 'in'),
      limit: numberOf(params, 'limit'),
      cursor: textOf(params, 'cursor'),
      channel: textOf(params, 'channel'),
      sinceAtMs: numberOf(params, 'since'),
      untilAtMs: numberOf(params, 'until'),
    }),
    context,
  );
  return {
    payload: {
      hits: hits.map(toHit),
      ...(nextCursor !== undefined && { nextCursor }),
      ...(incomplete && { incomplete }),
    },
  };
};

/** Places of highlights are pairs of positions in the snippet. */
function toHit({ agentId, key, sessionId, messageId, messageSeq, role, atMs, snippet, highlights }: SearchHit): Record<string, unknown> {
  return {
    agentId,
    key,
    sessionId,
    ...(messageId !== undefined && { messageId }),
    ...(messageSeq !== undefined && { seq: messageSeq }),
    ...(role !== undefined && { role }),
    ...(atMs !== undefined && { at: atMs }),
    snippet,
    highlights: highlights.map(({ start, end }) => [start, end]),
  };
}
