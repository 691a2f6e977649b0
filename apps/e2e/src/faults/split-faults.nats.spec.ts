/**
 * Faults of the split deployment under load: every accepted message is kept once and in order,
 * whatever is killed, stopped, cut off or restarted. Each fault prints how long nothing was accepted.
 */
import { startNatsServer, type NatsServer } from '@sessions/bus/testing';
import { createCutLink } from './cut-link';
import { AFTER_LEASE_MS, AGENTS, DROPS_DEAD_PEERS, Scene, TIMEOUT_MS, pause } from './fault-scene';

let nats: NatsServer;
const scene = new Scene();

beforeEach(async () => {
  nats = await startNatsServer({ config: DROPS_DEAD_PEERS });
}, TIMEOUT_MS);
afterEach(async () => {
  await scene.end();
  await nats.stop();
}, TIMEOUT_MS);

it('keeps every accepted message when owners and routers are killed, and when each service is restarted in turn', async () => {
  await scene.begin({ natsUrl: nats.url, others: true });
  const { system } = scene;
  for (let round = 1; round <= 3; round += 1) {
    const owner = system.ownerOf('main');
    await scene.fault(`kill -9 of the owner, round ${round}`, () => system.app(owner).kill());
    await system.startApp('store-writer', owner);
  }
  await scene.fault('kill -9 of a router', async () => {
    await system.app('router-1').kill();
    await pause(500);
    await system.startApp('router', 'router-1');
  });
  for (const app of ['store-writer', 'router'] as const) {
    for (const instance of [`${app}-1`, `${app}-2`]) {
      await scene.fault(`orderly restart of ${instance}`, async () => {
        await system.stopApp(instance);
        await system.startApp(app, instance);
      });
    }
  }
  for (const app of ['maintenance-scheduler', 'compaction-worker', 'agent-runner'] as const) {
    await scene.fault(`kill -9 of ${app}`, async () => {
      await system.app(`${app}-1`).kill();
      await system.startApp(app, `${app}-1`);
    });
  }
  expect(await scene.check()).toBe('');
}, TIMEOUT_MS);

it('keeps every accepted message when NATS is killed, restarted, stopped for a while and loses its data', async () => {
  await scene.begin({ natsUrl: nats.url });
  await scene.fault('kill -9 of NATS, away for 3 s', async () => {
    await nats.kill();
    await pause(3000);
    await nats.restart();
  });
  await scene.fault('orderly restart of NATS', () => nats.restart());
  await scene.fault('NATS stopped for 12 s (SIGSTOP)', async () => {
    nats.pause();
    await pause(12_000);
    nats.resume();
  });
  await scene.fault('data of NATS wiped', async () => {
    await nats.wipe();
    await scene.system.setUpBus();
  }, AFTER_LEASE_MS);
  expect(await scene.check()).toBe('');
}, TIMEOUT_MS);

it('refuses an owner that was stopped for longer than its lease and wakes up', async () => {
  await scene.begin({ natsUrl: nats.url });
  const { system } = scene;
  const stopped = system.ownerOf('main');
  const { pid } = system.app(stopped);
  await scene.fault('owner stopped (SIGSTOP) until another has its stores', async () => {
    process.kill(pid, 'SIGSTOP');
    while (system.ownerOf('main') === stopped) await pause(50);
  }, AFTER_LEASE_MS);
  await scene.fault('the stopped owner wakes up', async () => {
    process.kill(pid, 'SIGCONT');
    await pause(2000);
  });
  expect(system.ownerOf('main')).not.toBe(stopped);
  expect(await scene.check()).toBe('');
}, TIMEOUT_MS);

it('keeps every accepted message when a writer is cut off from NATS and still has its disk', async () => {
  const link = await createCutLink(Number(new URL(nats.url).port));
  try {
    await scene.begin({ natsUrl: nats.url, natsUrlOf: (_, instance) => (instance === 'store-writer-1' ? `nats://127.0.0.1:${link.port}` : nats.url) });
    await scene.fault('store-writer-1 cut off until the other has every store', async () => {
      link.cut();
      while (AGENTS.some((agentId) => scene.system.ownerOf(agentId) === 'store-writer-1')) await pause(50);
    }, AFTER_LEASE_MS);
    await scene.fault('the link is mended', async () => {
      link.mend();
      await pause(3000);
    });
    expect(await scene.check()).toBe('');
  } finally {
    await link.close();
  }
}, TIMEOUT_MS);
