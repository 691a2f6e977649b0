/** `/status` inside a message: answered as the message leaves its session, beside the turn. Pure. */
import { isJsonObject, nativeView, type JsonValue } from '@sessions/domain';
import type { MutationView } from '@sessions/store';
import { statusReply, type ReplyFacts } from './command-replies';
import type { DeliverAnswer } from './decide-deliver';
import { membersAfter, type Planned } from './planned';

export type StatusFacts = Omit<ReplyFacts, 'native'>;

export function withStatusTold(planned: Planned<DeliverAnswer>, facts: StatusFacts, view: MutationView): Planned<DeliverAnswer> {
  const { decision } = planned;
  const { sessionKey: key } = decision.result;
  const text = view.entry(key)?.text;
  const stored = text === undefined ? {} : (JSON.parse(text) as JsonValue);
  const before = isJsonObject(stored) ? stored : {};
  const members = decision.effects.reduce((now, effect) => (effect.kind === 'putEntry' && effect.key === key ? membersAfter(now, effect) : now), before);
  return { ...planned, decision: { ...decision, result: { ...decision.result, reply: statusReply({ ...facts, native: nativeView(members) }) } } };
}
