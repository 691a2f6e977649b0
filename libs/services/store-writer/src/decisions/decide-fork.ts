/** A session that begins with another one's active branch, under a key of its own. */
import { SessionError, forkEntry, type JsonObject } from '@sessions/domain';
import type { Effect, HeldView, MutationView, StagedTranscript } from '@sessions/store';
import { fieldChange, type FieldPatch } from './field-patch';
import { newEntryMembers, newTranscriptFile, type NewSession } from './new-session';
import { rowOf, type Planned, type StoredAnswer } from './planned';
import { findSession } from './session-of-key';

export interface ForkSessionRequest {
  readonly agentId: string;
  readonly sourceKey: string;
  /** Session id whose branch was copied; another one by now: the caller copies again. */
  readonly sourceSessionId: string | null;
  readonly targetKey: string;
  readonly fields: FieldPatch;
  /** Where the caller gives none. Others may have the same: it names a kind of session, not one. */
  readonly label?: string;
  readonly session: NewSession;
  /** Undefined: the child starts empty, for this reason. */
  readonly staged: StagedTranscript | undefined;
  readonly refusal: string | undefined;
  readonly held: HeldView;
}

export type ForkAnswer = StoredAnswer<'ForkSession', { readonly key: string; readonly sessionId: string; readonly forked: boolean; readonly refusal: string | null }>;

/** @throws SESSION_NOT_FOUND, ENTRY_CHANGED for a key that exists or a source that was reset, LABEL_IN_USE, VALIDATION */
export function decideFork(request: ForkSessionRequest, view: MutationView): Planned<ForkAnswer> {
  const { agentId, session, staged, targetKey: key } = request;
  const source = findSession(view, request.sourceKey);
  if (source === undefined) throw new SessionError('SESSION_NOT_FOUND', `No session found: ${request.sourceKey}`);
  if (source.sessionId !== request.sourceSessionId) throw new SessionError('ENTRY_CHANGED', 'the session was reset while it was forked');
  if (findSession(view, key) !== undefined) throw new SessionError('ENTRY_CHANGED', 'the key of the fork has a session already', { facts: { keyLength: key.length } });
  const { sessionId } = session;
  const given = { ...(request.label === undefined ? {} : { label: request.label }), ...fieldChange(request.fields, { key, present: {}, view }).set };
  const child = forkEntry(source.native, { parentKey: source.key, sessionId, sessionFile: newTranscriptFile(session), nowMs: view.nowMs, given });
  const { sessionId: _, sessionFile: __, updatedAt: ___, ...others } = child;
  const members: JsonObject = session.storeFormat === 'native' ? child : newEntryMembers(session, view.nowMs, others);
  const effects: Effect[] = [{ kind: 'putEntry', key, set: members as Readonly<Record<string, NonNullable<JsonObject[string]>>> }];
  if (staged !== undefined) effects.push({ kind: 'replaceTranscript', file: newTranscriptFile(session), staged });
  return {
    decision: { effects, result: { method: 'ForkSession', key, sessionId, forked: staged !== undefined, refusal: request.refusal ?? null } },
    announcements: [{ kind: 'changed', key, sessionId, reason: 'create', row: rowOf(agentId, key, members, staged?.tail.exchanges ?? 0) }],
  };
}
