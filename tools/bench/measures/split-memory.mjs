/**
 * Resident memory of each service at rest, against a bare Node that has loaded the same files of the
 * same packages and nothing of this project. Which those are is asked of the service itself.
 */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ratioTo } from '../results.mjs';
import { cleanEnvironment, inTurn } from '../sampling.mjs';
import { APPS, createHouse, residentBytes, startNats, startProcess } from '../split-house.mjs';

export const name = 'split-memory';
export const rows = APPS.map((app) => ({ what: `resident memory of an idle ${app}`, against: 'bare Node with the same packages loaded', floor: 1.3, goal: 1.1 }));

const ROUNDS = 5;
/** After its start a service has its timers set and its connection made; what it loaded has come to rest. */
const REST_MS = 5_000;
const MIB = 2 ** 20;
const role = (file) => fileURLToPath(new URL(`../roles/${file}`, import.meta.url));
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function run({ quick, scratch }) {
  const nats = await startNats();
  const house = await createHouse({ nats, stateDir: path.join(scratch, 'state'), scratch });
  const loadedFile = (app) => path.join(scratch, `${app}.loaded.json`);
  const rested = async (started) => {
    await wait(REST_MS);
    const bytes = residentBytes(started.pid);
    await started.stop();
    return bytes / MIB;
  };
  try {
    for (const app of APPS) {
      const asked = await house.start(app, `${app}-0`, {}, { nodeFlags: ['--require', role('tell-loaded.cjs')], env: { BENCH_LOADED_FILE: loadedFile(app) } });
      await wait(1000);
      await asked.stop();
    }
    let copy = 0;
    const samplers = APPS.flatMap((app) => [
      async () => rested(await house.start(app, `${app}-${(copy += 1)}`)),
      async () => rested(await startProcess(process.execPath, [role('only-libraries.cjs'), loadedFile(app)], { env: cleanEnvironment(), sentence: 'loaded', name: 'bare node' })),
    ]);
    const samples = await inTurn(quick ? 2 : ROUNDS, samplers);
    return APPS.map((_, index) => ratioTo(samples[2 * index], samples[2 * index + 1], 'MiB'));
  } finally {
    await house.stop();
    await nats.stop();
  }
}
