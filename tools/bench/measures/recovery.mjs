/** From the start of a new writer, after `kill -9` in the middle of work, to its first answer. */
import { ratioTo, valueOf } from '../results.mjs';
import { inTurn, runRole, startRole } from '../sampling.mjs';
import { spreadKeys } from '../store-keys.mjs';

export const name = 'recovery';
export const rows = [
  { what: 'first answer after `kill -9`, large store', against: 'at 1 000 entries', floor: 2, goal: 1.2 },
  { what: 'the same in seconds', against: '–', floor: 2, goal: 2 },
];

const ROUNDS = 7;
/** Acknowledged before the kill. */
const CALLS = 2000;

async function killAndOpen(task) {
  const writer = startRole('killed-writer', task);
  await writer.next();
  writer.child.kill('SIGKILL');
  await writer.ended;
  return (await runRole('first-answer', task)).tookMs;
}

export async function run({ sizes, served }) {
  const tasks = [];
  for (const entries of [sizes.largeEntries, sizes.smallEntries]) {
    tasks.push({ sessionsFile: (await served(entries)).sessionsFile, keys: spreadKeys(entries, 2000), calls: CALLS });
  }
  const [large, small] = await inTurn(ROUNDS, tasks.map((task) => () => killAndOpen(task)));
  return [ratioTo(large, small, 'ms'), valueOf(large.map((ms) => ms / 1000))];
}
