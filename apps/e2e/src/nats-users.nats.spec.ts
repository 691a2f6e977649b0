/**
 * The users that docker/nats.conf lets in, on a real nats-server: what each may do is enough for its
 * service, and for the set-up step of a newer release; and no more than that.
 */
import { connectNatsBus, createSubjects, provisionNats, type NatsBus, type NatsBusOptions } from '@sessions/bus';
import { startNatsServer, type NatsServer } from '@sessions/bus/testing';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from './support/command';
import { doorAt } from './support/door';
import { TOKEN, useScene } from './support/scene';
import { APPS, startApp, type SplitApp } from './support/split-app';
import { waitUntil } from './support/wait-until';
import { writeSettings } from './scenarios/write-settings';

const SERVER_START_MS = 60_000;
const AGENT = 'main';
const scene = useScene();
const subjects = createSubjects();
let nats: NatsServer;

beforeAll(async () => {
  const conf = readFileSync(join(CHECKOUT, 'docker', 'nats.conf'), 'utf8');
  // From the first user's permissions on; where it listens, and where and how much it keeps, is the test's own.
  const users = conf
    .slice(conf.indexOf('ROUTER = {'))
    .replace(/\$NATS_(\w+)_PASSWORD/gu, '"of-$1"')
    .replace(/max_file: \w+, max_mem: \w+/u, 'max_file: 64MB, max_mem: 1MB');
  nats = await startNatsServer({ config: users });
}, SERVER_START_MS);
afterAll(() => nats.stop());

const urlOf = (user: string): string => nats.url.replace('//', `//${user}:of-${user.toUpperCase().replaceAll('-', '_')}@`);
const optionsOf = (user: string): NatsBusOptions => ({ servers: [urlOf(user)], service: user, instance: 'test', subjectPrefix: 'sess' });

it('let the set-up make what is missing, and bring up to date what another release made', async () => {
  await provisionNats(optionsOf('setup'));
  // What another release may have made otherwise.
  await provisionNats({ ...optionsOf('setup'), timing: { duplicateWindowMs: 60_000 } });
  await provisionNats(optionsOf('setup'));
});

it('let every service do its work, from the message to its answer', async () => {
  const stateDir = scene.stateDir();
  writeSettings(stateDir, 0, { session: { dmScope: 'per-channel-peer' }, agents: { defaults: { model: 'demo/echo' } } });
  const apps = await Promise.all(
    APPS.map(async (name) => {
      const app = await startApp(name, stateDir, urlOf(name));
      scene.onEnd(() => app.kill());
      return [name, app] as const;
    }),
  );
  const router = apps.find(([name]) => name === 'router')?.[1];
  const door = doorAt({ url: `http://127.0.0.1:${String(router?.port)}`, grpc: undefined, token: TOKEN });
  expect((await door.send({ channel: 'telegram', messageId: '1', chatType: 'direct', sender: { id: '1' }, text: 'to be echoed' }))?.status).toBe(202);
  await waitUntil('the message is answered', async () => {
    const { json } = await door.http(`/sessions/${encodeURIComponent('agent:main:telegram:direct:1')}/history`);
    return JSON.stringify(json).includes('Echo: to be echoed') || undefined;
  });
  for (const [name, app] of apps) expect([name, await app.stop(), refusedOf(app)]).toEqual([name, 0, []]);
});

describe('keep', () => {
  const HOLDER = { instance: 'thief', epoch: 1, host: 'h', pid: 1, acquiredAtMs: 1 };
  const connected = async (user: string): Promise<NatsBus> => {
    const bus = await connectNatsBus(optionsOf(user));
    scene.onEnd(() => bus.close());
    return bus;
  };
  const refusal = (act: Promise<unknown>): Promise<string> => act.then(() => 'taken', (error: unknown) => String(error));

  it.each([
    ['router', `store.${AGENT}x`],
    ['agent-runner', `store.${AGENT}x`],
    ['compaction-worker', `store.${AGENT}x`],
    ['maintenance-scheduler', `store.${AGENT}x`],
    ['store-writer', 'leader.other'],
  ])('%s from the lease %s', async (user, key) => {
    const bus = await connected(user);
    expect(await refusal(bus.leases.acquire(key, HOLDER))).toContain('does not let this service publish');
  });

  it('agent-runner from the events of others', async () => {
    const bus = await connected('agent-runner');
    expect(await refusal(bus.events.subscribe(subjects.events({}), {} as never, () => undefined))).toContain('does not let this service subscribe');
  });
});

function refusedOf(app: SplitApp): unknown[] {
  return app.lines().filter(({ reason }) => reason === 'permission');
}
