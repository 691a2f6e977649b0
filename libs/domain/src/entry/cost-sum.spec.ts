import { CostSum, KindCostSum, sumCosts } from './cost-sum';

it('adds without the noise of binary fractions', () => {
  expect(0.1 + 0.2).not.toBe(0.3);
  expect(sumCosts([0.1, 0.2])).toBe(0.3);
  expect(sumCosts(Array.from({ length: 1_000_000 }, () => 0.000_001_1))).toBe(1.1);
  expect(sumCosts([0.000_000_000_001, 0.000_000_000_002])).toBe(0.000_000_000_003);
});

it('knows nothing of no costs, and a cost of nothing', () => {
  expect(sumCosts([])).toBeUndefined();
  expect(sumCosts([undefined])).toBeUndefined();
  expect(sumCosts([undefined, 0])).toBe(0);
  expect(sumCosts([undefined, 0.25])).toBe(0.25);
});

it('stays exact to the cent for sums that nobody pays', () => {
  expect(sumCosts([9_000, 9_000.000_001, 0.33])).toBe(18_000.330_001);
  expect(sumCosts([1e9, 0.01, 0.02])).toBe(1_000_000_000.03);
  expect(new CostSum().add(1e12).usd).toBe(1e12);
});

it('tells kinds only where every cost tells them', () => {
  const kinds = { input: 0.1, output: 0.2, cacheRead: 0, cacheWrite: 0.3 };
  expect(new KindCostSum().add(0.6, kinds).add(0.6, kinds).usd).toEqual({ input: 0.2, output: 0.4, cacheRead: 0, cacheWrite: 0.6 });
  expect(new KindCostSum().add(0.6, kinds).add(undefined, undefined).usd).toEqual(kinds);
  expect(new KindCostSum().add(0.6, kinds).add(0.5, undefined).usd).toBeUndefined();
  expect(new KindCostSum().usd).toBeUndefined();
});
