/** Archives of one session or of all, newest first: what a restore can bring back. */
import { ListArchivesRequest } from '@sessions/contracts';
import type { ArchiveLine } from '@sessions/contracts';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import { agentsToRead, resolveAddress } from './resolve-address';

/** Archives in one answer. */
export const ARCHIVES_MAX = 1000;

export interface Archives {
  readonly archives: readonly ArchiveLine[];
  /** More there are than one answer holds. */
  readonly hasMore: boolean;
}

/** @throws SESSION_NOT_FOUND for a session id that no row has */
export async function listArchives(deps: HandlerDeps, request: { readonly key?: string | undefined; readonly agentId?: string | undefined }, context: CallContext): Promise<Archives> {
  const address = request.key === undefined ? undefined : await resolveAddress(deps, request, context);
  const agents = await agentsToRead(deps, { agentId: address?.agentId ?? request.agentId, all: true, discover: true }, context);
  const archives: ArchiveLine[] = [];
  let hasMore = false;
  for (const { agentId } of agents) {
    const answer = await deps.stores.read('listArchives', ListArchivesRequest.create({ agentId, key: address?.key, limit: ARCHIVES_MAX }), context);
    archives.push(...answer.archives);
    hasMore ||= answer.nextCursor !== undefined;
  }
  archives.sort((a, b) => b.archivedAtMs - a.archivedAtMs);
  return { archives: archives.slice(0, ARCHIVES_MAX), hasMore: hasMore || archives.length > ARCHIVES_MAX };
}
