/**
 * Turns under `kill -9`: between any two steps, before and after each answer, at random moments. After
 * each restart every message that was accepted has one run, every run ends once with a stated outcome,
 * each answer is offered until it is acknowledged, and no message stands in a transcript twice.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { AppendRecordsRequest, BeginTurnRequest, DeliveryResult, FinishTurnRequest, GetRunRequest, ListPendingRequest, StoreServiceAckDeliveryRequest } from '@sessions/contracts';
import type { RunState } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import { MODEL_CONFIG, keyOf, messageOf, type CrashRunsConfig, type CrashStep } from './testing/crash-runs';
import { bench, cleanUpBenches, history, type Bench } from './testing/writer-bench';

cleanUpBenches();
jest.setTimeout(300_000);

/** The process runs what was built: a bundle of the sources would not have its worker beside it. */
const PROCESS = path.join(__dirname, '../dist/testing/crash-runs.js');
const KEYS = 3;
const MESSAGES = 12;
const RUN_MS_MAX = 90_000;

function run(config: CrashRunsConfig, killAfterMs?: number): Promise<{ signal: NodeJS.Signals | null; code: number | null; errors: string }> {
  const child = spawn(process.execPath, [PROCESS, JSON.stringify(config)], { stdio: ['ignore', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (data: Buffer) => (errors += data.toString('utf8')));
  const limit = setTimeout(() => child.kill('SIGKILL'), RUN_MS_MAX);
  if (killAfterMs !== undefined) child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), killAfterMs));
  return new Promise((resolve) =>
    child.on('close', (code, signal) => {
      clearTimeout(limit);
      resolve({ code, signal, errors });
    }),
  );
}

function stepsOf(file: string): CrashStep[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as CrashStep);
}

/** What was answered is there; what was not is there once or not at all. */
async function check(made: Bench, steps: readonly CrashStep[]): Promise<void> {
  const done = (step: CrashStep['step']): CrashStep[] => steps.filter((one) => one.step === step);
  for (const { runId } of done('deliver')) {
    const { run: state } = await made.client.getRun(GetRunRequest.create({ agentId: 'main', runId }));
    expect({ runId, state: state?.state }).toEqual({ runId, state: expect.stringMatching(/^(?:queued|running|ended)$/u) as string });
  }
  for (const { runId } of done('finish')) expect((await made.client.getRun(GetRunRequest.create({ agentId: 'main', runId }))).run).toMatchObject({ state: 'ended', outcome: 'ok', text: `answer to ${runId}.` });
  const { deliveries } = await made.client.listPending(ListPendingRequest.create({ agentId: 'main', kinds: ['delivery'], limit: 1_000 }));
  const open = new Set(deliveries.map(({ deliveryId }) => deliveryId));
  const acked = new Set(done('ack').map(({ deliveryId }) => deliveryId));
  expect(deliveries.filter(({ deliveryId }) => acked.has(deliveryId))).toEqual([]);
  expect(open.size).toBe(deliveries.length);
  // An acknowledgement may have been durable without an answer.
  const lost = done('finish').filter(({ deliveryId = '' }) => !acked.has(deliveryId) && !open.has(deliveryId));
  expect(lost.length).toBeLessThanOrEqual(KEYS);
  for (const { deliveryId = '' } of lost) expect(await made.client.ackDelivery(StoreServiceAckDeliveryRequest.create({ agentId: 'main', deliveryId, result: DeliveryResult.create({ ok: true }) }))).toMatchObject({ state: 'delivered' });
}

async function finishOne(made: Bench, { runId, attempt = 1, sessionKey }: RunState): Promise<void> {
  const begun = await made.client.beginTurn(BeginTurnRequest.create({ agentId: 'main', runId, runnerId: 'runner/crash', attempt }));
  const has = (await history(made, { by: { $case: 'key', value: sessionKey } })).texts.includes(`answer to ${runId}.`);
  const message = { role: 'assistant', content: [{ type: 'text', text: `answer to ${runId}.` }] };
  if (!has) await made.client.appendRecords(AppendRecordsRequest.create({ agentId: 'main', key: sessionKey, sessionId: begun.sessionId, runId, attempt, lines: [Buffer.from(JSON.stringify({ type: 'message', message }))] }));
  await made.client.finishTurn(FinishTurnRequest.create({ agentId: 'main', runId, attempt, outcome: 'ok', text: `answer to ${runId}.` }));
}

function ignoreSuperseded(error: unknown): void {
  if (!(error instanceof SessionError) || error.reason !== 'STALE_PLAN') throw error;
}

