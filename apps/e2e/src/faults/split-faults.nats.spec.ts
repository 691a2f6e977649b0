/**
 * Faults of the split deployment under load: every accepted message is kept once and in order,
 * whatever is killed, stopped, cut off or restarted. Each test prints how long nothing was accepted.
 */
import { startNatsServer, type NatsServer } from '@sessions/bus/testing';
import { createCutLink } from './cut-link';
import type { MessageRecorder } from './message-recorder';
import { SplitSystem, type SplitSystemOptions } from './split-system';

const CLIENTS = 4;
const AGENTS = ['main', 'ops'] as const;
const CONFIG = { agents: { list: AGENTS.map((id) => ({ id })) } };
const TIMEOUT_MS = 240_000;
/** Messages accepted before and after each fault. */
const SOME = 25;
/** Longest time until messages are accepted again; a lease that nobody can be seen to have left lasts 30 s. */
const SOON_MS = 30_000;
const LEASE_MS = 30_000;
const AFTER_LEASE_MS = LEASE_MS + 45_000;

let nats: NatsServer;
let system: SplitSystem;
let recorder: MessageRecorder;

async function begin(options: Partial<SplitSystemOptions> = {}): Promise<void> {
  system = await SplitSystem.start({ natsUrl: nats.url, config: CONFIG, ...options });
  recorder = system.record({ clients: CLIENTS, agents: AGENTS });
  recorder.start();
  await recorder.accepts(SOME, SOON_MS);
}

/** Does something to the system, waits until messages are accepted as before, and prints the gap. */
async function fault(name: string, work: () => Promise<void>, withinMs = SOON_MS): Promise<void> {
  const atMs = performance.now();
  await work();
  await recorder.accepts(SOME * 2, withinMs);
  process.stdout.write(`${name}: nothing was accepted for at most ${Math.round(recorder.longestGapMs(atMs))} ms\n`);
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

beforeEach(async () => {
  nats = await startNatsServer();
}, TIMEOUT_MS);
afterEach(async () => {
  await recorder.stop();
  await system.remove();
  await nats.stop();
}, TIMEOUT_MS);

it('keeps every accepted message when owners and routers are killed, and when each service is restarted in turn', async () => {
  await begin({ others: true });
  for (let round = 1; round <= 2; round += 1) {
    const owner = system.ownerOf('main');
    await fault(`kill -9 of the owner, round ${round}`, () => system.app(owner).kill());
    await system.startApp('store-writer', owner);
  }
  await fault('kill -9 of a router', async () => {
    await system.app('router-1').kill();
    await pause(500);
    await system.startApp('router', 'router-1');
  });
  for (const app of ['store-writer', 'router'] as const) {
    for (const instance of [`${app}-1`, `${app}-2`]) {
      await fault(`orderly restart of ${instance}`, async () => {
        expect(await system.app(instance).stop()).toBe(0);
        await system.startApp(app, instance);
      });
    }
  }
  for (const app of ['maintenance-scheduler', 'compaction-worker', 'agent-runner'] as const) {
    await fault(`kill -9 of ${app}`, async () => {
      await system.app(`${app}-1`).kill();
      await system.startApp(app, `${app}-1`);
    });
  }
  expect(await system.check(recorder)).toBe('');
}, TIMEOUT_MS);

it('keeps every accepted message when NATS is killed, restarted, stopped for a while and loses its data', async () => {
  await begin();
  await fault('kill -9 of NATS, away for 3 s', async () => {
    await nats.kill();
    await pause(3000);
    await nats.restart();
  });
  await fault('orderly restart of NATS', () => nats.restart());
  await fault('NATS stopped for 12 s (SIGSTOP)', async () => {
    nats.pause();
    await pause(12_000);
    nats.resume();
  });
  await fault('data of NATS wiped', async () => {
    await nats.wipe();
    await system.setUpBus();
  }, AFTER_LEASE_MS);
  expect(await system.check(recorder)).toBe('');
}, TIMEOUT_MS);

it('refuses an owner that was stopped for longer than its lease and wakes up', async () => {
  await begin();
  const stopped = system.ownerOf('main');
  const { pid } = system.app(stopped);
  await fault('owner stopped (SIGSTOP) until another has its stores', async () => {
    process.kill(pid, 'SIGSTOP');
    while (system.ownerOf('main') === stopped) await pause(50);
  }, AFTER_LEASE_MS);
  await fault('the stopped owner wakes up', async () => {
    process.kill(pid, 'SIGCONT');
    await pause(2000);
  });
  expect(system.ownerOf('main')).not.toBe(stopped);
  expect(await system.check(recorder)).toBe('');
}, TIMEOUT_MS);

it('keeps every accepted message when a writer is cut off from NATS and still has its disk', async () => {
  const link = await createCutLink(Number(new URL(nats.url).port));
  try {
    await begin({ natsUrlOf: (_, instance) => (instance === 'store-writer-1' ? `nats://127.0.0.1:${link.port}` : nats.url) });
    await fault('store-writer-1 cut off until the other has every store', async () => {
      link.cut();
      while (AGENTS.some((agentId) => system.ownerOf(agentId) === 'store-writer-1')) await pause(50);
    }, AFTER_LEASE_MS);
    await fault('the link is mended', async () => {
      link.mend();
      await pause(3000);
    });
    expect(await system.check(recorder)).toBe('');
  } finally {
    await link.close();
  }
}, TIMEOUT_MS);
