import { createManualClock } from '@sessions/host/testing';
import { REST_FACTOR, REST_MS_MAX, SLICE_MS, SendTurns } from './send-turns';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Clients whose write takes half a slice each. */
function scene(count: number) {
  const clock = createManualClock(0);
  let aheadMs = 0;
  const turns = new SendTurns({ monotonicMs: () => clock.monotonicMs() + aheadMs, setTimer: clock.setTimer.bind(clock) });
  const served: number[] = [];
  const clients = Array.from({ length: count }, (_, place) => ({
    flush() {
      served.push(place);
      aheadMs += SLICE_MS / 2;
    },
  }));
  const add = (place: number): void => turns.add(clients[place] as (typeof clients)[number]);
  return { clock, turns, served, clients, add };
}

it('serves who waits in the order of coming, each once, in slices', async () => {
  const { turns, served, clients, add } = scene(6);
  for (const place of [0, 1, 2, 3, 4, 5, 0, 5]) add(place);
  turns.remove(clients[4] as (typeof clients)[number]);
  expect(served).toEqual([]);
  await turn();
  expect(served).toEqual([0, 1]);
  // Still in this round, so it is served with it; served already, so it waits for the next.
  add(5);
  add(0);
  await turn();
  expect(served).toEqual([0, 1, 2, 3]);
  await turn();
  expect(served).toEqual([0, 1, 2, 3, 5]);
});

it('rests after a round in proportion, and serves together what came meanwhile', async () => {
  const { clock, served, add } = scene(4);
  const restMs = REST_FACTOR * 2 * (SLICE_MS / 2);
  add(0);
  add(1);
  await turn();
  expect(served).toEqual([0, 1]);
  add(2);
  add(3);
  await turn();
  await clock.advance(restMs - 1);
  expect(served).toEqual([0, 1]);
  await clock.advance(1);
  expect(served).toEqual([0, 1, 2, 3]);
  await clock.advance(REST_MS_MAX);
  add(2);
  await turn();
  expect(served).toEqual([0, 1, 2, 3, 2]);
});

it('visits the members of a group, each once, and tells it when all were', async () => {
  const { turns, served, clients, add } = scene(5);
  let restedAfter: number | undefined;
  const group = { members: clients.slice(1), rested: () => (restedAfter = served.length) };
  add(2);
  turns.addGroup(group);
  turns.addGroup(group);
  await turn();
  expect([served, restedAfter]).toEqual([[2, 1], undefined]);
  // For the next round.
  turns.addGroup(group);
  await turn();
  await turn();
  expect([served, restedAfter]).toEqual([[2, 1, 3, 4], 4]);
});