/** Works on what is left until nothing is, as a runner and an adapter would. */
async function finishAll(made: Bench, steps: readonly CrashStep[]): Promise<void> {
  // Whoever got no answer asks again under the same key.
  for (const { runId, key } of steps.filter(({ step }) => step === 'sent')) {
    const peer = Number(key.split(':').at(-1));
    const again = await made.client.deliver(messageOf(runId, peer), { idempotencyKey: `telegram/${runId}` });
    expect(again.runId).toBe(runId);
  }
  for (;;) {
    const { turns } = await made.client.listPending(ListPendingRequest.create({ agentId: 'main', kinds: ['turn'] }));
    if (turns.length === 0) break;
    for (const { run: state } of turns.filter((turn) => turn.run?.position === undefined)) {
      // Nobody answers for these runs, so an attempt may be given to the next one meanwhile: looked at again then.
      if (state !== undefined) await finishOne(made, state).catch(ignoreSuperseded);
    }
  }
  const runIds = [...new Set(steps.map(({ runId }) => runId))];
  for (const runId of runIds) expect((await made.client.getRun(GetRunRequest.create({ agentId: 'main', runId }))).run).toMatchObject({ state: 'ended', outcome: 'ok' });
  for (let peer = 0; peer < KEYS; peer += 1) {
    const { texts } = await history(made, { by: { $case: 'key', value: keyOf(peer) } });
    expect(new Set(texts).size).toBe(texts.length);
    const own = [...new Set(steps.filter(({ key }) => key === keyOf(peer)).map(({ runId }) => runId))];
    const said = texts.filter((text) => text.startsWith('text of'));
    expect([...said].sort()).toEqual(own.map((runId) => `text of ${runId}.`).sort());
    // In the order in which they were taken in; what got no answer may have come with its repetition only.
    const taken = new Set(steps.filter(({ step }) => step === 'deliver').map(({ runId }) => `text of ${runId}.`));
    expect(said.filter((text) => taken.has(text))).toEqual(own.map((runId) => `text of ${runId}.`).filter((text) => taken.has(text)));
    expect(texts.filter((text) => text.startsWith('answer')).sort()).toEqual(own.map((runId) => `answer to ${runId}.`).sort());
  }
  const { deliveries } = await made.client.listPending(ListPendingRequest.create({ agentId: 'main', kinds: ['delivery'], limit: 1_000 }));
  for (const { deliveryId } of deliveries) await made.client.ackDelivery(StoreServiceAckDeliveryRequest.create({ agentId: 'main', deliveryId, result: DeliveryResult.create({ ok: true }) }));
  expect((await made.client.listPending(ListPendingRequest.create({ agentId: 'main' })))).toMatchObject({ turns: [], deliveries: [] });
}

interface Scene {
  readonly stateDir: string;
  readonly historyFile: string;
}

async function inScene(work: (scene: Scene) => Promise<void>): Promise<void> {
  const stateDir = mkdtempSync(path.join(tmpdir(), 'runs-crash-'));
  try {
    await work({ stateDir, historyFile: path.join(stateDir, 'history.jsonl') });
  } finally {
    rmSync(stateDir, { recursive: true, force: true });
  }
}

async function verify({ stateDir, historyFile }: Scene): Promise<void> {
  const steps = stepsOf(historyFile);
  const made = await bench({ stateDir, config: MODEL_CONFIG });
  await check(made, steps);
  await finishAll(made, steps);
  await made.stop();
}

it('does all of it undisturbed', () =>
  inScene(async (scene) => {
    expect(await run({ ...scene, from: 0, messages: MESSAGES, keys: KEYS })).toMatchObject({ code: 0, errors: '' });
    expect(stepsOf(scene.historyFile).filter(({ step }) => step === 'deliver')).toHaveLength(MESSAGES);
    await verify(scene);
  }));

// One key: the order of the calls is always the same, so that each of the five steps is met twice.
const DEATHS = [...Array.from({ length: 11 }, (_, at) => [at + 1, 0] as const), ...[1, 2, 3, 4, 5].map((at) => [at, 4] as const)];
it.each(DEATHS)('killed with call %d of a session, %d ms later', (dieAtCall, dieAfterMs) =>
  inScene(async (scene) => {
    const { signal } = await run({ ...scene, from: 1, messages: 4, keys: 1, dieAtCall, dieAfterMs });
    // Four milliseconds may be enough for all that is left.
    if (dieAfterMs === 0) expect(signal).toBe('SIGKILL');
    await verify(scene);
  }),
);

it('killed at random moments, again and again, on one store', () =>
  inScene(async (scene) => {
    let from = 0;
    for (const killAfterMs of [15, 60, 140]) {
      await run({ ...scene, from, messages: MESSAGES, keys: KEYS }, killAfterMs);
      from += MESSAGES;
    }
    await verify(scene);
  }));
