/**
 * The end of a compaction, once: its summary appended as a record, with the facts that a checkpoint is
 * made of; or a failure, which writes nothing into the transcript. Whoever comes second gets the first
 * answer.
 */
import { LOOKED_AT_BYTES, SessionError, isJsonObject, type JsonObject, type JsonValue } from '@sessions/domain';
import type { MutationView, TranscriptTail } from '@sessions/store';
import { ATTEMPT_MEMBER, PENDING_MEMBER, pendingOf, sessionOfOperation, type PendingCompaction } from './pending-compaction';
import { membersAfter, rowOf, type Planned, type StoredAnswer } from './planned';
import { readSession, type PresentSession } from './session-of-key';

/** Checkpoints that an entry remembers, the newest ones. */
export const CHECKPOINTS_MAX = 25;

/** Ends that are no failure: there was nothing to do. */
const NOTHING_TO_DO: ReadonlySet<string> = new Set(['nothing to summarise', 'not full', 'little new content', 'below limit', 'no transcript']);

export type EndCompactionAnswer = StoredAnswer<
  'EndCompaction',
  {
    readonly key: string;
    readonly sessionId: string;
    readonly operationId: string;
    readonly ok: boolean;
    readonly compacted: boolean;
    readonly reason: string | null;
    /** Id of the record, and of its checkpoint; null: nothing was written. */
    readonly compactionId: string | null;
    readonly firstKeptEntryId: string | null;
    readonly tokensBefore: number | null;
    readonly tokensAfter: number | null;
    readonly details: JsonValue;
  }
>;

/** What of the branch the installing rests on: looked up before the mutation, checked again inside it. */
export interface BranchFacts {
  readonly file: string;
  readonly leafId: string | null;
  /** First record of the branch behind the snapshot; undefined: there is none. */
  readonly firstNewId: string | undefined;
}

/** The transcript is no longer what was looked up. */
export class BranchMoved extends Error {}

export interface InstallRequest {
  readonly agentId: string;
  readonly operationId: string;
  readonly cutId: string | undefined;
  readonly summary: string;
  readonly tokensBefore: number;
  readonly tokensAfter: number | undefined;
  readonly details: JsonObject;
  readonly branch: BranchFacts;
  readonly newId: string;
}

/** @throws STALE_PLAN; BranchMoved */
export function decideInstall(request: InstallRequest, view: MutationView): Planned<EndCompactionAnswer> {
  const { agentId, operationId, branch, newId: id } = request;
  const { present, pending } = openOperation(operationId, view);
  const { sessionId } = pending;
  const tail = view.transcript(branch.file);
  if (present.file !== branch.file || tail.leafId !== branch.leafId) throw new BranchMoved();
  // What came while the summary was made stands behind the snapshot, and so behind the cut.
  const firstKeptEntryId = request.cutId ?? branch.firstNewId ?? id;
  const record = summaryRecord(request, { parentId: tail.leafId, firstKeptEntryId, nowMs: view.nowMs });
  // The file stays as long as it is: its size is no reason again before there is more of it.
  const put = installedPut(request, { present, pending, before: { file: branch.file, leafId: tail.leafId }, after: { sessionId, file: branch.file, bytes: tail.bytes }, firstKeptEntryId }, view);
  return {
    decision: {
      effects: [
        { kind: 'append', file: branch.file, lines: [JSON.stringify(record)], messages: 0, exchanges: 0, leafId: id },
        { kind: 'putEntry', key: present.key, ...put },
      ],
      result: installedAnswer(request, present.key, sessionId, firstKeptEntryId),
    },
    announcements: ended(agentId, present, pending, put, tail, undefined),
  };
}

type Summary = Pick<InstallRequest, 'summary' | 'tokensBefore' | 'tokensAfter' | 'details' | 'newId'>;

/** The line that stands for what was summarised. */
export function summaryRecord({ newId: id, summary, tokensBefore, details }: Summary, { parentId, firstKeptEntryId, nowMs }: { readonly parentId: string | null; readonly firstKeptEntryId: string; readonly nowMs: number }): JsonObject {
  return { type: 'compaction', id, parentId, timestamp: new Date(nowMs).toISOString(), summary, firstKeptEntryId, tokensBefore, details, fromHook: false };
}

export interface InstalledPlace {
  readonly present: PresentSession;
  readonly pending: PendingCompaction;
  readonly before: { readonly file: string; readonly leafId: string | null };
  /** Where the summary stands, and how long that file is as it begins. */
  readonly after: { readonly sessionId: string; readonly file: string; readonly bytes: number };
  readonly firstKeptEntryId: string;
}

