/** RestoreSession with a checkpoint: the branch as it was before a compaction, under a new session id of the same key. */
import { StoreServiceRestoreSessionResponse, type StoreServiceRestoreSessionRequest } from '@sessions/contracts';
import { SessionError, isJsonObject, type JsonObject } from '@sessions/domain';
import { idempotencyKeyOf, type CallContext } from '@sessions/bus';
import type { AgentStore, HeldFiles, StoredEntry } from '@sessions/store';
import { decideRestoreCheckpoint, type RestoreCheckpointAnswer } from '../decisions/decide-restore-checkpoint';
import { newTranscriptFile, type NewSession } from '../decisions/new-session';
import type { OwnedAgent } from '../owned-agent';
import { checkpointSource, type CheckpointSource } from './checkpoint-source';
import { answeredEntry } from './entry-json';
import { stageBranch } from './fork-session';
import { goneSince } from './gone-since';
import { newSessionOf } from './new-session-of';
import { requestHash } from './request-hash';
import { actorOf, holdsOf, pathsOf } from './session-holds';
import { entryOfKey } from './stored-session';

/** @throws SESSION_NOT_FOUND, CHECKPOINT_NOT_FOUND, ENTRY_CHANGED, SESSION_LOCKED, IDEMPOTENCY_MISMATCH; UNSUPPORTED for a dry run */
export async function restoreCheckpoint(agent: OwnedAgent, request: StoreServiceRestoreSessionRequest, checkpointId: string, context: CallContext): Promise<StoreServiceRestoreSessionResponse> {
  const { key, dryRun } = request;
  if (dryRun) throw new SessionError('UNSUPPORTED', 'a checkpoint is restored or not: there is no dry run of it');
  const session = newSessionOf(agent, key);
  return agent.mutateHeld<RestoreCheckpointAnswer, StoreServiceRestoreSessionResponse>(
    {
      files: async (store) => [...(await holdsOf(store, key, 'reset')), { file: newTranscriptFile(session), kind: 'reset' as const }],
      request: async (held, store) => {
        const { entry, source } = await found(store, key, checkpointId);
        const staged = await stage(store, held, { agent, key, session, entry, source });
        const asked = { agentId: agent.agentId, key, sourceSessionId: entry.sessionId ?? '', session, staged, checkpoint: source.checkpoint, held, actor: actorOf(context) };
        return { method: 'RestoreCheckpoint', context, contentHash: requestHash('RestoreCheckpoint', [key, checkpointId]), plan: (view) => decideRestoreCheckpoint(asked, view) };
      },
    },
    async ({ result, epoch, seq }, store) => {
      const entry = await entryOfKey(store, result.key);
      if (entry === undefined) throw goneSince(idempotencyKeyOf(context));
      const { sessionId, previousSessionId, restored, archived } = result;
      const checkpoint = checkpointIn(entry, result.checkpointId);
      return StoreServiceRestoreSessionResponse.create({
        epoch,
        storeSeq: seq,
        key: result.key,
        sessionId,
        restored: pathsOf(store, [restored]),
        archived: pathsOf(store, archived),
        entryJson: answeredEntry(entry.text),
        encodedRow: Buffer.from(entry.encodedRow),
        previousSessionId,
        checkpointJson: checkpoint === undefined ? undefined : Buffer.from(JSON.stringify(checkpoint)),
      });
    },
  );
}

async function found(store: AgentStore, key: string, checkpointId: string): Promise<{ readonly entry: StoredEntry; readonly source: CheckpointSource }> {
  const entry = await entryOfKey(store, key);
  if (entry === undefined) throw new SessionError('SESSION_NOT_FOUND', `No session found: ${key}`);
  return { entry, source: await checkpointSource(store, entry, checkpointId) };
}

interface Staging {
  readonly agent: OwnedAgent;
  readonly key: string;
  readonly session: NewSession;
  readonly entry: StoredEntry;
  readonly source: CheckpointSource;
}

async function stage(store: AgentStore, held: HeldFiles, { agent, key, session, entry, source }: Staging): Promise<NonNullable<Awaited<ReturnType<typeof stageBranch>>>> {
  const staged = await stageBranch(store, held, { targetKey: key, session, nowMs: agent.deps.clock.nowMs(), parentSessionId: entry.sessionId, source: { file: source.file, tail: source.file === entry.file ? entry.tail : undefined }, tipId: source.tipId });
  if (staged === undefined) throw new SessionError('CHECKPOINT_NOT_FOUND', `checkpoint not found: ${String(source.checkpoint['checkpointId'])}`);
  return staged;
}

function checkpointIn({ text }: StoredEntry, checkpointId: string): JsonObject | undefined {
  const members: unknown = JSON.parse(text);
  const listed = isJsonObject(members) ? members['compactionCheckpoints'] : undefined;
  return (Array.isArray(listed) ? listed.filter(isJsonObject) : []).find((each) => each['checkpointId'] === checkpointId);
}
