/** The newest hundred of a large store: the whole call against the query that it cannot do without. */
import Database from 'better-sqlite3';
import { open } from '../context.mjs';
import { NEWEST_ROWS } from '../raw-query.mjs';
import { ratioTo } from '../results.mjs';
import { inTurn, medianOf } from '../sampling.mjs';

export const name = 'list-store';
export const rows = [
  { what: "list newest 100 of the large store, the store's own call", against: 'raw indexed query of the same rows', floor: 2, goal: 1 },
];

const ROUNDS = 21;
const CALLS = 100;

export async function run({ sizes, served }) {
  const { sessionsFile } = await served(sizes.largeEntries);
  const store = await open(sessionsFile);
  const raw = new Database(store.layout.indexFile, { readonly: true });
  const query = raw.prepare(NEWEST_ROWS);
  try {
    const [listed, queried] = await inTurn(ROUNDS, [
      () => medianOf(CALLS, () => store.list({ limit: 100 })),
      () => medianOf(CALLS, () => query.all()),
    ]);
    return [ratioTo(listed, queried, 'ms')];
  } finally {
    raw.close();
    await store.close();
  }
}
