/**
 * Messages of NATS that come twice, in another order or not at all, while clients write to a split
 * deployment: every accepted message is kept once and in order, a read after it shows it, and the
 * system takes messages as before once the link is faithful again. And services of two releases beside
 * each other, of which one says more than the other knows.
 */
import { startNatsServer, type NatsServer } from '@sessions/bus/testing';
import { AFTER_LEASE_MS, DROPS_DEAD_PEERS, Scene, TIMEOUT_MS, pause } from './fault-scene';
import { createUnfaithfulLink, type Unfaithfulness, type UnfaithfulLink } from './unfaithful-link';

const SEED = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
/** Each kind lasts until so many messages were treated so, and at most so long. */
const EACH = Number(process.env['UNFAITHFUL'] ?? 120);
const EACH_MS_MAX = 20_000;

const KINDS: readonly (readonly [string, Unfaithfulness])[] = [
  ['doubled', { doubled: 200, heldBack: 0, vanished: 0 }],
  ['reordered', { doubled: 0, heldBack: 200, vanished: 0 }],
  ['vanished', { doubled: 0, heldBack: 0, vanished: 10 }],
  ['all at once', { doubled: 80, heldBack: 80, vanished: 5 }],
];

let nats: NatsServer;
let link: UnfaithfulLink;
const scene = new Scene();

/** Numbers from a seed (mulberry32), so that a run can be made again. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

beforeEach(async () => {
  nats = await startNatsServer({ config: DROPS_DEAD_PEERS });
  link = await createUnfaithfulLink(Number(new URL(nats.url).port), seeded(SEED));
}, TIMEOUT_MS);
afterEach(async () => {
  await scene.end();
  await link.close();
  await nats.stop();
}, TIMEOUT_MS);

it('keeps every accepted message once and in order when messages of NATS are doubled, reordered, lost', async () => {
  process.stdout.write(`SEED=${SEED}\n`);
  await scene.begin({ natsUrl: nats.url, placeOf: () => ({ natsUrl: link.url }) });
  for (const [kind, how] of KINDS) {
    const before = { ...link.done };
    const treated = (): number => link.done.doubled + link.done.heldBack + link.done.vanished - before.doubled - before.heldBack - before.vanished;
    await scene.fault(`messages of NATS ${kind}`, async () => {
      link.treat(how);
      for (const deadline = performance.now() + EACH_MS_MAX; treated() < EACH && performance.now() < deadline; ) await pause(20);
      link.treat(undefined);
    }, AFTER_LEASE_MS);
    const { doubled, heldBack, vanished } = link.done;
    process.stdout.write(`  ${doubled - before.doubled} doubled, ${heldBack - before.heldBack} held back, ${vanished - before.vanished} vanished\n`);
  }
  // The link did what its name says.
  expect(Math.min(link.done.doubled, link.done.heldBack, link.done.vanished)).toBeGreaterThan(0);
  expect(await scene.check()).toBe('');
}, TIMEOUT_MS);

it('keeps every accepted message where a router and a store-writer speak as a newer release would', async () => {
  const newer = await createUnfaithfulLink(Number(new URL(nats.url).port), seeded(SEED), true);
  try {
    const isOf = (instance: string): boolean => instance === 'router-1' || instance === 'store-writer-1';
    await scene.begin({ natsUrl: nats.url, placeOf: (_, instance) => (isOf(instance) ? { natsUrl: newer.url } : undefined) });
    // Each of the two writers owns the stores for a while, one as of today and one newer.
    const first = scene.system.ownerOf('main');
    await scene.fault(`${first} restarted`, async () => {
      await scene.system.stopApp(first);
      await scene.system.startApp('store-writer', first);
    });
    const owners = scene.system.owners.filter(({ agentId }) => agentId === 'main').map(({ owner }) => owner.replace(/^.*(store-writer-\d).*$/, '$1'));
    expect([...new Set(owners)].sort()).toEqual(['store-writer-1', 'store-writer-2']);
    expect(newer.done.newer).toBeGreaterThan(0);
    const unknown = [...scene.system.apps].flatMap(([instance, app]) => app.lines().filter(({ level }) => level === 'error').map((line) => `${instance}: ${JSON.stringify(line)}`));
    expect(unknown).toEqual([]);
    expect(await scene.check()).toBe('');
  } finally {
    await scene.end();
    await newer.close();
  }
}, TIMEOUT_MS);
