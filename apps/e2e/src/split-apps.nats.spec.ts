/** The apps as processes of their own over a real NATS: they start, answer, watch over each other and end in order. */
import { startNatsServer, type NatsServer } from '@sessions/bus/testing';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from './support/command';
import { APPS, startApp, type AppName, type SplitApp } from './support/split-app';

const TOKEN = 'only-for-this-test';
const KEY = 'agent:main:main';

describe('the split deployment', () => {
  let nats: NatsServer;
  let stateDir: string;
  const apps: SplitApp[] = [];
  beforeEach(async () => {
    stateDir = mkdtempSync(join(tmpdir(), 'split-apps-'));
    writeFileSync(join(stateDir, 'openclaw.json'), JSON.stringify({ gateway: { auth: { token: TOKEN } } }));
    nats = await startNatsServer();
    const { exitCode: code, stdout } = await runCommand(stateDir, ['gateway', 'setup-bus', '--bus', nats.url]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: `The bus at ${nats.url} is set up.\n` });
  }, 60_000);
  afterEach(async () => {
    for (const app of apps.splice(0)) await app.kill();
    await nats.stop();
    rmSync(stateDir, { recursive: true, force: true });
  });

  async function start(app: AppName, instance: string): Promise<SplitApp> {
    const started = await startApp(app, stateDir, nats.url, { env: { SESS_INSTANCE: instance } });
    apps.push(started);
    return started;
  }
  const request = (router: SplitApp, path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`http://127.0.0.1:${String(router.port)}${path}`, { ...init, headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' } });
  const send = async (router: SplitApp, number: number): Promise<number> =>
    (await request(router, '/v1/messages', { method: 'POST', body: JSON.stringify({ channel: 'telegram', messageId: String(number), chatType: 'direct', sender: { id: '1' }, text: `number ${number}` }) })).status;

  it('takes messages in over any router, survives its store-writer, and ends in order with 0', async () => {
    const [first, second] = await Promise.all([start('router', 'r1'), start('router', 'r2')]);
    const writers = { w1: await start('store-writer', 'w1'), w2: await start('store-writer', 'w2') };
    const others = await Promise.all(APPS.slice(2).map((app) => start(app, `${app}-1`)));
    for (const app of apps) expect((await fetch(`${app.probesUrl}/readyz`)).status).toBe(200);
    expect(await (await fetch(`${first.probesUrl}/metrics`)).text()).toContain('sessions_bus_connected');

    expect([await send(first, 1), await send(second, 2)]).toEqual([202, 202]);
    const { instance } = JSON.parse(readFileSync(join(stateDir, 'agents/main/sessions/.store/owner.json'), 'utf8')) as { instance: 'w1' | 'w2' };
    await writers[instance].kill();
    let status = 0;
    for (const deadline = Date.now() + 60_000; Date.now() < deadline && status !== 202 && status !== 200; ) status = await send(second, 3);
    expect([200, 202]).toContain(status);
    const { items } = (await (await request(first, `/sessions/${encodeURIComponent(KEY)}/history?limit=10`)).json()) as { items: unknown[] };
    for (const number of [1, 2, 3]) expect(items.filter((item) => JSON.stringify(item).includes(`"number ${number}"`))).toHaveLength(1);

    const survivors = [first, second, ...others, writers[instance === 'w1' ? 'w2' : 'w1']];
    for (const app of survivors) expect(await app.stop()).toBe(0);
  }, 120_000);

  it('is not ready while NATS is away for long, live all the while, and ready again by itself', async () => {
    const runner = await start('agent-runner', 'a1');
    await nats.kill();
    const until = async (wanted: number): Promise<{ reasons: string[] }> => {
      for (const deadline = Date.now() + 30_000; Date.now() < deadline; ) {
        const answer = await fetch(`${runner.probesUrl}/readyz`);
        if (answer.status === wanted) return (await answer.json()) as { reasons: string[] };
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      throw new Error(`readyz never answered ${wanted}`);
    };
    expect((await until(503)).reasons).toEqual(['bus: disconnected']);
    expect((await fetch(`${runner.probesUrl}/healthz`)).status).toBe(200);
    await nats.restart();
    await until(200);
    expect(runner.lines().map(({ reason }) => reason)).toEqual(expect.arrayContaining(['disconnected', 'reconnected']));
    expect(await runner.stop()).toBe(0);
  }, 90_000);

  it('does not start without NATS, and says where it looked', async () => {
    const away = 'nats://someone:secret@127.0.0.1:1';
    const refusal = await startApp('agent-runner', stateDir, away, { env: { SESS_NATS_CONNECT_TIMEOUT_MS: '300' } }).catch((error: unknown) => String(error));
    expect(refusal).toContain('exit 1');
    expect(refusal).toContain('NATS at nats://127.0.0.1:1 could not be reached within 300 ms');
    expect(refusal).not.toContain('secret');
  }, 60_000);
});
