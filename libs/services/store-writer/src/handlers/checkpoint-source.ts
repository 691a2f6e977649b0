/** Where the state of a session before one of its compactions stands: a transcript, and the tip that it had. */
import { SessionError, insideSessionsDir, isJsonObject, type JsonObject } from '@sessions/domain';
import type { AgentStore, StoredEntry } from '@sessions/store';
import { branchOf } from './read-branch';

export interface CheckpointSource {
  readonly file: string;
  /** Undefined: the end of the file, as in the checkpoint files of older programs. */
  readonly tipId: string | undefined;
  readonly checkpoint: JsonObject;
}

/** @throws CHECKPOINT_NOT_FOUND when the entry does not name it, or its records are not there any more */
export async function checkpointSource(store: AgentStore, entry: StoredEntry, checkpointId: string): Promise<CheckpointSource> {
  const missing = (): SessionError => new SessionError('CHECKPOINT_NOT_FOUND', `checkpoint not found: ${checkpointId}`);
  const members: unknown = JSON.parse(entry.text);
  const listed = isJsonObject(members) ? members['compactionCheckpoints'] : undefined;
  const checkpoint = (Array.isArray(listed) ? listed.filter(isJsonObject) : []).find((each) => each['checkpointId'] === checkpointId);
  if (checkpoint === undefined) throw missing();
  const before = isJsonObject(checkpoint['preCompaction']) ? checkpoint['preCompaction'] : {};
  const named = typeof before['sessionFile'] === 'string' ? insideSessionsDir(before['sessionFile']) : undefined;
  const file = named ?? (checkpoint['sessionId'] === entry.sessionId ? (entry.file ?? undefined) : undefined);
  const tip = before['leafId'] ?? before['entryId'];
  const source = file === undefined ? undefined : { file, tipId: typeof tip === 'string' ? tip : undefined, checkpoint };
  const isThere = source !== undefined && (await isWhole(store, entry, source));
  if (!isThere) throw missing();
  return source;
}

async function isWhole(store: AgentStore, entry: StoredEntry, { file, tipId }: CheckpointSource): Promise<boolean> {
  try {
    const branch = await branchOf(store, { file, tail: file === entry.file ? entry.tail : undefined }, tipId);
    return branch !== undefined && branch.lines.length > 0;
  } catch (error) {
    if (error instanceof SessionError && error.reason === 'STALE_PLAN') return false;
    throw error;
  }
}
