/** Removes files of spawns that were cut off before a sub-agent came to own them. */
import type { JsonValue } from '@sessions/domain';
import type { AgentStore } from '@sessions/store';
import { readSession } from './decisions/session-of-key';
import { entryOfKey } from './handlers/stored-session';
import type { OpenAgentStore } from './owned-agent';
import { dropSpawnFiles, filesIdOf } from './spawn-files';

/**
 * What cannot be removed stays, with its note, for the next time.
 * @param workspace of the agent, absolute
 */
export function sweepUnclaimed({ store, spawnNotes, log }: Pick<OpenAgentStore, 'store' | 'spawnNotes' | 'log'>, workspace: string, nowMs: number): Promise<void> {
  return spawnNotes.inTurn(async () => {
    for (const { id, childKey } of await spawnNotes.due(nowMs)) {
      try {
        if ((await ownedFiles(store, childKey, id)) === undefined) await dropSpawnFiles({ workspace, id });
        await spawnNotes.remove(id);
      } catch (err) {
        log.warn('files of a spawn that came to nothing could not be removed', { err });
      }
    }
  });
}

/** The receipt by which a sub-agent's entry names these files; undefined: none does. */
export async function ownedFiles(store: AgentStore, childKey: string, id: string): Promise<JsonValue | undefined> {
  const entry = await entryOfKey(store, childKey);
  const attachments = entry === undefined ? undefined : readSession(entry).native['attachments'];
  return filesIdOf(attachments) === id ? attachments : undefined;
}
