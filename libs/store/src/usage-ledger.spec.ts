/** What runs used stays in the ledger: once, whatever dies when, and whatever becomes of sessions and index. */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import type { AgentStore } from './agent-store';
import { openStore } from './open-store';
import { IndexWriter } from './session-index/index-writer';
import { openIndexForBuilding } from './session-index/open-database';
import { loadUsage } from './session-index/usage-file';
import { SeededRandom } from './testing/seeded-random';
import type { Effect, UsageLine } from './types';

const KEY = 'agent:main:main';

let root: string;
let file: string;
const open = (sessionsFile = file): Promise<AgentStore> =>
  openStore({ agentId: 'main', sessionsFile, instance: 'test', transport: 'standalone', clock: { nowMs: () => Date.now() }, checkpointDelayMs: 600_000 });

beforeEach(() => {
  root = fs.mkdtempSync(path.join(tmpdir(), 'usage-ledger-'));
  file = path.join(root, 'sessions', 'sessions.json');
  fs.mkdirSync(path.dirname(file));
});
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

const lineOf = (runId: string, rest: Partial<UsageLine> = {}): UsageLine => ({
  at: 1_780_000_000_000, key: KEY, sessionId: 's-1', runId, provider: 'openai', model: 'gpt-5', input: 100, output: 10, cacheRead: 5, cacheWrite: 1, costUsd: 0.25, ...rest,
});
const record = (store: AgentStore, lines: readonly UsageLine[], idempotencyKey?: string): Promise<unknown> =>
  store.mutate({ ...(idempotencyKey === undefined ? {} : { idempotencyKey }), decide: () => ({ effects: lines.map((line): Effect => ({ kind: 'recordUsage', line })), result: null }) });
const ledger = (dir = path.dirname(file)): Record<string, unknown>[] =>
  fs.readFileSync(path.join(dir, '.store', 'usage.jsonl'), 'utf8').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, unknown>);
const sums = (store: AgentStore): Promise<{ input: number; costUsd: number | undefined; linesCount: number; unpricedCount: number }> =>
  store.usage({ view: 'sums', limit: 100 }).then(({ totals }) => totals);

it('stands in usage.jsonl after a checkpoint, numbers and ids only', async () => {
  const store = await open();
  await record(store, [lineOf('r-1'), lineOf('r-1', { model: 'gpt-5-mini', costUsd: undefined })]);
  await store.close();
  expect(ledger()).toEqual([
    { ...lineOf('r-1'), epoch: 1, seq: 1, n: 0 },
    expect.objectContaining({ model: 'gpt-5-mini', epoch: 1, seq: 1, n: 1 }),
  ]);
  expect(ledger()[1]).not.toHaveProperty('costUsd');
});

it('goes on behind the lines that it has, where owner, journal and index are gone', async () => {
  const ownDir = path.join(path.dirname(file), '.store');
  for (let life = 1; life <= 3; life += 1) {
    const store = await open();
    await record(store, [lineOf(`r-${String(life)}`)]);
    await store.close();
    for (const name of fs.readdirSync(ownDir)) if (/^(owner|journal|index)/.test(name)) fs.rmSync(path.join(ownDir, name));
  }
  expect(ledger().map(({ runId, epoch }) => [runId, epoch])).toEqual([['r-1', 1], ['r-2', 2], ['r-3', 3]]);
  // What cannot be an epoch of ours holds nobody up.
  fs.appendFileSync(path.join(ownDir, 'usage.jsonl'), `${JSON.stringify({ ...lineOf('r-4'), epoch: Number.MAX_SAFE_INTEGER, seq: 1, n: 0 })}\n`);
  const store = await open();
  expect(store.epoch).toBe(4);
  await record(store, [lineOf('r-5')]);
  expect((await sums(store)).linesCount).toBe(5);
  await store.close();
  expect(ledger()).toHaveLength(5);
});

