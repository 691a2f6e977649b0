/** A compaction asked for: recorded in the entry with the tip that it starts from; or why there is nothing to do. */
import { SessionError, isJsonObject, type JsonObject } from '@sessions/domain';
import type { MutationView } from '@sessions/store';
import { PENDING_MEMBER, newOperationId, pendingMember, pendingOf, type RequestReason } from './pending-compaction';
import { membersAfter, rowOf, type Planned, type StoredAnswer } from './planned';
import { refuseRunning } from './session-files';
import { findSession } from './session-of-key';

export interface CompactionAsked {
  readonly agentId: string;
  readonly key: string;
  readonly reason: RequestReason;
  readonly instructions: string | undefined;
}

export type RequestCompactionAnswer = StoredAnswer<
  'RequestCompaction',
  {
    readonly key: string;
    readonly sessionId: string | null;
    /** Null: nothing to do, for `nothing`. */
    readonly operationId: string | null;
    readonly snapshotTipId: string | null;
    readonly requestedAtMs: number;
    readonly joined: boolean;
    readonly nothing: string | null;
  }
>;

/** @throws SESSION_NOT_FOUND; RunsOpen */
export function decideRequestCompaction({ agentId, key: asked, reason, instructions }: CompactionAsked, view: MutationView): Planned<RequestCompactionAnswer> {
  const present = findSession(view, asked);
  if (present === undefined) throw new SessionError('SESSION_NOT_FOUND', `No session found: ${asked}`);
  const { key, sessionId, file, members } = present;
  const answer = { method: 'RequestCompaction', key, sessionId, operationId: null, snapshotTipId: null, requestedAtMs: view.nowMs, joined: false, nothing: null } as const;
  const open = pendingOf(members, sessionId);
  if (open !== undefined) {
    const { operationId, snapshotTipId, requestedAtMs } = open;
    return { decision: { effects: [], result: { ...answer, operationId, snapshotTipId, requestedAtMs, joined: true } }, announcements: [] };
  }
  const tail = file === null ? undefined : view.transcript(file);
  const nothing = tail === undefined || tail.kind === 'none' || tail.kind === 'empty' ? 'no transcript' : tail.kind === 'simple' ? 'simple format' : isCompacted(members, sessionId, tail.leafId) || tail.messages === 0 ? 'nothing to summarise' : null;
  if (nothing !== null || sessionId === null || tail?.leafId === undefined || tail.leafId === null) {
    return { decision: { effects: [], result: { ...answer, nothing: nothing ?? 'nothing to summarise' } }, announcements: [] };
  }
  // Those that the system asks for come between turns, or inside one.
  if (reason === 'manual') refuseRunning(present);
  const operationId = newOperationId(sessionId);
  const pending = { operationId, sessionId, reason, instructions, snapshotTipId: tail.leafId, requestedAtMs: view.nowMs };
  const put = { set: { [PENDING_MEMBER]: pendingMember(pending) } };
  return {
    decision: { effects: [{ kind: 'putEntry', key, ...put }], result: { ...answer, operationId, snapshotTipId: tail.leafId } },
    announcements: [
      { kind: 'operation', key, sessionId, operationId, phase: 'start' },
      { kind: 'changed', key, sessionId, reason: 'compact', row: rowOf(agentId, key, membersAfter(members, put)) },
    ],
  };
}

/** True right after a compaction, while nothing has come since. */
function isCompacted(members: JsonObject, sessionId: string | null, leafId: string | null): boolean {
  const checkpoints = members['compactionCheckpoints'];
  const newest = Array.isArray(checkpoints) ? (checkpoints.at(-1) as unknown) : undefined;
  const post = isJsonObject(newest) ? newest['postCompaction'] : undefined;
  return leafId !== null && isJsonObject(post) && post['sessionId'] === sessionId && post['entryId'] === leafId;
}
