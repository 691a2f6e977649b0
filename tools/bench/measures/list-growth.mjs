/** What a list costs as the store grows, and as its entries do. */
import { open } from '../context.mjs';
import { ratioTo } from '../results.mjs';
import { inTurn, medianOf } from '../sampling.mjs';

export const name = 'list-growth';
const bounds = { against: 'list of a small store (1 000 entries of 2 KB)', floor: 1.2, goal: 1.05 };
export const rows = [
  { what: 'list newest 100 of the large store', ...bounds },
  { what: 'list newest 100 of the huge store', ...bounds },
  { what: 'list newest 100 of entries of 40 KB', ...bounds },
];

const ROUNDS = 31;
const CALLS = 400;

export async function run({ sizes, served, fatEntryBytes }) {
  const fixtures = [
    await served(sizes.smallEntries),
    await served(sizes.largeEntries),
    await served(sizes.hugeEntries),
    await served(sizes.fatEntries, { entryBytes: fatEntryBytes }),
  ];
  const stores = [];
  for (const { sessionsFile } of fixtures) stores.push(await open(sessionsFile));
  try {
    const [small, ...others] = await inTurn(ROUNDS, stores.map((store) => () => medianOf(CALLS, () => store.list({ limit: 100 }))));
    return others.map((listed) => ratioTo(listed, small, 'ms'));
  } finally {
    for (const store of stores) await store.close();
  }
}
