/**
 * Processes of the split deployment killed and restarted under load: every accepted message is kept
 * once and in order. Each fault prints how long nothing was accepted.
 */
import { startNatsServer, type NatsServer } from '@sessions/bus/testing';
import { DROPS_DEAD_PEERS, Scene, TIMEOUT_MS, pause } from './fault-scene';

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
