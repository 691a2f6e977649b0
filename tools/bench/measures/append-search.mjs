/**
 * Appends to sixty-four sessions for a while, waiting for each acknowledgement, with what is said being
 * indexed for the search and without it; and a search in what was said meanwhile, against a list.
 */
import { parseSearchQuery } from '@sessions/domain';
import { NO_CHECKPOINTS_MS, open } from '../context.mjs';
import { appendMessage, newSessions } from '../load.mjs';
import { ratioTo } from '../results.mjs';
import { inTurn } from '../sampling.mjs';

export const name = 'append-search';
export const rows = [
  { what: 'appends, 64 sessions, with full-text search', against: 'without', floor: 0.8, goal: 0.95 },
  { what: 'a page of a search in what was said', against: 'a page of a list, same store', floor: 100, goal: 20 },
];

const ROUNDS = 5;
const SESSIONS = 64;
const SEARCHES = 20;

async function appendFor(store, sessions, ms) {
  let count = 0;
  const startedAt = performance.now();
  await Promise.all(
    sessions.map(async (session) => {
      while (performance.now() - startedAt < ms) {
        await store.mutate(appendMessage(session));
        count += 1;
      }
    }),
  );
  return (1000 * count) / (performance.now() - startedAt);
}

async function timeOf(work) {
  const startedAt = performance.now();
  for (let n = 0; n < SEARCHES; n += 1) await work();
  return (performance.now() - startedAt) / SEARCHES;
}

export async function run({ quick, sizes, served }) {
  const ms = quick ? 500 : 3000;
  const files = [await served(sizes.smallEntries), await served(sizes.smallEntries + 1)].map(({ sessionsFile }) => sessionsFile);
  const stores = [
    await open(files[0], { checkpointDelayMs: NO_CHECKPOINTS_MS }),
    await open(files[1], { checkpointDelayMs: NO_CHECKPOINTS_MS, indexesTexts: false }),
  ];
  try {
    const sessions = stores.map(() => newSessions(SESSIONS));
    const [withSearch, without] = await inTurn(ROUNDS, stores.map((store, index) => () => appendFor(store, sessions[index], ms)));
    const terms = parseSearchQuery('release plan');
    const [store] = stores;
    for (let reply = await store.searchTexts({ terms, limit: 1 }); reply.incomplete; reply = await store.searchTexts({ terms, limit: 1 }));
    const [searches, lists] = await inTurn(ROUNDS, [() => timeOf(() => store.searchTexts({ terms, limit: 20 })), () => timeOf(() => store.list({ limit: 20 }))]);
    return [ratioTo(withSearch, without, 'appends/s'), ratioTo(searches, lists, 'ms')];
  } finally {
    for (const store of stores) await store.close();
  }
}
