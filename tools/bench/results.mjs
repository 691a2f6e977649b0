/** From samples to what the table shows of one row. */
import { compare, summarise } from './statistics.mjs';

/** A ratio to a reference that was sampled in turn. @param unit of the reference's samples */
export function ratioTo(thing, reference, unit, detail) {
  const { ratio, reference: summary } = compare(thing, reference);
  return { value: ratio.median, ratio, lowest: ratio.min, highest: ratio.max, reference: summary, unit, ...(detail === undefined ? {} : { detail }) };
}

/** A value that is no ratio to a reference, sampled several times. */
export function valueOf(samples, detail) {
  const { median, min, max } = summarise(samples);
  return { value: median, lowest: min, highest: max, ...(detail === undefined ? {} : { detail }) };
}