/** What the entry remembers of a compaction: its checkpoint, what was counted, and that nothing waits any more. */
export function installedPut({ newId: id, summary, tokensBefore, tokensAfter }: Summary, { present: { key, members }, pending, before, after, firstKeptEntryId }: InstalledPlace, view: MutationView): { readonly set: Record<string, JsonValue>; readonly clear: string[] } {
  const checkpoint = {
    checkpointId: id,
    sessionKey: key,
    sessionId: after.sessionId,
    createdAt: view.nowMs,
    reason: pending.reason,
    tokensBefore,
    ...(tokensAfter === undefined ? {} : { tokensAfter }),
    summary,
    firstKeptEntryId,
    preCompaction: { sessionId: pending.sessionId, sessionFile: before.file, leafId: before.leafId },
    postCompaction: { sessionId: after.sessionId, sessionFile: after.file, leafId: id, entryId: id },
  };
  const listed = members['compactionCheckpoints'];
  return {
    set: {
      updatedAt: view.nowMs,
      compactionCount: countOf(members) + 1,
      lastCompactionAt: view.nowMs,
      compactionCheckpoints: [...(Array.isArray(listed) ? (listed as readonly JsonValue[]) : []), checkpoint].slice(-CHECKPOINTS_MAX),
      ...(tokensAfter === undefined ? {} : { totalTokens: tokensAfter, totalTokensFresh: true }),
      ...(pending.reason === 'auto-threshold' ? { [ATTEMPT_MEMBER]: { sessionId: after.sessionId, [LOOKED_AT_BYTES]: after.bytes } } : {}),
    },
    clear: [PENDING_MEMBER, ...(pending.reason === 'auto-threshold' ? [] : [ATTEMPT_MEMBER]), 'inputTokens', 'outputTokens', 'cacheRead', 'cacheWrite'].filter((name) => name in members),
  };
}

/** @param sessionId that the operation was asked for under. */
export function installedAnswer({ operationId, newId, tokensBefore, tokensAfter, details }: Summary & Pick<InstallRequest, 'operationId'>, key: string, sessionId: string, firstKeptEntryId: string): EndCompactionAnswer {
  return { method: 'EndCompaction', key, sessionId, operationId, ok: true, compacted: true, reason: null, compactionId: newId, firstKeptEntryId, tokensBefore, tokensAfter: tokensAfter ?? null, details };
}

/** @throws STALE_PLAN */
export function decideFail({ agentId, operationId, reason }: { readonly agentId: string; readonly operationId: string; readonly reason: string }, view: MutationView): Planned<EndCompactionAnswer> {
  const { present, pending } = openOperation(operationId, view);
  const { key, members, file } = present;
  const ok = NOTHING_TO_DO.has(reason);
  const tail = file === null ? undefined : view.transcript(file);
  const looked = tail === undefined || pending.reason !== 'auto-threshold' ? {} : { [LOOKED_AT_BYTES]: tail.bytes };
  const { [ATTEMPT_MEMBER]: last } = members;
  const failed = { tipId: pending.snapshotTipId, sessionId: pending.sessionId, at: view.nowMs, reason, ...(typeof members['totalTokens'] === 'number' ? { tokens: members['totalTokens'] } : {}), ...looked };
  const nothing = { ...(isJsonObject(last) && last['sessionId'] === pending.sessionId ? last : { sessionId: pending.sessionId }), ...looked };
  const put: { set: Record<string, JsonValue>; clear: string[] } = {
    set: !ok ? { [ATTEMPT_MEMBER]: failed } : pending.reason === 'auto-threshold' ? { [ATTEMPT_MEMBER]: nothing } : {},
    clear: [PENDING_MEMBER],
  };
  return {
    decision: {
      effects: [{ kind: 'putEntry', key, ...put }],
      result: { method: 'EndCompaction', key, sessionId: pending.sessionId, operationId, ok, compacted: false, reason, compactionId: null, firstKeptEntryId: null, tokensBefore: null, tokensAfter: null, details: {} },
    },
    announcements: ended(agentId, { key, members }, pending, put, tail, reason),
  };
}

/** @throws STALE_PLAN when it has ended, or its session was begun anew. */
export function openOperation(operationId: string, view: Pick<MutationView, 'keyOfSession' | 'entry'>): { readonly present: PresentSession; readonly pending: PendingCompaction } {
  const sessionId = sessionOfOperation(operationId);
  const key = sessionId === undefined ? undefined : view.keyOfSession(sessionId);
  const snapshot = key === undefined ? undefined : view.entry(key);
  const present = snapshot === undefined ? undefined : readSession(snapshot);
  const pending = present === undefined ? undefined : pendingOf(present.members, present.sessionId);
  if (present === undefined || pending?.operationId !== operationId) throw new SessionError('STALE_PLAN', 'the compaction is not open any more');
  return { present, pending };
}

function ended(
  agentId: string,
  { key, members }: Pick<PresentSession, 'key' | 'members'>,
  { sessionId, operationId }: PendingCompaction,
  put: Parameters<typeof membersAfter>[1],
  tail: TranscriptTail | undefined,
  reason: string | undefined,
): Planned<EndCompactionAnswer>['announcements'] {
  return [
    { kind: 'operation', key, sessionId, operationId, phase: 'end', completed: reason === undefined, ...(reason === undefined ? {} : { reason }) },
    { kind: 'changed', key, sessionId, reason: 'compact', row: rowOf(agentId, key, membersAfter(members, put), tail?.exchanges) },
  ];
}

function countOf(members: JsonObject): number {
  const count = members['compactionCount'];
  return typeof count === 'number' && Number.isSafeInteger(count) && count >= 0 ? count : 0;
}
