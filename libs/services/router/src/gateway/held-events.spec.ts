import { createManualClock } from '@sessions/host/testing';
import { EVENTS_HELD_MS_MAX, HeldEvents } from './held-events';

const held = () => {
  const clock = createManualClock();
  let releases = 0;
  const events = new HeldEvents(clock, () => (releases += 1));
  return { clock, events, releases: () => releases };
};

it('holds for a request that begins a turn, until its answer', () => {
  const { events, releases } = held();
  expect(events.begin('sessions.list')).toBeUndefined();
  expect(events.isHolding).toBe(false);
  const release = events.begin('chat.send');
  expect(events.isHolding).toBe(true);
  release?.();
  expect([events.isHolding, releases()]).toEqual([false, 1]);
});

it('holds until the last of several is answered, and never longer than its bound', async () => {
  const { clock, events, releases } = held();
  const first = events.begin('chat.send');
  const second = events.begin('sessions.send');
  first?.();
  expect(events.isHolding).toBe(true);
  await clock.advance(EVENTS_HELD_MS_MAX);
  expect([events.isHolding, releases()]).toEqual([false, 1]);
  // One more that overlaps begins no new wait: events would never go.
  const third = events.begin('agent');
  expect(events.isHolding).toBe(false);
  second?.();
  third?.();
  expect([events.isHolding, releases()]).toEqual([false, 1]);
  events.begin('agent');
  expect(events.isHolding).toBe(true);
});
