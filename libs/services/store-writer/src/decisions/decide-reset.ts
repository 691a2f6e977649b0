/** A session begun anew under its key: the transcript so far becomes an archive, what the user chose stays. */
import { resetEntry, type ModelRef, type ResetReason } from '@sessions/domain';
import type { Effect, HeldView, MutationView } from '@sessions/store';
import { fieldChange, type FieldPatch } from './field-patch';
import { headerLine, newTranscriptFile, type NewSession } from './new-session';
import { membersAfter, rowOf, type Planned, type StoredAnswer } from './planned';
import { entryTextOf, refuseOtherSession, setAside } from './session-files';
import { findSession } from './session-of-key';

export interface ResetSessionRequest {
  readonly agentId: string;
  readonly key: string;
  readonly reason: ResetReason;
  readonly fields: FieldPatch;
  readonly expectedSessionId?: string | undefined;
  readonly session: NewSession;
  readonly defaultModel: ModelRef | undefined;
  readonly held: HeldView;
  readonly actor: string;
}

export type ResetAnswer = StoredAnswer<
  'ResetSession',
  { readonly key: string; readonly sessionId: string; readonly previousSessionId: string | null; readonly archived: readonly string[] }
>;

/** An unknown key gets its row. @throws ENTRY_CHANGED, VALIDATION, LABEL_IN_USE; FilesMoved */
export function decideReset(request: ResetSessionRequest, view: MutationView): Planned<ResetAnswer> {
  const { agentId, reason, session, held, actor } = request;
  const present = findSession(view, request.key);
  refuseOtherSession(present, request.expectedSessionId);
  const key = present?.key ?? request.key;
  const { sessionId } = session;
  const sessionFile = newTranscriptFile(session);
  const reset = resetEntry(present?.native, { key, reason, sessionId, sessionFile, nowMs: view.nowMs });
  const given = fieldChange(request.fields, { key, present: present?.native ?? {}, view, defaultModel: request.defaultModel });
  const set = { ...reset.set, ...given.set };
  const clear = [...new Set([...reset.clear, ...given.clear])].filter((name) => !Object.hasOwn(set, name));
  const aside = present === undefined ? { effects: [], archived: [] } : setAside({ held, present, withSidecars: false }, view);
  const record: Effect[] = aside.effects.length === 0 ? [] : [{ kind: 'recordArchive', reason, key, sessionId: present?.sessionId ?? null, ...entryTextOf(view, key), actor }];
  const previousSessionId = present?.sessionId ?? null;
  return {
    decision: {
      effects: [...aside.effects, ...record, { kind: 'putEntry', key, set, clear }, ...begun(request, key, sessionFile, view)],
      result: { method: 'ResetSession', key, sessionId, previousSessionId, archived: aside.archived },
    },
    announcements: [
      {
        kind: 'changed',
        key,
        sessionId,
        reason,
        row: rowOf(agentId, key, membersAfter(present?.members ?? {}, { set, clear }), 0),
        ...(previousSessionId === null ? {} : { previousSessionId }),
      },
    ],
  };
}

/** A transcript of the header alone; the tutorial's format has none, and begins with its first message. */
function begun({ session }: ResetSessionRequest, key: string, file: string, view: MutationView): Effect[] {
  if (session.storeFormat === 'simple' || view.transcript(file).kind !== 'none') return [];
  return [{ kind: 'append', file, lines: [headerLine(session, session.sessionId, key, view.nowMs)], messages: 0, exchanges: 0, leafId: null }];
}
