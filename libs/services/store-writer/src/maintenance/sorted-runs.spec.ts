import { SortedRuns } from './sorted-runs';

describe('sorted runs', () => {
  it('give what was added in order, however much it is, and more than once', () => {
    for (const count of [0, 1, 4095, 4096, 4097, 20_000]) {
      const runs = new SortedRuns<number>((left, right) => left - right);
      const added = Array.from({ length: count }, (_, at) => (at * 7919) % 10_007);
      for (const one of added) runs.add(one);
      expect([...runs.inOrder()]).toEqual([...added].sort((left, right) => left - right));
      expect([...runs.inOrder()]).toHaveLength(count);
    }
  });
});
