/** ResolveKey: the keys that a key in any form, a session id or a label stands for. */
import { ResolveKeyResponse, SessionRow, type ResolveKeyRequest } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import type { AgentStore, StoredEntry } from '@sessions/store';
import type { OwnedAgent } from '../owned-agent';
import { entryOfKey, sessionEntry } from './stored-session';

/** @throws VALIDATION without anything to look for */
export function resolveKey(agent: OwnedAgent, request: ResolveKeyRequest): Promise<ResolveKeyResponse> {
  const { by } = request;
  if (by === undefined) throw new SessionError('VALIDATION', 'a key, a session id or a label is required');
  return agent.read(
    async (store, open) => {
      const entry = await find(store, by);
      const storeSeq = open.seq;
      const passes = entry !== undefined && isWanted(entry, request);
      return ResolveKeyResponse.create({
        epoch: store.epoch,
        storeSeq,
        keys: passes ? [entry.key] : [],
        sessionId: passes ? (entry.sessionId ?? undefined) : undefined,
      });
    },
    () => ResolveKeyResponse.create({}),
  );
}

function find(store: AgentStore, by: NonNullable<ResolveKeyRequest['by']>): Promise<StoredEntry | undefined> {
  if (by.$case === 'key') return entryOfKey(store, by.value);
  return by.$case === 'sessionId' ? sessionEntry(store, { sessionId: by.value }) : sessionEntry(store, { label: by.value });
}

function isWanted({ key, encodedRow }: StoredEntry, { spawnedBy, includeGlobal, includeUnknown }: ResolveKeyRequest): boolean {
  if ((key === 'global' && !includeGlobal) || (key === 'unknown' && !includeUnknown)) return false;
  if (spawnedBy === undefined) return true;
  const row = SessionRow.decode(encodedRow);
  return row.spawnedBy === spawnedBy || row.parentSessionKey === spawnedBy;
}
