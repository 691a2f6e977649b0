/** What a durable change of one field costs as the store grows. */
import { NO_CHECKPOINTS_MS, open } from '../context.mjs';
import { numbersBelow, patchEntry, settled } from '../load.mjs';
import { ratioTo } from '../results.mjs';
import { inTurn, medianOf } from '../sampling.mjs';
import { keysOf } from '../store-keys.mjs';

export const name = 'patch-growth';
export const rows = [
  { what: 'durable metadata patch, large store', against: 'the same at 100 entries', floor: 1.3, goal: 1.1 },
  { what: 'durable metadata patch, huge store', against: 'the same at 100 entries', floor: 1.6, goal: 1.2 },
];

const ROUNDS = 25;
const CALLS = 100;

export async function run({ sizes, served }) {
  const fixtures = [await served(sizes.tinyEntries), await served(sizes.largeEntries), await served(sizes.hugeEntries)];
  const patchers = [];
  for (const [index, { sessionsFile, entries }] of fixtures.entries()) {
    const store = await open(sessionsFile, { checkpointDelayMs: NO_CHECKPOINTS_MS });
    const random = numbersBelow(entries, index + 1);
    patchers.push({ store, key: keysOf(random) });
  }
  try {
    const [tiny, ...others] = await inTurn(
      ROUNDS,
      patchers.map(({ store, key }) => async () => {
        const sample = await medianOf(CALLS, () => store.mutate(patchEntry(key())));
        await settled(store);
        return sample;
      }),
    );
    return others.map((patched) => ratioTo(patched, tiny, 'ms'));
  } finally {
    for (const { store } of patchers) await store.close();
  }
}
