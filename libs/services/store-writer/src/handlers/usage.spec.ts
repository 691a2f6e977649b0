/** What runs used, reported to the owner: counted once, priced as configured, kept whatever becomes of the session. */
import { mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import {
  ApplyMaintenanceRequest, FailCompactionRequest, GetEntryRequest, InstallCompactionRequest, MaintenanceAction, ReadUsageRequest, RecordUsageRequest, RequestCompactionRequest,
  StoreServiceDeleteSessionRequest, StoreServiceResetSessionRequest, TokenUsage, TruncateTranscriptRequest,
} from '@sessions/contracts';
import { KEY, bench, cleanUpBenches, newStateDir, restart, sessionsDir, telegram, type Bench } from '../testing/writer-bench';

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

it('does not take the price of half of what a run took for the price of the whole', async () => {
  const made = await bench({ config: { models: { providers: { openai: { models: [{ id: 'half', cost: { input: 1.25 } }, { id: 'gpt-5', cost: { input: 1.25, output: 10 } }] } } } } });
  await made.client.deliver(telegram('hello'));
  expect((await report(made, 'run-1', usage({ model: 'half' }))).totals).toMatchObject({ costUsd: undefined, costs: undefined, unpricedCount: 1 });
  expect((await report(made, 'run-2', usage({ outputTokens: 0, uncounted: true }))).totals).toMatchObject({ costUsd: undefined, unpricedCount: 2 });
  expect(await entryOf(made)).not.toHaveProperty('estimatedCostUsd');
  // Who knows what it cost, knows it without counts.
  expect((await report(made, 'run-3', usage({ outputTokens: 0, uncounted: true, costUsd: 0.5 }))).totals).toMatchObject({ costUsd: 0.5, unpricedCount: 2 });
});

it('tells what a cost is made of, by kind of token, and not where a run told the whole alone', async () => {
  const made = await bench({ config });
  await made.client.deliver(telegram('hello'));
  const priced = usage({ cacheReadTokens: 8000, cacheWriteTokens: 50 });
  expect((await report(made, 'run-1', priced)).totals).toMatchObject({ costUsd: 0.00325, costs: { inputUsd: 0.00125, outputUsd: 0.001, cacheReadUsd: 0.001, cacheWriteUsd: 0 } });
  expect((await sums(made)).modelDays).toMatchObject([{ usage: { model: 'gpt-5', modelProvider: 'openai', runCount: 1, costUsd: 0.00325 } }]);
  expect((await report(made, 'run-2', usage({ costUsd: 1 }))).totals).toMatchObject({ costUsd: 1.00325, costs: undefined });
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

it('keeps what was spent through summaries, truncation, clean-up and retention, to the cent', async () => {
  const stateDir = newStateDir();
  const dir = sessionsDir(stateDir);
  const old = 'agent:main:explicit:old';
  const archive = 's-gone.jsonl.deleted.2026-01-01T00-00-00.000Z';
  const longAgoMs = Date.now() - 40 * 24 * 60 * 60_000;
  mkdirSync(dir, { recursive: true });
  writeFileSync(path.join(dir, 'sessions.json'), JSON.stringify({ [old]: { sessionId: 's-old', updatedAt: longAgoMs } }));
  writeFileSync(path.join(dir, 's-old.jsonl'), '{"type":"session","version":3,"id":"s-old"}\n{"type":"message","id":"aaaaaaaa","parentId":null,"message":{"role":"user","content":"x"}}\n');
  writeFileSync(path.join(dir, archive), 'gone\n');
  utimesSync(path.join(dir, archive), new Date(longAgoMs), new Date(longAgoMs));
  let made = await bench({ config, stateDir });
  // Amounts whose sum in binary fractions is not exact: the cents are.
  const spent = [0.1, 0.2, 0.005, 1.1, 0.015];
  for (const [place, costUsd] of spent.entries()) await report(made, `run-${place}`, usage({ costUsd }), place % 2 === 0 ? { key: old } : {});
  for (let place = 0; place < 12; place += 1) await made.client.deliver(telegram(`m${place}`));
  const asked = await made.client.requestCompaction(RequestCompactionRequest.create({ agentId: 'main', key: KEY, reason: 'manual' }));
  // What the summary itself took is spent too.
  await made.client.installCompaction(InstallCompactionRequest.create({ agentId: 'main', operationId: asked.operationId, snapshotTipId: asked.snapshotTipId, summary: 's', tokensBefore: 900, tokensAfter: 90, usage: [usage({ costUsd: 0.25 })] }));
  await made.client.truncateTranscript(TruncateTranscriptRequest.create({ agentId: 'main', key: KEY, maxLines: 3 }));
  const size = statSync(path.join(dir, archive));
  const row = { kind: 'prune-stale', key: old, expectedSessionId: 's-old', expectedUpdatedAtMs: longAgoMs };
  const file = { kind: 'unlink-archive', file: archive, expectedSizeBytes: size.size, expectedMtimeMs: Math.floor(size.mtimeMs) };
  const { results } = await made.client.applyMaintenance(ApplyMaintenanceRequest.create({ agentId: 'main', planId: 'p', batch: 1, actions: [row, file].map((action) => MaintenanceAction.create(action)) }));
  expect(results.map(({ outcome, reason }) => reason ?? outcome)).toEqual(['done', 'done']);
  made = await restart(made, { config });
  const { totals, sessions } = await sums(made);
  await made.stop();
  const cents = (costs: readonly number[]): number => Math.round(100 * costs.reduce((sum, cost) => sum + cost, 0));
  const lines = ledger(made).map(({ costUsd }) => Number(costUsd));
  expect(lines.toSorted()).toEqual([...spent, 0.25].toSorted());
  expect(cents([totals?.costUsd ?? NaN])).toBe(cents(lines));
  expect(cents(sessions.map(({ usage: used }) => used?.costUsd ?? NaN))).toBe(cents(lines));
  expect(sessions.map(({ key }) => key).toSorted()).toEqual([old, KEY].toSorted());
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
