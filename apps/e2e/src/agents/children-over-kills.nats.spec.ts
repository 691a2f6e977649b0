/**
 * Ten sub-agents that run or have just ended, and every process killed in the middle of it, at seeded
 * points: each result reaches its parent exactly once, soon after everything runs again.
 *
 * How soon is printed, from the moment the doors serve; on a machine that has nothing else to do,
 * CHILDREN_WITHIN_MS=10000 makes a bound of it.
 */
import { createSplit } from '../scenarios/split';
import { createStandalone } from '../scenarios/standalone';
import { useScene } from '../support/scene';
import { waitUntil } from '../support/wait-until';
import { LONG_MS, openHouse } from './house-of-agents';

const SEED = Number(process.env['CHILDREN_SEED'] ?? 20_261_127);
/** Points at which everything is killed; of each deployment. */
const POINTS = Number(process.env['CHILDREN_POINTS'] ?? 2);
const CHILDREN = 10;
const REACHED_WITHIN_MS = Number(process.env['CHILDREN_WITHIN_MS'] ?? Number.POSITIVE_INFINITY);

/** Minimal standard generator: the same at every run. */
function generator(seed: number): (below: number) => number {
  let state = (seed % 2_147_483_646) + 1;
  return (below) => (state = (state * 48_271) % 2_147_483_647) % below;
}

describe.each([
  ['standalone', createStandalone],
  ['split', createSplit],
] as const)('ten sub-agents of the %s deployment, everything killed', (name, create) => {
  const scene = useScene('each');

  it.each(Array.from({ length: POINTS }, (_, at) => [at + 1] as const))('at point %i: each result reaches its parent once', async (point) => {
    const random = generator(SEED + point * 7_919 + name.length);
    const paceMs = 20 + random(400);
    // After the restart the model takes no time of its own: what is measured is ours.
    let isSlow = true;
    const house = await openHouse(scene, create, {
      otherwise: ({ message }) => {
        const task = /work (\d+)/u.exec(message)?.[1];
        return task === undefined ? { chunks: ['NO_REPLY'] } : { chunks: [`made ${task}.`], ...(isSlow && { delayMs: (Number(task) * paceMs) % 2_000 }) };
      },
      settings: {
        session: { dmScope: 'per-channel-peer' },
        agents: { defaults: { model: { primary: 'local/small' }, subagents: { maxChildrenPerAgent: 20, maxConcurrent: 3 + random(8) } } },
      },
    });
    const key = 'agent:main:telegram:direct:parent';
    const parent = await house.say('spawn', [...Array.from({ length: CHILDREN }, (_, at) => `do: sessions_spawn ${JSON.stringify({ task: `work ${String(at + 1)}`, label: `job ${String(at + 1)}` })}`), 'say: ten at work'].join('\n'), 'parent');
    await house.end(parent);
    const spawned = await house.results(key);
    expect(spawned.map(({ status }) => status)).toEqual(Array.from({ length: CHILDREN }, () => 'accepted'));
    // Between the first child that works and the last result that has come.
    await new Promise((resolve) => setTimeout(resolve, random(2_500)));
    const startedAtMs = performance.now();
    await house.deployment.kill();
    isSlow = false;
    await house.deployment.start();
    const servesAtMs = performance.now();
    house.listen();

    const resultsIn = async (): Promise<string[]> => (await house.messages(key)).filter(({ role }) => role === 'user').flatMap(({ text }) => /Result of the sub-agent "job (\d+)"/u.exec(text)?.[1] ?? []);
    const all = Array.from({ length: CHILDREN }, (_, at) => String(at + 1)).sort();
    await waitUntil('every result reaches the parent', async () => (new Set(await resultsIn()).size === CHILDREN ? true : undefined), LONG_MS);
    const reachedMs = performance.now() - servesAtMs;
    process.stdout.write(`${name}, point ${String(point)}: started in ${String(Math.round(servesAtMs - startedAtMs))} ms, the last result came ${String(Math.round(reachedMs))} ms after that\n`);
    // And to the channel, once each; nothing comes a second time afterwards.
    const announced = (): string[] => house.delivered.filter(({ text }) => String(text).startsWith('Status:')).flatMap(({ text }) => /made (\d+)\./u.exec(String(text))?.[1] ?? []);
    await waitUntil('every result is announced', () => (announced().length >= CHILDREN ? true : undefined), LONG_MS);
    await house.end(await house.say('later', 'say: go on', 'parent'));
    expect((await resultsIn()).sort()).toEqual(all);
    expect(announced().sort()).toEqual(all);
    for (const { childSessionKey } of spawned) {
      const told = await house.messages(String(childSessionKey));
      const answers = told.filter(({ role, text }) => role === 'user' && text.includes('sourceTool=sessions_spawn'));
      expect({ childSessionKey, told, answers: answers.length }).toMatchObject({ answers: 1 });
    }
    expect(reachedMs).toBeLessThan(REACHED_WITHIN_MS);
  }, LONG_MS * 2);
});
