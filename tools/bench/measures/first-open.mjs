/** The first open of a store that somebody else has written, up to its first answer, against parsing the file. */
import path from 'node:path';
import { rmSync } from 'node:fs';
import { ratioTo } from '../results.mjs';
import { inTurn, runRole } from '../sampling.mjs';
import { median } from '../statistics.mjs';

export const name = 'first-open';
export const rows = [
  { what: 'first open of a foreign `sessions.json` of 25 MB, no index', against: '`JSON.parse` of the file', floor: 2, goal: 1.2 },
  { what: 'first open of a foreign one of 400 MB', against: '`JSON.parse` of the file', floor: 2, goal: 1.2 },
  { what: 'memory for the one of 400 MB, above an empty store', against: "JSON.parse's, above a bare process", floor: 0.2, goal: 0.05 },
];

const ROUNDS = 7;
const HUGE_ROUNDS = 3;

async function openAgainstParse(rounds, { sessionsFile }) {
  const opened = async () => {
    rmSync(path.join(path.dirname(sessionsFile), '.store'), { recursive: true, force: true });
    return runRole('first-answer', { sessionsFile });
  };
  return inTurn(rounds, [opened, () => runRole('parse-json', { file: sessionsFile })]);
}

const timesOf = (runs) => runs.map((run) => run.tookMs);
const peaksOf = (runs) => runs.map((run) => run.peakBytes / 2 ** 20);

export async function run({ sizes, foreign }) {
  const [opened, parsed] = await openAgainstParse(ROUNDS, await foreign(sizes.foreignEntries));
  const [openedHuge, parsedHuge] = await openAgainstParse(HUGE_ROUNDS, await foreign(sizes.hugeForeignEntries));
  const [empty, bare] = await inTurn(HUGE_ROUNDS, [
    async () => runRole('first-answer', { sessionsFile: (await foreign(0)).sessionsFile }),
    () => runRole('parse-json', {}),
  ]);
  const above = (runs, base) => peaksOf(runs).map((peak) => peak - median(peaksOf(base)));
  const grown = above(openedHuge, empty);
  return [
    ratioTo(timesOf(opened), timesOf(parsed), 'ms'),
    ratioTo(timesOf(openedHuge), timesOf(parsedHuge), 'ms'),
    ratioTo(grown, above(parsedHuge, bare), 'MiB', `${Math.round(median(grown))} MiB`),
  ];
}
