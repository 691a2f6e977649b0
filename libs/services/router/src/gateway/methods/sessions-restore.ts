import { RestoreSessionRequest } from '@sessions/contracts';
import { listArchives } from '../../handlers/list-archives';
import { flagOf, textOf } from '../method';
import type { GatewayMethod } from '../method';

/** `sessions.restore`: an archive back in its place. */
export const sessionsRestore: GatewayMethod = async (deps, { params, context }) => {
  const { key, sessionId, restored, archived, entryJson } = await deps.handlers.restoreSession(
    RestoreSessionRequest.create({ key: textOf(params, 'key'), agentId: textOf(params, 'agentId'), archive: textOf(params, 'archive'), dryRun: flagOf(params, 'dryRun') }),
    context,
  );
  return { payload: { ok: true, key, sessionId, restored, archived, entry: entryJson.length === 0 ? null : (JSON.parse(entryJson.toString('utf8')) as unknown) } };
};

/** `sessions.archives.list`: what a restore can bring back, newest first. */
export const sessionsArchivesList: GatewayMethod = async (deps, { params, context }) => {
  const { archives, hasMore } = await listArchives(deps, { key: textOf(params, 'key'), agentId: textOf(params, 'agentId') }, context);
  return {
    payload: {
      archives: archives.map(({ key, sessionId, reason, archivedAtMs, file, bytes, restorable }) => ({ key, sessionId, reason, at: archivedAtMs, file, bytes, restorable })),
      ...(hasMore && { hasMore }),
    },
  };
};
