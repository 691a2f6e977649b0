/**
 * Processes that are stopped (SIGSTOP) under load and wake up again: every accepted message is kept
 * once and in order. Each fault prints how long nothing was accepted.
 */
import { startNatsServer, type NatsServer } from '@sessions/bus/testing';
import { AFTER_LEASE_MS, DROPS_DEAD_PEERS, Scene, TIMEOUT_MS, pause } from './fault-scene';

/** Longer than a client waits for one answer (15 s) would end the test of nothing: its next try goes elsewhere. */
const STOPPED_MS = 8_000;

let nats: NatsServer;
const scene = new Scene();

beforeEach(async () => {
  nats = await startNatsServer({ config: DROPS_DEAD_PEERS });
}, TIMEOUT_MS);
afterEach(async () => {
  await scene.end();
  await nats.stop();
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

it('keeps every accepted message when a router, the scheduler, the compaction-worker and the agent-runner are stopped and wake up', async () => {
  await scene.begin({ natsUrl: nats.url, others: true });
  for (const instance of ['router-1', 'maintenance-scheduler-1', 'compaction-worker-1', 'agent-runner-1']) {
    const { pid } = scene.system.app(instance);
    await scene.fault(`${instance} stopped for ${STOPPED_MS / 1000} s (SIGSTOP)`, async () => {
      process.kill(pid, 'SIGSTOP');
      await pause(STOPPED_MS);
      process.kill(pid, 'SIGCONT');
    });
    expect(scene.system.app(instance).isRunning()).toBe(true);
  }
  expect(await scene.check()).toBe('');
}, TIMEOUT_MS);