it('goes on behind the rows that the index has, where all else that tells an epoch is gone', async () => {
  const ownDir = path.join(path.dirname(file), '.store');
  for (let life = 1; life <= 3; life += 1) {
    for (const name of life === 1 ? [] : fs.readdirSync(ownDir)) if (/^(owner|journal|usage)/.test(name)) fs.rmSync(path.join(ownDir, name));
    const store = await open();
    await record(store, [lineOf(`r-${String(life)}`)]);
    expect((await sums(store)).linesCount).toBe(life);
    await store.close();
    expect(ledger().map(({ runId }) => runId)).toEqual(['r-1', 'r-2', 'r-3'].slice(0, life));
  }
});

it('adds up what has a price, and says how many lines have none', async () => {
  const store = await open();
  await record(store, [lineOf('r-1')]);
  await record(store, [lineOf('r-2', { key: 'agent:main:other', sessionId: 's-2', model: 'local', costUsd: undefined })]);
  const { sessions, models, totals } = await store.usage({ view: 'sums', limit: 10 });
  expect(totals).toEqual({ input: 200, output: 20, cacheRead: 10, cacheWrite: 2, costUsd: 0.25, costsUsd: undefined, linesCount: 2, unpricedCount: 1 });
  expect(sessions.find(({ key }) => key === 'agent:main:other')).toMatchObject({ costUsd: undefined, unpricedCount: 1, sessionIds: ['s-2'] });
  expect(models).toHaveLength(2);
  expect((await store.usage({ view: 'sums', keys: [KEY], limit: 10 })).totals).toMatchObject({ linesCount: 1, costUsd: 0.25 });
  await store.close();
});

it('adds up without the noise of binary fractions, and keeps what a cost is made of through a lost index', async () => {
  const store = await open();
  const costsUsd = { input: 0.1, output: 0.2, cacheRead: 0.3, cacheWrite: 0 };
  await record(store, [lineOf('r-1', { costUsd: 0.6, costsUsd }), lineOf('r-2', { costUsd: 0.6, costsUsd, key: 'agent:main:telegram:direct:7', at: 1_780_000_000_000 + 86_400_000 }), lineOf('r-3', { costUsd: undefined })]);
  const kinds = { input: 0.2, output: 0.4, cacheRead: 0.6, cacheWrite: 0 };
  const isWhole = async (asked: AgentStore): Promise<void> => {
    const { totals, channels, modelDays } = await asked.usage({ view: 'sums', limit: 10 });
    expect(totals).toMatchObject({ costUsd: 1.2, costsUsd: kinds, unpricedCount: 1 });
    expect(channels).toMatchObject([{ channel: 'telegram', linesCount: 1, costUsd: 0.6, costsUsd }]);
    expect(modelDays).toMatchObject([{ dayAtMs: 1_779_926_400_000, model: 'gpt-5', linesCount: 2, costUsd: 0.6, unpricedCount: 1 }, { dayAtMs: 1_780_012_800_000, model: 'gpt-5', linesCount: 1, costUsd: 0.6 }]);
  };
  await isWhole(store);
  await store.close();
  for (const name of fs.readdirSync(store.layout.ownDir)) if (name.startsWith('index.sqlite')) fs.rmSync(path.join(store.layout.ownDir, name));
  const after = await open();
  await isWhole(after);
  // A cost whose parts nobody knows makes the parts of the sum unknown, not smaller.
  await record(after, [lineOf('r-4', { costUsd: 1 })]);
  expect((await after.usage({ view: 'sums', limit: 10 })).totals).toMatchObject({ costUsd: 2.2, costsUsd: undefined });
  await after.close();
});

it('is neither lost nor doubled when the process dies before, in or after a checkpoint', async () => {
  const store = await open();
  await record(store, [lineOf('r-1')]);
  await store.checkpoint();
  await record(store, [lineOf('r-2')]);
  await store.usage({ view: 'sums', limit: 1 });
  // What stands on disk while the owner lives is what its death would leave; the file beside it may have the line already.
  for (const torn of [false, true]) {
    const copy = path.join(root, `copy-${String(torn)}`);
    fs.cpSync(path.dirname(file), copy, { recursive: true });
    if (torn) fs.appendFileSync(path.join(copy, '.store', 'usage.jsonl'), '{"at":1,"key":"agent:ma');
    const after = await open(path.join(copy, 'sessions.json'));
    expect(await sums(after)).toMatchObject({ linesCount: 2, costUsd: 0.5 });
    await after.close();
    expect(ledger(copy).map(({ runId }) => runId)).toEqual(['r-1', 'r-2']);
  }
  await store.close();
});

