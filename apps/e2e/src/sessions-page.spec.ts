/**
 * A dashboard in a real browser: a page that was written against the documented protocol lists and
 * filters sessions, and shows each message once and in order while messages arrive and the gateway
 * is restarted under it, in order and by `kill -9`.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { openBrowser } from './support/browser';
import type { Page } from './support/browser';
import { freePort } from './support/free-port';
import type { Gateway } from './support/gateway';
import { TOKEN, configWith, useScene } from './support/scene';
import { waitUntil } from './support/wait-until';

const PAGE = readFileSync(join(__dirname, '..', 'fixtures', 'sessions-page.html'));
const CHANNELS = ['telegram', 'discord', 'slack'] as const;
/** Messages to each session; the gateway goes away at two places on the way. */
const ROUNDS = 30;
const STOP_AT = 10;
const KILL_AT = 20;
const KEY = 'agent:main:telegram:direct:7';

const scene = useScene();

/** Serves the page at an origin of its own. @returns the origin */
async function servePage(): Promise<string> {
  const server = createServer((_request, response) => void response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(PAGE));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scene.onEnd(() => new Promise<void>((resolve) => (server.closeAllConnections(), server.close(() => resolve()))));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function openPage(origin: string, port: number): Promise<Page> {
  const { page, close } = await openBrowser();
  scene.onEnd(close);
  await page.goto(`${origin}/?gateway=${encodeURIComponent(`ws://127.0.0.1:${port}/`)}#token=${TOKEN}`);
  return page;
}

const state = (page: Page): Promise<string> => page.evaluate('document.getElementById("state").value');
const rowsOf = (page: Page): Promise<Record<string, string[]>> =>
  page.evaluate('Object.fromEntries([...document.querySelectorAll("#rows tr")].map((line) => [line.dataset.key, [...line.cells].slice(1).map(({ textContent }) => textContent)]))');
const keysOf = async (page: Page): Promise<string[]> => Object.keys(await rowsOf(page)).sort();
const messagesOf = (page: Page): Promise<string[]> => page.evaluate('[...document.querySelectorAll("#messages li")].map(({ value, textContent }) => `${value} ${textContent}`)');
const filter = (page: Page, text: string): Promise<void> =>
  page.evaluate(`{ const field = document.getElementById("filter"); field.value = ${JSON.stringify(text)}; field.dispatchEvent(new Event("input")); }`);

/** Waits until the page shows it. */
const shows = <T>(what: string, look: () => Promise<T>, wanted: T): Promise<true> =>
  waitUntil(`${what}: ${JSON.stringify(wanted)}`, async () => (JSON.stringify(await look()) === JSON.stringify(wanted) ? true : undefined));

it('lists, filters and follows, over restarts of the gateway', async () => {
  const origin = await servePage();
  const port = await freePort();
  const stateDir = scene.stateDir({ ...configWith({ session: { dmScope: 'per-channel-peer' } }), gateway: { auth: { mode: 'token', token: TOKEN }, controlUi: { allowedOrigins: [origin] } } });
  const start = (): Promise<Gateway> => scene.gateway(stateDir, { args: ['--port', String(port)] });
  let gateway = await start();
  /** Until it is acknowledged, under one id. */
  const send = async (channel: string, messageId: string, text: string): Promise<void> => {
    await waitUntil(`${messageId} is taken`, async () => (await gateway.send({ channel, messageId, chatType: 'direct', sender: { id: '7' }, text }))?.json?.['ok'] === true ? true : undefined);
  };
  await send('telegram', 't-0', 'telegram 0');
  const page = await openPage(origin, port);
  await shows('connected', () => state(page), 'connected');
  await shows('the row that was there', () => keysOf(page), [KEY]);
  await page.evaluate(`document.querySelector('tr[data-key="${KEY}"]').click()`);
  await shows('its message', () => messagesOf(page), ['1 telegram 0']);

  let restarting: Promise<void> = Promise.resolve();
  for (let round = 1; round < ROUNDS; round += 1) {
    if (round === STOP_AT) restarting = gateway.stop().then(async () => void (gateway = await start()));
    if (round === KILL_AT) {
      await restarting;
      // The page is back before it is cut off again.
      await shows('connected again', () => page.evaluate('facts.hellos'), 2);
      restarting = gateway.kill().then(async () => void (gateway = await start()));
    }
    for (const channel of CHANNELS) await send(channel, `${channel.slice(0, 1)}-${round}`, `${channel} ${round}`);
  }
  await restarting;

  await shows('every message once, in order', () => messagesOf(page), Array.from({ length: ROUNDS }, (_, place) => `${place + 1} telegram ${place}`));
  await shows('all rows', () => keysOf(page), CHANNELS.map((channel) => `agent:main:${channel}:direct:7`).sort());
  await waitUntil('each row has its last message', async () => {
    const rows = await rowsOf(page);
    return CHANNELS.every((channel) => rows[`agent:main:${channel}:direct:7`]?.[2] === `${channel} ${ROUNDS - 1}`) ? true : undefined;
  });

  await filter(page, 'SLACK');
  await shows('one row', () => keysOf(page), ['agent:main:slack:direct:7']);
  await send('slack', 's-last', 'slack last');
  await waitUntil('the row moves', async () => (await rowsOf(page))['agent:main:slack:direct:7']?.[2] === 'slack last' ? true : undefined);
  // What the filter does not take stays out; what it takes comes in by itself.
  await gateway.send({ channel: 'signal', messageId: 'x-1', chatType: 'direct', sender: { id: '8' }, text: 'signal' });
  await gateway.send({ channel: 'slack', messageId: 'x-2', chatType: 'direct', sender: { id: '8' }, text: 'slack' });
  await shows('the new row', () => keysOf(page), ['agent:main:slack:direct:7', 'agent:main:slack:direct:8']);
  await filter(page, '');
  await waitUntil('all rows again', async () => ((await keysOf(page)).length === 5 ? true : undefined));

  const socket = await scene.socket(gateway);
  await socket.call('sessions.patch', { key: KEY, label: 'Renamed' });
  await waitUntil('the new label', async () => (await rowsOf(page))[KEY]?.[0] === 'Renamed' ? true : undefined);
  await socket.call('sessions.delete', { key: 'agent:main:signal:direct:8' });
  await waitUntil('the row is gone', async () => ((await keysOf(page)).length === 4 ? true : undefined));

  expect(await page.evaluate<string[]>('facts.problems')).toEqual([]);
  expect(page.errors).toEqual([]);
  expect(await page.evaluate<number>('facts.hellos')).toBe(3);
}, 300_000);

it('is not let in from an origin that the gateway does not know', async () => {
  const origin = await servePage();
  const gateway = await scene.gateway(scene.stateDir({ gateway: { auth: { mode: 'token', token: TOKEN }, controlUi: { allowedOrigins: ['http://127.0.0.1:1'] } } }));
  const page = await openPage(origin, Number(new URL(gateway.url).port));
  await waitUntil('refused', async () => ((await page.evaluate<string[]>('facts.problems')).length > 0 ? true : undefined));
  expect((await page.evaluate<string[]>('facts.problems'))[0]).toMatch(/^origin not allowed/u);
  expect(await page.evaluate<number>('facts.hellos')).toBe(0);
}, 300_000);
