/** What runs used, reported to the owner: counted once, priced as configured, kept whatever becomes of the session. */
import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { FailCompactionRequest, GetEntryRequest, ReadUsageRequest, RecordUsageRequest, StoreServiceDeleteSessionRequest, StoreServiceResetSessionRequest, TokenUsage } from '@sessions/contracts';
import { KEY, bench, cleanUpBenches, restart, sessionsDir, telegram, type Bench } from '../testing/writer-bench';

cleanUpBenches();

const config = { models: { providers: { openai: { models: [{ id: 'gpt-5', cost: { input: 1.25, output: 10, cacheRead: 0.125, cacheWrite: 0 } }, { id: 'unpriced' }] } } } };
const usage = (rest: Partial<TokenUsage> = {}): TokenUsage => TokenUsage.create({ inputTokens: 1000, outputTokens: 100, modelProvider: 'openai', model: 'gpt-5', ...rest });
/** 1000 × 1.25 + 100 × 10, a million tokens each. */
const COST = 0.00225;

const report = (made: Bench, runId: string, what = usage(), options: { key?: string; idempotencyKey?: string } = {}) =>
  made.client.recordUsage(RecordUsageRequest.create({ agentId: 'main', key: options.key ?? KEY, runId, usage: what }), options.idempotencyKey === undefined ? {} : { idempotencyKey: options.idempotencyKey });
const entryOf = async (made: Bench): Promise<Record<string, unknown>> =>
  JSON.parse(Buffer.from((await made.client.getEntry(GetEntryRequest.create({ agentId: 'main', by: { $case: 'key', value: KEY } }))).entryJson).toString('utf8')) as Record<string, unknown>;
const sums = (made: Bench, rest: Partial<ReadUsageRequest> = {}) => made.client.readUsage(ReadUsageRequest.create({ agentId: 'main', ...rest }));
const ledger = (made: Bench): Record<string, unknown>[] =>
  readFileSync(path.join(sessionsDir(made.stateDir), '.store', 'usage.jsonl'), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);

it('adds up over two runs, in the ledger and in the row, by the prices configured', async () => {
  const made = await bench({ config });
  await made.client.deliver(telegram('hello'));
  await report(made, 'run-1');
  const { totals } = await report(made, 'run-2', usage({ outputTokens: 200 }));
  expect(totals).toMatchObject({ inputTokens: 2000, outputTokens: 300, unpricedCount: 0 });
  expect(totals?.costUsd).toBeCloseTo(COST + 0.00325, 12);
  expect((await entryOf(made))['estimatedCostUsd']).toBe(0.0055);
  await made.stop();
  expect(ledger(made)).toMatchObject([{ runId: 'run-1', key: KEY, provider: 'openai', model: 'gpt-5', input: 1000, costUsd: COST }, { runId: 'run-2', costUsd: 0.00325 }]);
});

it('shows no cost while a price is unknown, and never one of a model like it', async () => {
  const made = await bench({ config });
  await made.client.deliver(telegram('hello'));
  await report(made, 'run-1');
  const { totals } = await report(made, 'run-2', usage({ model: 'unpriced' }));
  expect(totals).toMatchObject({ costUsd: COST, unpricedCount: 1 });
  expect(await entryOf(made)).not.toHaveProperty('estimatedCostUsd');
  await report(made, 'run-3');
  expect(await entryOf(made)).not.toHaveProperty('estimatedCostUsd');
  const only = await report(made, 'run-4', usage({ model: 'gpt-5-mini' }), { key: 'agent:main:telegram:direct:7' });
  expect(only.totals?.costUsd).toBeUndefined();
});

it('counts a run once, whichever key it is repeated with and however often the owner is restarted', async () => {
  let made = await bench({ config });
  await made.client.deliver(telegram('hello'));
  await Promise.all([report(made, 'run-1', usage(), { idempotencyKey: 'k' }), report(made, 'run-1', usage(), { idempotencyKey: 'k' }), report(made, 'run-1', usage(), { idempotencyKey: 'other' })]);
  made = await restart(made, { config });
  await report(made, 'run-1', usage(), { idempotencyKey: 'k' });
  await report(made, 'run-1', usage(), { idempotencyKey: 'third' });
  expect((await sums(made)).totals).toMatchObject({ inputTokens: 1000, costUsd: COST });
  await expect(report(made, 'run-1', usage({ inputTokens: 5 }), { idempotencyKey: 'fourth' })).rejects.toMatchObject({ reason: 'IDEMPOTENCY_MISMATCH' });
  await expect(report(made, 'run-2', usage(), { idempotencyKey: 'k' })).rejects.toMatchObject({ reason: 'IDEMPOTENCY_MISMATCH' });
});

it('keeps what was spent through reset and deletion, and begins the row anew', async () => {
  const made = await bench({ config });
  await made.client.deliver(telegram('hello'));
  await report(made, 'run-1');
  await made.client.resetSession(StoreServiceResetSessionRequest.create({ agentId: 'main', key: KEY, reason: 'new' }));
  expect(await entryOf(made)).not.toHaveProperty('estimatedCostUsd');
  await report(made, 'run-2');
  expect((await entryOf(made))['estimatedCostUsd']).toBe(COST);
  await made.client.deleteSession(StoreServiceDeleteSessionRequest.create({ agentId: 'main', key: KEY, deleteTranscript: true }));
  await report(made, 'run-3');
  const { sessions, totals } = await sums(made);
  expect(totals?.inputTokens).toBe(3000);
  expect(sessions).toMatchObject([{ key: KEY, usage: { inputTokens: 3000 } }]);
  expect(sessions[0]?.sessionIds).toHaveLength(3);
});

it('takes a cost that the run reports before its own estimate', async () => {
  const made = await bench({ config });
  expect((await report(made, 'run-1', usage({ costUsd: 0.5 }))).totals?.costUsd).toBe(0.5);
});

it('answers lines and ranges, and empty where nothing was used', async () => {
  const made = await bench({ config });
  expect(await sums(made)).toMatchObject({ sessions: [], totals: undefined });
  await report(made, 'run-1');
  await report(made, 'run-2');
  const { lines } = await sums(made, { view: 'lines', limit: 1, keys: [KEY] });
  expect(lines).toMatchObject([{ runId: 'run-2', key: KEY, usage: { costUsd: COST } }]);
  expect((await sums(made, { untilAtMs: 1 })).totals).toBeUndefined();
});

it('refuses what is no usage', async () => {
  const made = await bench({ config });
  for (const wrong of [usage({ inputTokens: -1 }), usage({ costUsd: Number.NaN }), usage({ costUsd: -1 }), usage({ model: 'm'.repeat(300) })]) {
    await expect(report(made, 'run-1', wrong)).rejects.toMatchObject({ reason: 'VALIDATION' });
  }
  await expect(report(made, '')).rejects.toMatchObject({ reason: 'VALIDATION' });
  await expect(sums(made, { limit: 5000 })).rejects.toMatchObject({ reason: 'VALIDATION' });
  await expect(made.client.failCompaction(FailCompactionRequest.create({ agentId: 'main', operationId: 'x', reason: 'r', usage: [usage()] }))).rejects.toMatchObject({ reason: 'STALE_PLAN' });
  expect((await sums(made)).totals).toBeUndefined();
});
