/** The peak of a writer's memory, the same work done on a large store and on a tiny one. */
import { ratioTo } from '../results.mjs';
import { inTurn, runRole } from '../sampling.mjs';
import { spreadKeys } from '../store-keys.mjs';

export const name = 'writer-memory';
export const rows = [{ what: "writer's peak memory, large store (appends, patches, lists, checkpoints)", against: 'at 100 entries', floor: 1.3, goal: 1.1 }];

const ROUNDS = 5;
const CALLS = 500;

export async function run({ sizes, served }) {
  const tasks = [];
  for (const entries of [sizes.largeEntries, sizes.tinyEntries]) {
    tasks.push({ sessionsFile: (await served(entries)).sessionsFile, keys: spreadKeys(entries, 2000), calls: CALLS });
  }
  const held = tasks.map(() => []);
  const [large, tiny] = await inTurn(
    ROUNDS,
    tasks.map((task, index) => async () => {
      const { peakBytes, heldBytes } = await runRole('working-writer', task);
      held[index].push(heldBytes);
      return peakBytes / 2 ** 20;
    }),
  );
  const inMiB = (samples) => samples.map((bytes) => Math.round(bytes / 2 ** 20)).join(' ');
  return [ratioTo(large, tiny, 'MiB', `held at the end: ${inMiB(held[0])} against ${inMiB(held[1])} MiB`)];
}
