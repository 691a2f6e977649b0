import { OutboundMessage, ReplyRoute, SessionDelivery } from '@sessions/contracts';
import { OPEN_DELIVERIES_MAX, deliveriesOf, deliveryMembers, openDeliveries, type OpenDelivery } from './open-delivery';
import { SpoolView } from './spool-view';

const spool = new SpoolView();
const toChannel = (text: string) => OutboundMessage.create({ text, route: ReplyRoute.create({ channel: 'telegram', to: '1' }) });
const toParent = (text: string) => OutboundMessage.create({ text, toSession: SessionDelivery.create({ sessionKey: 'agent:main:main' }) });
const open = (before: readonly OpenDelivery[], source: string, ...messages: OutboundMessage[]) => openDeliveries(before, messages, { key: 'agent:main:x', source, nowMs: 1 }, spool);

it('gives up the oldest message to a channel when there are too many, and never one to a session', () => {
  let { deliveries } = open([], 'first', toParent('the result'), toChannel('oldest'));
  const [result, oldest] = deliveries;
  for (let at = 2; at <= OPEN_DELIVERIES_MAX; at += 1) ({ deliveries } = open(deliveries, `r${String(at)}`, toChannel(String(at))));
  expect(deliveries).toHaveLength(OPEN_DELIVERIES_MAX + 1);
  const one = open(deliveries, 'last', toChannel('last'), toParent('another result'));
  expect(one.givenUp).toEqual([oldest]);
  expect(one.deliveries).toContainEqual(result);
  expect(one.deliveries.filter(({ toKey }) => toKey !== undefined)).toHaveLength(2);
  expect(one.opened).toHaveLength(2);
});

it('gives a message the same id whenever it is opened by the same, and another one else', () => {
  const idsOf = (source: string): string[] => open([], source, toParent('a'), toChannel('b')).deliveries.map(({ deliveryId }) => deliveryId);
  expect(idsOf('run')).toEqual(idsOf('run'));
  expect(new Set([...idsOf('run'), ...idsOf('run 2')]).size).toBe(4);
  const { deliveries } = open([], 'run', toParent('a'), toChannel('b'));
  expect(deliveriesOf(JSON.parse(JSON.stringify(deliveryMembers(deliveries, {}).set)) as never)).toEqual(deliveries);
});
