import { ListSessionsRequest, SessionRow } from '@sessions/contracts';
import { JsonText } from '../gateway-frames';
import { flagOf, numberOf, textOf } from '../method';
import type { GatewayMethod } from '../method';

/** A longer answer is cut at a row, with `hasMore`; bytes of JSON. */
export const ANSWER_BYTES_MAX = 24 * 1024 * 1024;

/** `sessions.list`: configured agents and those found on disk, newest first. */
export const sessionsList: GatewayMethod = async (deps, { params, context }) => {
  const answer = await deps.handlers.listSessions(
    ListSessionsRequest.create({
      agentId: textOf(params, 'agentId'),
      allAgents: true,
      discover: true,
      configuredAgentsOnly: flagOf(params, 'configuredAgentsOnly'),
      limit: numberOf(params, 'limit'),
      offset: numberOf(params, 'offset'),
      activeMinutes: numberOf(params, 'activeMinutes'),
      includeGlobal: flagOf(params, 'includeGlobal'),
      includeUnknown: flagOf(params, 'includeUnknown'),
      includeDerivedTitles: flagOf(params, 'includeDerivedTitles'),
      includeLastMessage: flagOf(params, 'includeLastMessage'),
      label: textOf(params, 'label'),
      spawnedBy: textOf(params, 'spawnedBy'),
      search: textOf(params, 'search'),
    }),
    context,
  );
  const shown = { titles: flagOf(params, 'includeDerivedTitles'), lastMessages: flagOf(params, 'includeLastMessage') };
  const rows: string[] = [];
  let bytes = 0;
  for (const encoded of answer.encodedRows) {
    const row = JSON.stringify(deps.rows.toJson(SessionRow.decode(encoded), shown));
    bytes += Buffer.byteLength(row) + 1;
    if (bytes > ANSWER_BYTES_MAX && rows.length > 0) break;
    rows.push(row);
  }
  const offset = numberOf(params, 'offset') ?? 0;
  const wasCut = rows.length < answer.encodedRows.length;
  const nextOffset = wasCut ? offset + rows.length : (answer.nextOffset ?? null);
  const head = {
    ts: answer.atMs,
    path: answer.path ?? '(multiple)',
    count: rows.length,
    totalCount: answer.totalCount,
    limitApplied: answer.limitApplied,
    ...(offset > 0 && { offset }),
    nextOffset,
    hasMore: wasCut || answer.hasMore,
    defaults: deps.rows.defaults(),
    ...(answer.warnings.length > 0 && { warnings: answer.warnings }),
  };
  return { payload: new JsonText(`${JSON.stringify(head).slice(0, -1)},"sessions":[${rows.join(',')}]}`) };
};
