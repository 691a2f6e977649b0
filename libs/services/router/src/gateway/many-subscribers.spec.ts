/** Many clients on one gateway: each hears everything once, in the same order. */
import { textFrame } from './shared-frame';
import { startRouter } from '../testing/router-harness';
import type { RunningRouter, TestClient } from '../testing/router-harness';

/** `npm run bench -- --only subscribers` has a thousand. */
const CLIENTS = 60;
const MESSAGES = 200;
const KEYS = ['agent:main:main', 'agent:main:other', 'agent:main:third'];

let running: RunningRouter;
beforeEach(async () => void (running = await startRouter()));
afterEach(() => running.stop());

const heardBy = (client: TestClient, event = 'session.message'): string[] => client.events(event).map(({ payload }) => `${String(payload.sessionKey)} ${String(payload.messageSeq)}`);

it('gives every subscriber the same ordered list', async () => {
  const writer = await running.client();
  const all: TestClient[] = [];
  const followers: TestClient[] = [];
  for (let place = 0; place < CLIENTS; place += 1) {
    const client = await running.client(['operator.read']);
    const isFollower = place % 3 === 2;
    (isFollower ? followers : all).push(client);
    await (isFollower ? client.request('sessions.messages.subscribe', { key: KEYS[0] }) : client.request('sessions.subscribe'));
    // Both kinds at once are one.
    if (place % 6 === 0) await client.request('sessions.messages.subscribe', { key: KEYS[0] });
  }
  const perKey = new Map<string, number>();
  const wanted: string[] = [];
  // Several at a time; the store says in which order they are.
  for (let place = 0; place < MESSAGES; place += KEYS.length) {
    await Promise.all(KEYS.map((key, at) => writer.request('chat.send', { sessionKey: key, message: `m${place + at}`, idempotencyKey: `k${place + at}` })));
    for (const key of KEYS) {
      perKey.set(key, (perKey.get(key) ?? 0) + 1);
      wanted.push(`${key} ${perKey.get(key) ?? 0}`);
    }
    // Requests of those who listen come in between.
    const asking = all[place % all.length] as TestClient;
    expect((await asking.request('sessions.list')).ok).toBe(true);
  }
  for (const client of all) await client.until(() => (client.events('session.message').length >= wanted.length ? true : undefined));
  const [first = []] = all.map((client) => heardBy(client));
  expect(first.toSorted()).toEqual(wanted.toSorted());
  for (const client of all) expect(heardBy(client)).toEqual(first);
  for (const client of all) expect(client.events('sessions.changed')).toHaveLength(wanted.length);
  // Within a session the order is that of the transcript.
  for (const key of KEYS) expect(first.filter((one) => one.startsWith(`${key} `))).toEqual(wanted.filter((one) => one.startsWith(`${key} `)));
  const ofOne = wanted.filter((one) => one.startsWith(`${KEYS[0] ?? ''} `));
  for (const client of followers) {
    await client.until(() => (client.events('session.message').length >= ofOne.length ? true : undefined));
    expect(heardBy(client)).toEqual(ofOne);
  }
});

it('makes one frame of an event, whatever its length', () => {
  expect(textFrame('hi')).toEqual(Buffer.from([0x81, 2, 0x68, 0x69]));
  expect([...textFrame('x'.repeat(200)).subarray(0, 4)]).toEqual([0x81, 126, 0, 200]);
  expect([...textFrame('x'.repeat(70_000)).subarray(0, 10)]).toEqual([0x81, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70]);
});
