import { SharedRounds } from './shared-rounds';

/** Rounds that end when the test says so. */
function openRounds() {
  const begun: { key: string; items: readonly number[]; end: (error?: Error) => void }[] = [];
  const rounds = new SharedRounds<number>(
    (key, items) => new Promise((resolve, reject) => begun.push({ key, items: [...items], end: (error) => (error === undefined ? resolve() : reject(error)) })),
  );
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return { rounds, begun, turn };
}

describe('SharedRounds', () => {
  it('begins a round for nobody who came after it had begun, and one for all who waited', async () => {
    const { rounds, begun, turn } = openRounds();
    const ended: number[] = [];
    const take = (item: number) => rounds.take('a', item).then(() => ended.push(item));
    const all = [take(1), take(2), take(3)];
    await turn();
    expect(begun.map(({ items }) => items)).toEqual([[1]]);
    begun[0]?.end();
    await turn();
    expect(ended).toEqual([1]);
    expect(begun.map(({ items }) => items)).toEqual([[1], [2, 3]]);
    all.push(take(4));
    begun[1]?.end();
    await turn();
    expect(ended).toEqual([1, 2, 3]);
    begun[2]?.end();
    await Promise.all(all);
    expect(begun.map(({ items }) => items)).toEqual([[1], [2, 3], [4]]);
  });

  it('keeps keys apart, and begins anew after a silence', async () => {
    const { rounds, begun } = openRounds();
    const [one, other] = [rounds.take('a', 1), rounds.take('b', 2)];
    expect(begun.map(({ key }) => key)).toEqual(['a', 'b']);
    begun.forEach(({ end }) => end());
    await Promise.all([one, other]);
    const again = rounds.take('a', 3);
    begun[2]?.end();
    await again;
    expect(begun[2]?.items).toEqual([3]);
  });

  it('fails for all who shared the round, and for nobody else', async () => {
    const { rounds, begun, turn } = openRounds();
    const outcomes = [1, 2, 3].map((item) => rounds.take('a', item).then(() => 'ok', (error: Error) => error.message));
    begun[0]?.end(new Error('first'));
    await turn();
    const later = rounds.take('a', 4).then(() => 'ok', (error: Error) => error.message);
    begun[1]?.end(new Error('second'));
    await turn();
    begun[2]?.end();
    expect(await Promise.all([...outcomes, later])).toEqual(['first', 'second', 'second', 'ok']);
  });
});
