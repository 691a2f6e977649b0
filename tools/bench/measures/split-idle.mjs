/** Processor time of the services while nobody asks them anything, scaled to an hour. */
import path from 'node:path';
import { valueOf } from '../results.mjs';
import { APPS, createHouse, processorMs, startNats } from '../split-house.mjs';

export const name = 'split-idle';
export const rows = APPS.map((app) => ({ what: `processor time of an idle ${app}, seconds an hour`, against: '–', floor: 10, goal: 2 }));

const WINDOWS = 3;
/** Long enough for every timer of the services but the closing of idle stores. */
const WINDOW_MS = 60_000;
const SETTLE_MS = 15_000;
const MS_PER_HOUR = 3_600_000;
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function run({ quick, scratch }) {
  const nats = await startNats();
  const house = await createHouse({ nats, stateDir: path.join(scratch, 'state'), scratch });
  try {
    const pids = [];
    for (const app of APPS) pids.push((await house.start(app, `${app}-1`)).pid);
    await wait(SETTLE_MS);
    const samples = APPS.map(() => []);
    for (let window = 0; window < (quick ? 1 : WINDOWS); window += 1) {
      const startedAt = performance.now();
      const before = pids.map(processorMs);
      await wait(WINDOW_MS);
      const tookMs = performance.now() - startedAt;
      pids.forEach((pid, index) => samples[index].push(((processorMs(pid) - before[index]) / tookMs) * (MS_PER_HOUR / 1000)));
    }
    return samples.map((one) => valueOf(one));
  } finally {
    await house.stop();
    await nats.stop();
  }
}
