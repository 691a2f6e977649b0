/** A session taken out of the store; its files become archives from which it can be brought back whole. */
import { SessionError, isMainKey } from '@sessions/domain';
import { NOTES_MAX, type HeldView, type MutationView } from '@sessions/store';
import type { Announcement } from '../publish-events';
import { deliveryEndKey } from './decide-ack';
import { deliveriesOf } from './open-delivery';
import type { Planned, StoredAnswer } from './planned';
import { entryTextOf, refuseOpenRuns, refuseOtherSession, setAside } from './session-files';
import { findSession } from './session-of-key';

export interface DeleteRequest {
  readonly key: string;
  /** False: the files stay in place. */
  readonly deleteTranscript: boolean;
  readonly expectedSessionId?: string | undefined;
  readonly held: HeldView;
  readonly actor: string;
}

export type DeleteAnswer = StoredAnswer<'DeleteSession', { readonly deleted: boolean; readonly sessionId: string | null; readonly archived: readonly string[] }>;

/** An unknown key is answered, not refused. @throws MAIN_PROTECTED, ENTRY_CHANGED; FilesMoved, RunsOpen */
export function decideDelete(request: DeleteRequest, view: MutationView): Planned<DeleteAnswer> {
  const { held, actor, deleteTranscript } = request;
  const present = findSession(view, request.key);
  if (present === undefined) return { decision: { effects: [], result: { method: 'DeleteSession', deleted: false, sessionId: null, archived: [] } }, announcements: [] };
  const { key, sessionId } = present;
  if (isMainKey(key)) throw new SessionError('MAIN_PROTECTED', `Cannot delete the main session (${key}).`);
  refuseOtherSession(present, request.expectedSessionId);
  refuseOpenRuns(present);
  const aside = deleteTranscript ? setAside({ held, present, withSidecars: true }, view) : { effects: [], archived: [] };
  const deliveries = deliveriesOf(present.members);
  return {
    decision: {
      effects: [...aside.effects, { kind: 'recordArchive', reason: 'delete', key, sessionId, ...entryTextOf(view, key), actor }, { kind: 'removeEntry', key }],
      result: { method: 'DeleteSession', deleted: true, sessionId, archived: aside.archived },
      notes: deliveries.slice(0, NOTES_MAX).map(({ deliveryId }) => ({ key: deliveryEndKey(deliveryId), result: { state: 'cancelled' } })),
    },
    announcements: [
      ...deliveries.map((one): Announcement => ({ kind: 'delivery', key, sessionId: sessionId ?? '', deliveryId: one.deliveryId, state: 'cancelled', channel: one.channel ?? '', accountId: one.accountId })),
      { kind: 'changed', key, sessionId: sessionId ?? undefined, reason: 'delete', row: undefined },
    ],
  };
}