it('does not append again what the file has when a checkpoint did not come to its end', async () => {
  const store = await open();
  await record(store, [lineOf('r-1')]);
  await store.checkpoint();
  await record(store, [lineOf('r-2')]);
  const before = path.join(root, 'before');
  fs.cpSync(path.dirname(file), before, { recursive: true });
  await store.checkpoint();
  // The checkpoint of r-2 wrote the ledger and died: journal and index are as they were before.
  fs.copyFileSync(path.join(path.dirname(file), '.store', 'usage.jsonl'), path.join(before, '.store', 'usage.jsonl'));
  await store.close();
  const after = await open(path.join(before, 'sessions.json'));
  await after.checkpoint();
  expect(await sums(after)).toMatchObject({ linesCount: 2 });
  await after.close();
  expect(ledger(before).map(({ runId }) => runId)).toEqual(['r-1', 'r-2']);
});

it('is read again from its file when the index is gone, and from the journal what the file lacks', async () => {
  const store = await open();
  await record(store, [lineOf('r-1')]);
  await store.checkpoint();
  await record(store, [lineOf('r-2', { costUsd: 1 })]);
  const copy = path.join(root, 'copy');
  fs.cpSync(path.dirname(file), copy, { recursive: true });
  await store.close();
  for (const name of fs.readdirSync(path.join(copy, '.store'))) if (name.startsWith('index.sqlite')) fs.rmSync(path.join(copy, '.store', name));
  fs.appendFileSync(path.join(copy, '.store', 'usage.jsonl'), 'no line of a ledger\n');
  const after = await open(path.join(copy, 'sessions.json'));
  expect(await sums(after)).toMatchObject({ linesCount: 2, costUsd: 1.25 });
  expect((await after.info()).notices.some(({ message }) => message.includes('usage ledger'))).toBe(true);
  await after.close();
});

it.each([{ input: 1e308 }, { input: 1.5 }, { output: -1 }, { cacheRead: 'x' }, { costUsd: -3 }, { costUsd: 1e300 }, { at: 1.5 }])('passes over a line that counts what nothing can have been: %j', async (wrong) => {
  const store = await open();
  await record(store, [lineOf('r-1')]);
  await store.close();
  const dir = path.join(path.dirname(file), '.store');
  for (const name of fs.readdirSync(dir)) if (name.startsWith('index.sqlite')) fs.rmSync(path.join(dir, name));
  fs.appendFileSync(path.join(dir, 'usage.jsonl'), `${JSON.stringify({ ...lineOf('r-2'), ...wrong })}\n`);
  const after = await open();
  expect(await sums(after)).toMatchObject({ linesCount: 1, input: 100, costUsd: 0.25 });
  expect((await after.info()).notices).toContainEqual(expect.objectContaining({ kind: 'damage', count: 1 }));
  await after.close();
});

it('is read piece by piece where bytes without a newline stand in it, which are passed over and set aside', async () => {
  const store = await open();
  await record(store, [lineOf('r-1')]);
  await store.close();
  const usageFile = path.join(path.dirname(file), '.store', 'usage.jsonl');
  // What a file system leaves of a file that was never written: zeroes. First in the middle, then at the end.
  fs.appendFileSync(usageFile, Buffer.concat([Buffer.alloc(3 * 1024 * 1024), Buffer.from(`\n${JSON.stringify({ ...lineOf('r-2'), epoch: 1, seq: 9, n: 0 })}\n`), Buffer.alloc(3 * 1024 * 1024)]));
  const seen: number[] = [];
  const concat = jest.spyOn(Buffer, 'concat').mockImplementation(((parts: Buffer[]) => {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    seen.push(length);
    const whole = Buffer.alloc(length);
    parts.reduce((at, part) => at + part.copy(whole, at), 0);
    return whole;
  }) as typeof Buffer.concat);
  const db = openIndexForBuilding(path.join(root, 'apart.sqlite'));
  try {
    IndexWriter.createTables(db);
    expect(loadUsage(db, path.dirname(usageFile))).toEqual([expect.objectContaining({ kind: 'damage', count: 1 })]);
  } finally {
    concat.mockRestore();
    db.close();
  }
  expect(Math.max(...seen)).toBeLessThanOrEqual(64 * 1024);

  for (const name of fs.readdirSync(path.dirname(usageFile))) if (name.startsWith('index.sqlite')) fs.rmSync(path.join(path.dirname(usageFile), name));
  const after = await open();
  expect(await sums(after)).toMatchObject({ linesCount: 2, costUsd: 0.5 });
  await record(after, [lineOf('r-3')]);
  await after.close();
  const kept = fs.readFileSync(usageFile, 'utf8').split('\n');
  expect([kept.length, JSON.parse(kept[0] ?? ''), JSON.parse(kept[2] ?? ''), JSON.parse(kept[3] ?? '')]).toMatchObject([5, { runId: 'r-1' }, { runId: 'r-2' }, { runId: 'r-3' }]);
  const [aside = ''] = fs.readdirSync(path.join(path.dirname(usageFile), 'quarantine'));
  expect(fs.statSync(path.join(path.dirname(usageFile), 'quarantine', aside)).size).toBeGreaterThan(6 * 1024 * 1024);
});

