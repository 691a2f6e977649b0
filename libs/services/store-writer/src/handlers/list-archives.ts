/** ListArchives: what can be brought back, newest first. */
import { ArchiveLine, ListArchivesResponse, type ListArchivesRequest } from '@sessions/contracts';
import { SessionError, storedSpellings } from '@sessions/domain';
import { ARCHIVES_LIMIT_MAX, type ListedArchive } from '@sessions/store';
import type { OwnedAgent } from '../owned-agent';

const LIMIT_DEFAULT = 200;

/** @throws VALIDATION */
export async function listArchives(agent: OwnedAgent, request: ListArchivesRequest): Promise<ListArchivesResponse> {
  const { key, cursor, limit = LIMIT_DEFAULT } = request;
  if (!Number.isInteger(limit) || limit < 1 || limit > ARCHIVES_LIMIT_MAX) throw new SessionError('VALIDATION', `limit must be 1 to ${String(ARCHIVES_LIMIT_MAX)}`);
  if (cursor !== undefined && !/^\d{1,15}$/.test(cursor)) throw new SessionError('VALIDATION', 'the cursor is none of this method');
  return agent.read(
    async (store, { seq }) => {
      const keys = key === undefined ? {} : { keys: new Set(storedSpellings(key)) };
      const page = await store.files.archives({ ...keys, limit, ...(cursor === undefined ? {} : { before: Number(cursor) }) });
      return ListArchivesResponse.create({ epoch: store.epoch, storeSeq: seq, archives: page.archives.map(lineOf), nextCursor: page.nextBefore === undefined ? undefined : String(page.nextBefore) });
    },
    () => ListArchivesResponse.create({}),
  );
}

function lineOf({ kind, main, atMs, reason, key, sessionId, isThere }: ListedArchive): ArchiveLine {
  return ArchiveLine.create({ key: key ?? '', sessionId: sessionId ?? '', archiveKind: kind, reason, archivedAtMs: atMs, file: main?.to ?? '', bytes: main?.bytes ?? 0, restorable: isThere });
}
