/** The slowest hundredth of appends while a large store's `sessions.json` is written, against the same without. */
import { NO_CHECKPOINTS_MS, open } from '../context.mjs';
import { appendMessage, newSessions } from '../load.mjs';
import { ratioTo } from '../results.mjs';
import { inTurn } from '../sampling.mjs';
import { quantile } from '../statistics.mjs';

export const name = 'checkpoint-tail';
export const rows = [{ what: 'append p99 during a checkpoint of the large store (200 MB)', against: 'without', floor: 3, goal: 1.5 }];

const ROUNDS = 9;
const SESSIONS = 8;
const WITHOUT_MS = 1500;

/** p99 of appends until `until` has settled. */
async function tailUntil(store, sessions, until) {
  let over = false;
  const times = [];
  const ended = until.finally(() => {
    over = true;
  });
  await Promise.all(
    sessions.map(async (session) => {
      while (!over) {
        const startedAt = performance.now();
        await store.mutate(appendMessage(session));
        times.push(performance.now() - startedAt);
      }
    }),
  );
  await ended;
  return quantile(times, 0.99);
}

export async function run({ sizes, served }) {
  const { sessionsFile, bytes } = await served(sizes.largeEntries);
  const store = await open(sessionsFile, { checkpointDelayMs: NO_CHECKPOINTS_MS });
  const sessions = newSessions(SESSIONS);
  const durations = [];
  try {
    const [during, without] = await inTurn(ROUNDS, [
      () => tailUntil(store, sessions, store.checkpoint().then((report) => durations.push(Math.round(report.durationMs)))),
      () => tailUntil(store, sessions, new Promise((resolve) => setTimeout(resolve, WITHOUT_MS))),
    ]);
    return [ratioTo(during, without, 'ms', `${Math.round(bytes / 1e6)} MB in ${durations.join(' ')} ms`)];
  } finally {
    await store.close();
  }
}