it('tells a decision what a run has recorded, also before the index has it', async () => {
  const store = await open();
  const seen: number[] = [];
  const once = (): Promise<unknown> =>
    store.mutate({
      decide: (view) => {
        seen.push(view.usageOfRun('r-1').length);
        return { effects: view.usageOfRun('r-1').length > 0 ? [] : [{ kind: 'recordUsage', line: lineOf('r-1') }], result: view.hasUsageOf('s-1') };
      },
    });
  await Promise.all([once(), once(), once()]);
  expect(seen).toEqual([0, 1, 1]);
  expect(await sums(store)).toMatchObject({ linesCount: 1 });
  await once();
  expect(seen).toEqual([0, 1, 1, 1]);
  await store.close();
});

it.each([1, 2, 3])('adds up to the same in every way of asking, through restarts and lost indexes (seed %i)', async (seed) => {
  const random = new SeededRandom(seed, 1);
  const expected: UsageLine[] = [];
  let store = await open();
  for (let step = 0; step < 60; step += 1) {
    const draw = random.below(10);
    if (draw === 0) await store.checkpoint();
    else if (draw === 1) {
      await store.close();
      if (random.chance(0.5)) for (const name of fs.readdirSync(store.layout.ownDir)) if (name.startsWith('index.sqlite')) fs.rmSync(path.join(store.layout.ownDir, name));
      store = await open();
    } else {
      const key = `agent:main:k${String(random.below(4))}`;
      const cost = random.chance(0.7) ? { costUsd: random.below(100_000) / 1_000_000 } : { costUsd: undefined };
      const line = lineOf(`r-${String(step)}`, { at: 1_780_000_000_000 + random.below(1000), key, input: random.below(5000), model: `m${String(random.below(3))}`, ...cost });
      await record(store, [line], `run-${String(step)}`);
      if (random.chance(0.3)) await record(store, [line], `run-${String(step)}`);
      expected.push(line);
    }
  }
  const sumOf = (lines: readonly UsageLine[]): number => lines.reduce((sum, { costUsd }) => sum + (costUsd ?? 0), 0);
  const { sessions, models, totals } = await store.usage({ view: 'sums', limit: 100 });
  const { lines } = await store.usage({ view: 'lines', limit: 1000 });
  await store.close();
  expect(totals.linesCount).toBe(expected.length);
  expect(totals.input).toBe(expected.reduce((sum, { input }) => sum + input, 0));
  for (const total of [totals.costUsd ?? 0, sessions.reduce((sum, { costUsd = 0 }) => sum + costUsd, 0), models.reduce((sum, { costUsd = 0 }) => sum + costUsd, 0), sumOf(lines), sumOf(ledger() as unknown as UsageLine[])]) {
    expect(total).toBeCloseTo(sumOf(expected), 9);
  }
  for (const { key, costUsd = 0, unpricedCount } of sessions) {
    const own = expected.filter((line) => line.key === key);
    expect(costUsd).toBeCloseTo(sumOf(own), 9);
    expect(unpricedCount).toBe(own.filter((line) => line.costUsd === undefined).length);
  }
});
