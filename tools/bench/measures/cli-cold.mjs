/** The listing command from its start to its end, over an indexed store, against a node that does nothing. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ratioTo } from '../results.mjs';
import { cleanEnvironment, inTurn, timedProcess } from '../sampling.mjs';

export const name = 'cli-cold';
export const rows = [{ what: '`openclaw sessions --json`, cold process, large store indexed', against: '`node -e 0`', floor: 1.5, goal: 1.25 }];

const ROUNDS = 31;
const LAUNCHER = fileURLToPath(new URL('../../openclaw.cjs', import.meta.url));

export async function run({ sizes, served }) {
  const { stateDir, entries } = await served(sizes.largeEntries);
  const env = cleanEnvironment({ OPENCLAW_STATE_DIR: stateDir, HOME: path.dirname(stateDir) });
  const list = () => timedProcess([LAUNCHER, 'sessions', '--json'], env);
  const answer = JSON.parse(list().stdout.toString('utf8'));
  if (answer.count !== 100 || answer.totalCount < entries / 2) throw new Error(`the listing shows ${answer.count} of ${answer.totalCount} sessions`);
  const [listed, bare] = await inTurn(ROUNDS, [() => list().tookMs, () => timedProcess(['-e', '0'], env).tookMs]);
  return [ratioTo(listed, bare, 'ms')];
}
