import { SLICE_MS, SendTurns } from './send-turns';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('serves who waits in the order of coming, each once, in slices', async () => {
  let nowMs = 0;
  const turns = new SendTurns({ monotonicMs: () => nowMs });
  const served: number[] = [];
  const clients = Array.from({ length: 6 }, (_, place) => ({
    flush() {
      served.push(place);
      nowMs += SLICE_MS / 2;
    },
  }));
  for (const client of [...clients, ...clients]) turns.add(client);
  turns.remove(clients[4] as (typeof clients)[number]);
  expect(served).toEqual([]);
  await turn();
  expect(served).toEqual([0, 1]);
  // Who comes again waits behind those that were there before.
  turns.add(clients[0] as (typeof clients)[number]);
  await turn();
  expect(served).toEqual([0, 1, 2, 3]);
  await turn();
  expect(served).toEqual([0, 1, 2, 3, 5, 0]);
  await turn();
  expect(served).toHaveLength(6);
});
