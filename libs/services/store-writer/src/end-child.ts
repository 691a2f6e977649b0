/**
 * What happens to a sub-agent when the last message that its run left has been taken: its files go, and
 * a session that was spawned with `cleanup: "delete"` goes into the archive (tools §6.3, lifecycle §10).
 *
 * The files go before the message counts as taken: an acknowledgement that is lost in between is made
 * again, and finds nothing left to remove. An archive that fails, or that a process did not live to see,
 * is made up for by its `archiveAt`.
 */
import { StoreServiceDeleteSessionRequest } from '@sessions/contracts';
import type { SessionConfig } from '@sessions/domain';
import { readSession } from './decisions/session-of-key';
import { ownContext } from './end-lost-attempt';
import { deleteSession } from './handlers/delete-session';
import { sessionEntry } from './handlers/stored-session';
import { directoryOf } from './handlers/write-attachments';
import type { OpenAgentStore, OwnedAgent } from './owned-agent';
import { dropSpawnFiles, filesIdOf } from './spawn-files';

export interface EndingChild {
  readonly key: string;
  readonly sessionId: string | null;
  /** Of its files; undefined: there are none, or they stay. */
  readonly filesId: string | undefined;
  readonly isArchived: boolean;
}

/** Undefined: the delivery is not the last thing open in its session, or that is no ended sub-agent. */
export async function endingChildOf(open: OpenAgentStore, deliveryId: string, key: string, config: SessionConfig): Promise<EndingChild | undefined> {
  if (!open.work.isLast(deliveryId)) return undefined;
  const entry = await sessionEntry(open.store, { key });
  if (entry === undefined) return undefined;
  const { native, sessionId } = readSession(entry);
  // A session that stays for its thread has not ended with one of its runs.
  if (typeof native['spawnedBy'] !== 'string' || native['spawnMode'] === 'session' || native['endedAt'] === undefined) return undefined;
  const isArchived = native['cleanup'] === 'delete';
  const stay = !isArchived && config.tools.spawnAttachments.retainOnSessionKeep;
  const child = { key, sessionId, filesId: stay ? undefined : filesIdOf(native['attachments']), isArchived };
  return child.filesId === undefined && !isArchived ? undefined : child;
}

/** What cannot be removed stays, and is said: the result has reached its parent, and that counts. @returns whether they are gone */
export async function dropChildFiles(agent: OwnedAgent, { filesId }: EndingChild): Promise<boolean> {
  if (filesId === undefined) return false;
  try {
    await dropSpawnFiles(directoryOf(agent, filesId));
    return true;
  } catch (err) {
    agent.deps.logger.warn('files of an ended sub-agent could not be removed', { agentId: agent.agentId, err });
    return false;
  }
}

/** A session that has another run by now stays. */
export async function archiveChild(agent: OwnedAgent, { key, sessionId, isArchived }: EndingChild): Promise<void> {
  if (!isArchived || sessionId === null) return;
  try {
    await deleteSession(agent, StoreServiceDeleteSessionRequest.create({ agentId: agent.agentId, key, deleteTranscript: true, expectedSessionId: sessionId }), ownContext(`child-ended:${key}:${sessionId}`));
  } catch (err) {
    agent.deps.logger.info('an ended sub-agent is archived later', { agentId: agent.agentId, err });
  }
}
