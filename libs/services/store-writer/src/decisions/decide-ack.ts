/** A delivery that somebody has taken, or will never take; who comes later is told the same. Pure. */
import { isJsonObject, type JsonValue } from '@sessions/domain';
import type { MutationView } from '@sessions/store';
import { deliveriesOf, deliveryMembers } from './open-delivery';
import type { Planned, StoredAnswer } from './planned';
import { readSession } from './session-of-key';

export interface AckRequest {
  readonly key: string;
  readonly deliveryId: string;
  readonly ok: boolean;
  readonly channelMessageId: string | undefined;
  readonly error: string | undefined;
  /** The files that its session was spawned with are gone. */
  readonly isWithoutFiles?: boolean;
}

export type DeliveryEnd = 'delivered' | 'failed' | 'cancelled';
export type AckAnswer = StoredAnswer<'AckDelivery', { readonly state: DeliveryEnd }>;

export function deliveryEndKey(deliveryId: string): string {
  return `delivery-end:${deliveryId}`;
}

export function readDeliveryEnd(value: JsonValue | undefined): string | undefined {
  const state = isJsonObject(value) ? value['state'] : undefined;
  return typeof state === 'string' ? state : undefined;
}

const TEXT_CHARS_MAX = 500;

/** @returns undefined when it is not open. */
export function decideAck({ key, deliveryId, ok, channelMessageId, error, isWithoutFiles = false }: AckRequest, view: MutationView): Planned<AckAnswer> | undefined {
  const snapshot = view.entry(key);
  if (snapshot === undefined) return undefined;
  const { members, sessionId } = readSession(snapshot);
  const deliveries = deliveriesOf(members);
  const delivery = deliveries.find((one) => one.deliveryId === deliveryId);
  if (delivery === undefined) return undefined;
  const state: DeliveryEnd = ok ? 'delivered' : 'failed';
  const { set, clear } = deliveryMembers(deliveries.filter((one) => one !== delivery), members);
  const put = { set, clear: isWithoutFiles ? [...clear, 'attachments'] : clear };
  const note = { state, ...(channelMessageId === undefined ? {} : { channelMessageId: channelMessageId.slice(0, TEXT_CHARS_MAX) }), ...(error === undefined ? {} : { error: error.slice(0, TEXT_CHARS_MAX) }) };
  return {
    decision: { effects: [{ kind: 'putEntry', key, ...put }], result: { method: 'AckDelivery', state }, notes: [{ key: deliveryEndKey(deliveryId), result: note }] },
    announcements: [{ kind: 'delivery', key, sessionId: sessionId ?? '', deliveryId, state, channel: delivery.channel ?? '', accountId: delivery.accountId }],
  };
}
