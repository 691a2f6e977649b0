/** Single fields of an entry set or removed, if it is still the entry that the caller looked at. */
import { SessionError, type ModelRef } from '@sessions/domain';
import type { MutationView } from '@sessions/store';
import { fieldChange, type FieldPatch } from './field-patch';
import { newEntryMembers, type NewSession } from './new-session';
import { membersAfter, rowOf, type Planned, type StoredAnswer } from './planned';
import { findSession, type PresentSession } from './session-of-key';

export interface PatchRequest {
  readonly agentId: string;
  readonly key: string;
  readonly fields: FieldPatch;
  readonly expectedUpdatedAtMs?: number | undefined;
  readonly expectedSessionId?: string | undefined;
  /** False: the time of the last change stays. */
  readonly touch: boolean;
  /** An unknown key is created. */
  readonly create: boolean;
  readonly defaultModel: ModelRef | undefined;
  readonly session: NewSession;
}

export type PatchAnswer = StoredAnswer<'PatchEntry', { readonly key: string; readonly created: boolean }>;

/** @throws SESSION_NOT_FOUND, ENTRY_CHANGED, VALIDATION, LABEL_IN_USE */
export function decidePatch(request: PatchRequest, view: MutationView): Planned<PatchAnswer> {
  const { agentId, fields, defaultModel } = request;
  const present = findSession(view, request.key);
  refuseChanged(request, present);
  if (present === undefined) {
    if (!request.create) throw new SessionError('SESSION_NOT_FOUND', `No session found: ${request.key}`);
    const { set } = fieldChange(fields, { key: request.key, present: {}, view, defaultModel });
    const members = newEntryMembers(request.session, view.nowMs, set);
    return answer(request.key, true, members, [], {
      sessionId: request.session.sessionId,
      row: rowOf(agentId, request.key, members),
    });
  }
  const { set, clear } = fieldChange(fields, { key: present.key, present: present.native, view, defaultModel });
  const put = { set: request.touch ? { ...set, updatedAt: view.nowMs } : set, clear: clear.filter((name) => name in present.members) };
  const row = rowOf(agentId, present.key, membersAfter(present.members, put));
  return answer(present.key, false, put.set, put.clear, { sessionId: present.sessionId ?? undefined, row });
}

function refuseChanged({ expectedUpdatedAtMs, expectedSessionId }: PatchRequest, present: PresentSession | undefined): void {
  if (expectedUpdatedAtMs !== undefined && expectedUpdatedAtMs !== (present?.updatedAtMs ?? undefined)) {
    throw new SessionError('ENTRY_CHANGED', 'the entry was changed in the meantime', {
      facts: { expectedUpdatedAt: expectedUpdatedAtMs, updatedAt: present?.updatedAtMs ?? null },
    });
  }
  if (expectedSessionId !== undefined && expectedSessionId !== (present?.sessionId ?? undefined)) {
    throw new SessionError('ENTRY_CHANGED', 'the key has another session id by now', {
      facts: { expectedSessionId, sessionId: present?.sessionId ?? null },
    });
  }
}

function answer(
  key: string,
  created: boolean,
  set: Parameters<typeof membersAfter>[1]['set'],
  clear: readonly string[],
  after: { readonly sessionId: string | undefined; readonly row: Uint8Array | undefined },
): Planned<PatchAnswer> {
  const unchanged = !created && Object.keys(set).length === 0 && clear.length === 0;
  return {
    decision: { effects: unchanged ? [] : [{ kind: 'putEntry', key, set, clear }], result: { method: 'PatchEntry', key, created } },
    announcements: unchanged ? [] : [{ kind: 'changed', key, reason: created ? 'create' : 'patch', ...after }],
  };
}
