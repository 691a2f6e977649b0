/** A session put back to where it was before a compaction: a new session id with that branch; the transcript so far becomes an archive. */
import { SessionError, resetEntry, type JsonObject } from '@sessions/domain';
import type { Effect, HeldView, MutationView, StagedTranscript } from '@sessions/store';
import { newTranscriptFile, type NewSession } from './new-session';
import { membersAfter, rowOf, type Planned, type StoredAnswer } from './planned';
import { entryTextOf, refuseOpenRuns, refuseOtherSession, setAside } from './session-files';
import { findSession } from './session-of-key';

export interface RestoreCheckpointRequest {
  readonly agentId: string;
  readonly key: string;
  /** Session id that the branch was copied under; another one by now: the caller looks again. */
  readonly sourceSessionId: string;
  readonly session: NewSession;
  readonly staged: StagedTranscript;
  readonly checkpoint: JsonObject;
  readonly held: HeldView;
  readonly actor: string;
}

export type RestoreCheckpointAnswer = StoredAnswer<'RestoreCheckpoint', { readonly key: string; readonly sessionId: string; readonly previousSessionId: string; readonly restored: string; readonly archived: readonly string[]; readonly checkpointId: string }>;

/** @throws SESSION_NOT_FOUND, ENTRY_CHANGED; FilesMoved, RunsOpen */
export function decideRestoreCheckpoint(request: RestoreCheckpointRequest, view: MutationView): Planned<RestoreCheckpointAnswer> {
  const { agentId, session, staged, checkpoint, held, actor, sourceSessionId: previousSessionId } = request;
  const present = findSession(view, request.key);
  if (present === undefined) throw new SessionError('SESSION_NOT_FOUND', `No session found: ${request.key}`);
  refuseOtherSession(present, previousSessionId);
  refuseOpenRuns(present);
  const { key } = present;
  const { sessionId } = session;
  const sessionFile = newTranscriptFile(session);
  const reset = resetEntry(present.native, { key, reason: 'reset', sessionId, sessionFile, nowMs: view.nowMs });
  const tokens = checkpoint['tokensBefore'];
  const set = { ...reset.set, lastResetReason: 'checkpoint-restore', ...(typeof tokens === 'number' ? { totalTokens: tokens, totalTokensFresh: false } : {}) };
  const clear = reset.clear.filter((name) => !Object.hasOwn(set, name) && name in present.members);
  const aside = setAside({ held, present, withSidecars: false }, view);
  const record: Effect[] = aside.effects.length === 0 ? [] : [{ kind: 'recordArchive', reason: 'checkpoint-restore', key, sessionId: previousSessionId, ...entryTextOf(view, key), actor }];
  return {
    decision: {
      effects: [...aside.effects, { kind: 'replaceTranscript', file: sessionFile, staged }, ...record, { kind: 'putEntry', key, set, clear }],
      result: { method: 'RestoreCheckpoint', key, sessionId, previousSessionId, restored: sessionFile, archived: aside.archived, checkpointId: String(checkpoint['checkpointId']) },
    },
    announcements: [{ kind: 'changed', key, sessionId, reason: 'checkpoint-restore', row: rowOf(agentId, key, membersAfter(present.members, { set, clear }), staged.tail.exchanges), previousSessionId, messageSeq: staged.tail.messages }],
  };
}
