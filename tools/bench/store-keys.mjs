/** Keys of generated stores, made one by one: a list of a million would weigh on what is measured. */
import { GENERATED_NOW_MS, generateEntry } from '@sessions/store/testing';

const RECIPE = { agentId: 'main', seed: 1, nowMs: GENERATED_NOW_MS, entryBytes: 0 };

/** Key of the `index`-th entry of any store that the benchmark prepares. */
export const keyAt = (index) => generateEntry(RECIPE, index).key;

/** Keys of entries whose numbers come from `random`, a few thousand of them made beforehand. */
export function keysOf(random, count = 4096) {
  const keys = Array.from({ length: count }, () => keyAt(random()));
  let next = 0;
  return () => keys[next++ % keys.length];
}

/** `count` keys spread over a store of so many entries. */
export const spreadKeys = (entries, count) => Array.from({ length: Math.min(entries, count) }, (_, index) => keyAt(Math.floor((index * entries) / Math.min(entries, count))));
