/**
 * A writer cut off from NATS that still has its disk: in a network namespace whose packets are
 * dropped; where none can be made, behind a proxy that passes nothing on. Every accepted message is
 * kept once and in order, and the writer that comes back is refused what it does not own any more.
 */
import { startNatsServer, type NatsServer } from '@sessions/bus/testing';
import { createCutLink } from './cut-link';
import { createCutNamespace } from './cut-namespace';
import { AFTER_LEASE_MS, AGENTS, DROPS_DEAD_PEERS, Scene, TIMEOUT_MS, pause } from './fault-scene';
import type { AppPlace } from './split-system';

const CUT_OFF = 'store-writer-1';

/** A way to NATS that can be cut. */
interface Way {
  readonly place: AppPlace;
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

let nats: NatsServer;
const scene = new Scene();

beforeEach(async () => {
  nats = await startNatsServer({ host: '0.0.0.0', config: DROPS_DEAD_PEERS });
}, TIMEOUT_MS);
afterEach(async () => {
  await scene.end();
  await nats.stop();
}, TIMEOUT_MS);

async function createWay(): Promise<Way> {
  const port = Number(new URL(nats.url).port);
  const namespace = createCutNamespace();
  if (typeof namespace !== 'string') {
    const { hostAddress, launcher, cut, mend, remove } = namespace;
    return { place: { natsUrl: `nats://${hostAddress}:${port}`, launcher }, cut, mend, close: () => Promise.resolve(remove()) };
  }
  process.stdout.write(`${namespace}; the link is a proxy that stops passing bytes\n`);
  const link = await createCutLink(port);
  return { place: { natsUrl: `nats://127.0.0.1:${link.port}` }, cut: () => link.cut(), mend: () => link.mend(), close: () => link.close() };
}

it('keeps every accepted message', async () => {
  const way = await createWay();
  try {
    await scene.begin({ natsUrl: nats.url, placeOf: (_, instance) => (instance === CUT_OFF ? way.place : undefined) });
    await scene.fault(`${CUT_OFF} cut off until the other has every store`, async () => {
      way.cut();
      while (AGENTS.some((agentId) => scene.system.ownerOf(agentId) === CUT_OFF)) await pause(50);
    }, AFTER_LEASE_MS);
    await scene.fault('the link is mended', async () => {
      way.mend();
      await pause(3000);
    });
    expect(await scene.check()).toBe('');
  } finally {
    // A writer behind a cut link could not end in order.
    way.mend();
    await scene.end();
    await way.close();
  }
}, TIMEOUT_MS);
