/** The arithmetic behind the benchmark's verdicts. */
import { transformFileSync } from '@swc/core';
import path from 'node:path';

interface Summary {
  readonly count: number;
  readonly min: number;
  readonly lower: number;
  readonly median: number;
  readonly upper: number;
  readonly max: number;
}
interface Statistics {
  readonly REFERENCE_SPREAD_MAX: number;
  quantile(samples: readonly number[], share: number): number;
  summarise(samples: readonly number[]): Summary;
  isTooNoisy(reference: Summary): boolean;
  compare(thing: readonly number[], reference: readonly number[]): { ratio: Summary; thing: Summary; reference: Summary };
  verdictOf(measured: { value: number; floor: number; goal: number; reference?: Summary; ratio?: Summary }): string;
}

/** The test runner loads no ES modules: the file is compiled as the specs are. */
function load(file: string): Statistics {
  const { code } = transformFileSync(path.join(__dirname, file), { module: { type: 'commonjs' } });
  const exported = {};
  new Function('exports', code)(exported);
  return exported as Statistics;
}

const { REFERENCE_SPREAD_MAX, quantile, summarise, isTooNoisy, compare, verdictOf } = load('statistics.mjs');

describe('quantile', () => {
  it('interpolates between neighbours, whatever their order', () => {
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
    expect(quantile([10, 20], 0.25)).toBe(12.5);
    expect(quantile([7], 0.99)).toBe(7);
  });

  it('orders numbers as numbers', () => {
    expect(summarise([100, 9, 20])).toEqual({ count: 3, min: 9, lower: 14.5, median: 20, upper: 60, max: 100 });
  });

  it('refuses to say anything about no samples', () => {
    expect(() => quantile([], 0.5)).toThrow(RangeError);
  });
});

describe('compare', () => {
  it('takes the ratio of neighbours, so that a slow spell of the machine weighs on both', () => {
    const slowSpell = [1, 1, 10, 10, 1];
    expect(compare(slowSpell.map((value) => 2 * value), slowSpell).ratio).toMatchObject({ min: 2, median: 2, max: 2 });
  });

  it('refuses samples that were not taken in turn', () => {
    expect(() => compare([1, 2], [1])).toThrow(RangeError);
  });
});

describe('verdictOf', () => {
  const steady = summarise([1, 1, 1, 1]);

  it.each([
    [1.1, 'goal'],
    [1.2, 'goal'],
    [1.3, 'pass'],
    [1.5, 'pass'],
    [1.51, 'miss'],
  ])('reads %f against a floor of 1.5 and a goal of 1.2 as %s', (value, verdict) => {
    expect(verdictOf({ value, floor: 1.5, goal: 1.2, reference: steady })).toBe(verdict);
  });

  it.each([
    [60, 'goal'],
    [40, 'pass'],
    [34, 'miss'],
  ])('reads %f against a floor of 35 and a goal of 55, where more is better, as %s', (value, verdict) => {
    expect(verdictOf({ value, floor: 35, goal: 55, reference: steady })).toBe(verdict);
  });

  it('says nothing when the reference does not keep still', () => {
    const restless = summarise([1, 1, REFERENCE_SPREAD_MAX * 1.1, REFERENCE_SPREAD_MAX * 1.1]);
    expect(isTooNoisy(restless)).toBe(true);
    expect(verdictOf({ value: 1, floor: 1.5, goal: 1.2, reference: restless })).toBe('noisy');
  });

  it('says nothing when neighbours have no steady ratio, as on a disk with two speeds', () => {
    expect(verdictOf({ value: 1, floor: 1.5, goal: 1.2, reference: steady, ratio: summarise([0.1, 0.1, 1, 10, 10]) })).toBe('noisy');
    expect(verdictOf({ value: 1, floor: 1.5, goal: 1.2, reference: steady, ratio: summarise([0.9, 1, 1, 1.1, 9]) })).toBe('goal');
  });

  it('forgives a reference single outliers', () => {
    expect(isTooNoisy(summarise([1, 1, 1, 1, 1, 1, 1, 50]))).toBe(false);
  });
});
