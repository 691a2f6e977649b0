/** A session made on request, before anything is said in it; an existing key keeps its session. */
import { SessionError, isSessionId, type JsonObject } from '@sessions/domain';
import type { MutationView } from '@sessions/store';
import { fieldChange, type FieldPatch } from './field-patch';
import { newEntryMembers, type NewSession } from './new-session';
import { membersAfter, rowOf, type Planned, type StoredAnswer } from './planned';
import { findSession } from './session-of-key';

export interface Creation {
  readonly agentId: string;
  readonly key: string;
  readonly fields: FieldPatch;
  /** Must have a row; absent: no parent. A parent in another store is the caller's to check. */
  readonly parent?: { readonly key: string; readonly inThisStore: boolean };
  readonly session: NewSession;
  /** The session id was asked for by the caller. */
  readonly ownSessionId: boolean;
}

export type CreateAnswer = StoredAnswer<'CreateSession', { readonly key: string; readonly sessionId: string | null; readonly created: boolean }>;

/** @throws SESSION_NOT_FOUND for an unknown parent, LABEL_IN_USE, ENTRY_CHANGED, VALIDATION */
export function decideCreate(creation: Creation, view: MutationView): Planned<CreateAnswer> {
  const present = findSession(view, creation.key);
  const key = present?.key ?? creation.key;
  const parent = parentMembers(creation, view);
  if (present !== undefined) {
    if (creation.ownSessionId && creation.session.sessionId !== present.sessionId) {
      throw new SessionError('ENTRY_CHANGED', 'the key has another session id', { facts: { expected: creation.session.sessionId } });
    }
    const { set, clear } = fieldChange(creation.fields, { key, present: present.native, view });
    const put = { set: { ...set, ...parent, updatedAt: view.nowMs }, clear };
    const row = rowOf(creation.agentId, key, membersAfter(present.members, put));
    return {
      decision: { effects: [{ kind: 'putEntry', key, ...put }], result: { method: 'CreateSession', key, sessionId: present.sessionId, created: false } },
      announcements: [{ kind: 'changed', key, sessionId: present.sessionId ?? undefined, reason: 'patch', row }],
    };
  }
  return begin(creation, view, { ...fieldChange(creation.fields, { key, present: {}, view }).set, ...parent });
}

function parentMembers({ parent }: Creation, view: MutationView): Readonly<Record<string, string>> {
  if (parent === undefined) return {};
  if (!parent.inThisStore) return { parentSessionKey: parent.key };
  const found = findSession(view, parent.key);
  if (found === undefined) throw new SessionError('SESSION_NOT_FOUND', `unknown parent session: ${parent.key}`);
  return { parentSessionKey: found.key };
}

function begin(creation: Creation, view: MutationView, given: JsonObject): Planned<CreateAnswer> {
  const { agentId, key, session } = creation;
  const { sessionId } = session;
  if (creation.ownSessionId) refuseTakenId(sessionId, view);
  const members = newEntryMembers(session, view.nowMs, given);
  // The transcript begins with its first message: an entry alone is what the format calls a new session.
  return {
    decision: { effects: [{ kind: 'putEntry', key, set: members }], result: { method: 'CreateSession', key, sessionId, created: true } },
    announcements: [{ kind: 'changed', key, sessionId, reason: 'create', row: rowOf(agentId, key, members) }],
  };
}

function refuseTakenId(sessionId: string, view: MutationView): void {
  if (!isSessionId(sessionId)) throw new SessionError('VALIDATION', 'invalid session id: expected [a-z0-9][a-z0-9._-]{0,127} without ".."');
  if (view.keyOfSession(sessionId) !== undefined) {
    throw new SessionError('ENTRY_CHANGED', 'the session id belongs to another key', { facts: { sessionId } });
  }
}
