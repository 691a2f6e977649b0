/**
 * NATS killed, restarted, stopped and emptied under load: every accepted message is kept once and in
 * order. Each fault prints how long nothing was accepted.
 */
import { startNatsServer, type NatsServer } from '@sessions/bus/testing';
import { AFTER_LEASE_MS, DROPS_DEAD_PEERS, Scene, TIMEOUT_MS, pause } from './fault-scene';

let nats: NatsServer;
const scene = new Scene();

beforeEach(async () => {
  nats = await startNatsServer({ config: DROPS_DEAD_PEERS });
}, TIMEOUT_MS);
afterEach(async () => {
  await scene.end();
  await nats.stop();
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
