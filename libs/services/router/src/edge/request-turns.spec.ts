import { BEGIN_MS, RequestTurns } from './request-turns';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Requests that take so long each. */
function scene(count: number, tookMs: number) {
  let nowMs = 0;
  const begun: number[] = [];
  const turns = new RequestTurns({ monotonicMs: () => nowMs });
  for (let place = 0; place < count; place += 1) {
    turns.add(() => {
      begun.push(place);
      nowMs += tookMs;
    });
  }
  return { turns, begun };
}

it('begins at once what comes alone', () => {
  expect(scene(1, 10).begun).toEqual([0]);
});

it('begins what comes together in order, some in each turn', async () => {
  const { turns, begun } = scene(40, BEGIN_MS / 2);
  expect(begun).toEqual([0, 1]);
  const perTurn: number[] = [];
  // One that comes later waits behind those that were there.
  turns.add(() => void begun.push(40));
  for (let before = begun.length; begun.length < 41; before = begun.length) {
    await turn();
    perTurn.push(begun.length - before);
  }
  expect(begun).toEqual(Array.from({ length: 41 }, (_, place) => place));
  expect(Math.max(...perTurn)).toBeLessThanOrEqual(3);
});

it('goes on with requests that are longer than a turn may be', async () => {
  const { begun } = scene(5, 10 * BEGIN_MS);
  for (let turns = 0; begun.length < 5; turns += 1) {
    if (turns > 100) throw new Error(`only ${begun.length} were begun`);
    await turn();
  }
  expect(begun).toEqual([0, 1, 2, 3, 4]);
});
