/** Prices come from a list once a day, and stay when none can be had. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { PRICES_MAX_AGE_MS, createPriceCache, type PriceCache } from './price-cache';

let root: string;
let server: Server;
let asked: number;
let answer: { status: number; body: string };
let nowMs: number;
let failures: string[];

const listOf = (prompt: string): string => JSON.stringify({ data: [{ id: 'openai/gpt-5', pricing: { prompt, completion: '0.00001' } }, { id: 'else/where', pricing: { prompt: '1', completion: '1' } }] });

beforeEach(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'price-cache-'));
  asked = 0;
  nowMs = 1_780_000_000_000;
  failures = [];
  answer = { status: 200, body: listOf('0.00000125') };
  server = createServer((_, response) => {
    asked += 1;
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(root, { recursive: true, force: true });
});

const cache = (wanted: string[] = ['openai/gpt-5']): PriceCache =>
  createPriceCache({
    file: path.join(root, 'cache', 'model-prices.json'),
    wanted: () => new Set(wanted),
    nowMs: () => nowMs,
    onFailure: ({ message }) => failures.push(message),
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/models`,
  });

it('keeps the prices of wanted models, in memory and in a file of its own', async () => {
  const made = cache();
  await made.refresh();
  expect([...made.prices()]).toEqual([['openai/gpt-5', { input: 1.25, output: 10, cacheRead: undefined, cacheWrite: undefined }]]);
  const file = path.join(root, 'cache', 'model-prices.json');
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ fetchedAt: nowMs, prices: { 'openai/gpt-5': { input: 1.25, output: 10 } } });
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

it('asks at most once a day, over restarts too', async () => {
  await cache().refresh();
  const made = cache();
  await made.start();
  await made.refresh();
  expect(made.prices().get('openai/gpt-5')).toMatchObject({ input: 1.25 });
  expect(asked).toBe(1);
  nowMs += PRICES_MAX_AGE_MS;
  answer.body = listOf('0.000002');
  await made.refresh();
  made.stop();
  expect([asked, made.prices().get('openai/gpt-5')?.input]).toEqual([2, 2]);
});

it('takes the list that another process of the state directory had in the meantime', async () => {
  const [one, other] = [cache(), cache()];
  await one.refresh();
  await other.refresh();
  expect(other.prices()).toEqual(one.prices());
  nowMs += PRICES_MAX_AGE_MS;
  answer.body = listOf('0.000002');
  await one.refresh();
  await other.refresh();
  expect([asked, other.prices().get('openai/gpt-5')?.input]).toEqual([2, 2]);
});

it('keeps the old prices when a list cannot be had or is none, and asks again', async () => {
  const made = cache();
  await made.refresh();
  nowMs += PRICES_MAX_AGE_MS;
  for (const wrong of [{ status: 500, body: '' }, { status: 200, body: 'no JSON' }, { status: 200, body: '[]' }]) {
    answer = wrong;
    await made.refresh();
    expect(made.prices().get('openai/gpt-5')).toMatchObject({ input: 1.25 });
  }
  expect(failures).toHaveLength(3);
  expect(asked).toBe(4);
});

it('asks for nothing when no model is wanted, and reads a broken file as none', async () => {
  const made = cache([]);
  mkdirSync(path.join(root, 'cache'));
  writeFileSync(path.join(root, 'cache', 'model-prices.json'), '{"fetchedAt":');
  await made.start();
  made.stop();
  expect([asked, made.prices().size]).toEqual([0, 0]);
});
