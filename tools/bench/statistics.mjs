/**
 * What a measurement makes of its samples. Everything here is pure.
 *
 * A verdict rests on a ratio of a thing to its reference, both taken in turn within one run, and
 * never on a time by itself: another machine, or a busy one, changes both alike.
 */

/**
 * A reference whose upper quartile is more than this many times its lower one has not kept still
 * long enough to be measured against.
 */
export const REFERENCE_SPREAD_MAX = 1.6;

/** The same for the ratios of neighbours: a disk with two speeds shows here although each is steady for a while. */
export const RATIO_SPREAD_MAX = 2.5;

/** The value below which `share` (0 to 1) of the samples lie, interpolated. @throws without samples */
export function quantile(samples, share) {
  if (samples.length === 0) throw new RangeError('no samples');
  const sorted = Float64Array.from(samples).sort();
  const at = (sorted.length - 1) * share;
  const low = Math.floor(at);
  const below = sorted[low];
  const above = sorted[Math.min(low + 1, sorted.length - 1)];
  return below + (above - below) * (at - low);
}

export const median = (samples) => quantile(samples, 0.5);

/** Smallest, quartiles, median and largest. */
export function summarise(samples) {
  const [min, lower, middle, upper, max] = [0, 0.25, 0.5, 0.75, 1].map((share) => quantile(samples, share));
  return { count: samples.length, min, lower, median: middle, upper, max };
}

/** True when the samples of a reference lie too far apart to be measured against. */
export function isTooNoisy(reference) {
  return reference.count > 1 && reference.upper > reference.lower * REFERENCE_SPREAD_MAX;
}

/**
 * Compares samples taken in turn. The ratio is the median of the ratios of neighbours, so a machine
 * that slows down for a while weighs on both sides of each.
 * @throws when the two have different numbers of samples
 */
export function compare(thing, reference) {
  if (thing.length !== reference.length) throw new RangeError(`${thing.length} samples against ${reference.length}`);
  const ratios = thing.map((value, index) => value / reference[index]);
  return { ratio: summarise(ratios), thing: summarise(thing), reference: summarise(reference) };
}

/** True when the ratios of neighbours lie too far apart for their median to mean anything. */
export function isUnsteady(ratio) {
  return ratio.count > 1 && ratio.upper > ratio.lower * RATIO_SPREAD_MAX;
}

/**
 * `goal`: as good as it is meant to be; `pass`: at or above the floor; `miss`: not; `noisy`: the
 * reference does not allow to say. A floor may stand above its goal (smaller is better) or below it.
 */
export function verdictOf({ value, floor, goal, reference, ratio }) {
  if (reference !== undefined && isTooNoisy(reference)) return 'noisy';
  if (ratio !== undefined && isUnsteady(ratio)) return 'noisy';
  const smallerIsBetter = goal <= floor;
  const reaches = (bound) => (smallerIsBetter ? value <= bound : value >= bound);
  if (reaches(goal)) return 'goal';
  return reaches(floor) ? 'pass' : 'miss';
}
