/**
 * Resident memory of each service at rest, against a bare Node that has loaded the same files of the
 * same packages and nothing of this project. Which those are is asked of the service itself.
 */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ratioTo } from '../results.mjs';
import { cleanEnvironment } from '../sampling.mjs';
import { APPS, createHouse, residentBytes, startNats, startProcess } from '../split-house.mjs';

export const name = 'split-memory';
export const rows = APPS.map((app) => ({ what: `resident memory of an idle ${app}`, against: 'bare Node with the same packages loaded', floor: 1.3, goal: 1.1 }));

const ROUNDS = 5;
/**
 * After its start a service has its timers set and its connection made. V8 gives back what the loading took when
 * the process has rested: of five services that start together some do after 15 s, others after 35.
 */
const REST_MS = 45_000;
/** As the image and `npm run start:split` have it. */
const ENVIRONMENT = { MALLOC_ARENA_MAX: '2', MALLOC_TRIM_THRESHOLD_: '131072', MALLOC_MMAP_THRESHOLD_: '131072' };
const MIB = 2 ** 20;
const role = (file) => fileURLToPath(new URL(`../roles/${file}`, import.meta.url));
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function run({ quick, scratch }) {
  const nats = await startNats();
  const house = await createHouse({ nats, stateDir: path.join(scratch, 'state'), scratch });
  const loadedFile = (app) => path.join(scratch, `${app}.loaded.json`);
  try {
    for (const app of APPS) {
      const asked = await house.start(app, `${app}-0`, {}, { nodeFlags: ['--require', role('tell-loaded.cjs')], env: { BENCH_LOADED_FILE: loadedFile(app) } });
      await wait(1000);
      await asked.stop();
    }
    const samples = APPS.map(() => ({ service: [], bare: [] }));
    for (let round = 0; round < (quick ? 2 : ROUNDS); round += 1) {
      const services = await Promise.all(APPS.map((app) => house.start(app, `${app}-${round + 1}`, {}, { env: ENVIRONMENT })));
      const bare = await Promise.all(
        APPS.map((app) => startProcess(process.execPath, [role('only-libraries.cjs'), loadedFile(app)], { env: cleanEnvironment(ENVIRONMENT), sentence: 'loaded', name: 'bare node' })),
      );
      await wait(REST_MS);
      for (const [index, of] of samples.entries()) {
        of.service.push(residentBytes(services[index].pid) / MIB);
        of.bare.push(residentBytes(bare[index].pid) / MIB);
      }
      await Promise.all([...services, ...bare].map((started) => started.stop()));
    }
    return samples.map(({ service, bare }) => ratioTo(service, bare, 'MiB'));
  } finally {
    await house.stop();
    await nats.stop();
  }
}
