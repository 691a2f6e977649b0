/** A session begun anew under its key: the transcript so far becomes an archive, what the user chose stays. */
import { resetEntry, selectedModel, type JsonValue, type ModelRef, type ResetReason } from '@sessions/domain';
import type { Effect, HeldView, MutationView } from '@sessions/store';
import { fieldChange, type FieldPatch } from './field-patch';
import { headerLine, newTranscriptFile, type NewSession } from './new-session';
import { membersAfter, rowOf, type Planned, type StoredAnswer } from './planned';
import { entryTextOf, refuseOpenRuns, refuseOtherSession, setAside } from './session-files';
import { findSession, type PresentSession } from './session-of-key';

export interface ResetSessionRequest {
  readonly agentId: string;
  readonly key: string;
  readonly reason: ResetReason;
  readonly fields: FieldPatch;
  readonly expectedSessionId?: string | undefined;
  readonly session: NewSession;
  readonly defaultModel: ModelRef | undefined;
  /** `/new <model>`: the override that replaces the one before. */
  readonly model?: string | undefined;
  readonly held: HeldView;
  readonly actor: string;
}

export type ResetAnswer = StoredAnswer<
  'ResetSession',
  { readonly key: string; readonly sessionId: string; readonly previousSessionId: string | null; readonly archived: readonly string[] }
>;

export interface PlannedReset {
  /** As stored, or as asked for. */
  readonly key: string;
  readonly set: Record<string, JsonValue>;
  readonly clear: readonly string[];
  /** Set the transcript aside and record it; without the entry and the new transcript. */
  readonly effects: readonly Effect[];
  readonly archived: readonly string[];
  readonly previousSessionId: string | null;
  readonly sessionFile: string;
}

/** What a reset does, for a request of its own and for the message that brings one about. @throws FilesMoved, VALIDATION */
export function planReset(request: Omit<ResetSessionRequest, 'fields' | 'expectedSessionId'>, present: PresentSession | undefined, view: MutationView): PlannedReset {
  const { reason, session, held, actor, model, defaultModel } = request;
  const key = present?.key ?? request.key;
  const { sessionId } = session;
  const sessionFile = newTranscriptFile(session);
  const chosen = model === undefined ? {} : { model: { wanted: model, defaultModel } };
  const { set, clear } = resetEntry(present?.native, { key, reason, sessionId, sessionFile, nowMs: view.nowMs, ...chosen });
  const aside = present === undefined ? { effects: [], archived: [] } : setAside({ held, present, withSidecars: false }, view);
  const record: Effect[] = aside.effects.length === 0 ? [] : [{ kind: 'recordArchive', reason, key, sessionId: present?.sessionId ?? null, ...entryTextOf(view, key), actor }];
  return { key, set, clear, effects: [...aside.effects, ...record], archived: aside.archived, previousSessionId: present?.sessionId ?? null, sessionFile };
}

/** An unknown key gets its row. @throws ENTRY_CHANGED, VALIDATION, LABEL_IN_USE; FilesMoved, RunsOpen */
export function decideReset(request: ResetSessionRequest, view: MutationView): Planned<ResetAnswer> {
  const { agentId, reason, session } = request;
  const present = findSession(view, request.key);
  refuseOtherSession(present, request.expectedSessionId);
  refuseOpenRuns(present);
  const { key, previousSessionId, archived, sessionFile, ...reset } = planReset(request, present, view);
  const { sessionId } = session;
  const given = fieldChange(request.fields, { key, present: present?.native ?? {}, view, defaultModel: request.defaultModel });
  const changed = { ...reset.set, ...given.set };
  const entry = Object.fromEntries(Object.entries({ ...present?.native, ...changed }).filter(([name]) => Object.hasOwn(changed, name) || !given.clear.includes(name)));
  const set = { ...changed, ...(reason === 'cron-run' ? {} : selectedModel(entry, request.defaultModel)) };
  const clear = [...new Set([...reset.clear, ...given.clear])].filter((name) => !Object.hasOwn(set, name));
  return {
    decision: {
      effects: [...reset.effects, { kind: 'putEntry', key, set, clear }, ...begun(request, key, sessionFile, view)],
      result: { method: 'ResetSession', key, sessionId, previousSessionId, archived },
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
