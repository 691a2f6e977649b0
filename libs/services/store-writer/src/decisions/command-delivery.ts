/** The answer of a chat command, on its way to the channel that the command came from: opened with it. */
import { OutboundMessage, type ReplyRoute } from '@sessions/contracts';
import { isJsonObject, nativeView, type JsonObject, type SessionConfig } from '@sessions/domain';
import type { Effect, MutationView, PutEntryEffect } from '@sessions/store';
import type { DeliverAnswer } from './decide-deliver';
import { deliveriesOf, deliveryMembers, openDeliveries, type OpenDelivery } from './open-delivery';
import { membersAfter, type Planned } from './planned';
import { maySend } from './run-end';
import type { SpoolView } from './spool-view';

export interface CommandDelivery {
  readonly agentId: string;
  readonly route: ReplyRoute;
  readonly inReplyTo: OpenDelivery['inReplyTo'];
  /** Of the message. */
  readonly messageId: string;
  readonly config: SessionConfig;
  readonly spool: SpoolView;
}

/** A command that leaves no row has nothing that could hold its answer: only its sender is told. @throws SpoolUnwritten */
export function withReplyDelivered(planned: Planned<DeliverAnswer>, { agentId, route, inReplyTo, messageId, config, spool }: CommandDelivery, view: MutationView): Planned<DeliverAnswer> {
  const { reply, sessionKey: key } = planned.decision.result;
  const put = planned.decision.effects.find((effect): effect is PutEntryEffect => effect.kind === 'putEntry' && effect.key === key);
  if (reply === null || put === undefined) return planned;
  const text = view.entry(key)?.text;
  const stored: unknown = text === undefined ? {} : JSON.parse(text);
  const before = isJsonObject(stored as JsonObject) ? (stored as JsonObject) : {};
  if (!maySend(config, key, nativeView(membersAfter(before, put)))) return planned;
  const opened = openDeliveries(deliveriesOf(membersAfter(before, put)), [OutboundMessage.create({ route, text: reply })], { key, source: `${agentId}\ncommand\n${messageId}`, nowMs: view.nowMs, ...(inReplyTo === undefined ? {} : { inReplyTo }) }, spool);
  const effects = planned.decision.effects.map((effect): Effect => (effect === put ? { ...put, set: { ...put.set, ...deliveryMembers(opened.deliveries, before).set } } : effect));
  const told = opened.opened.map(({ deliveryId, channel = '', accountId }) => ({ kind: 'delivery', key, sessionId: planned.decision.result.sessionId ?? '', deliveryId, state: 'open', channel, accountId }) as const);
  return { decision: { ...planned.decision, effects }, announcements: [...planned.announcements, ...told] };
}
