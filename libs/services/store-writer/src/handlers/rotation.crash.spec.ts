/**
 * A compaction goes on in a transcript of its own, and the owner dies by `kill -9` meanwhile: at a call
 * that changes its disk, half-way through a write, or at a moment while lines come in for the transcript
 * before. No line is gone, none is there twice, and the entry names a file that is whole.
 * `ROTATION_KILLS=all` dies at every step, `SEEDS=300` at as many moments, `SEED_FROM=200` begins with another.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { GetEntryRequest, RequestCompactionRequest, StoreServiceRestoreSessionRequest } from '@sessions/contracts';
import { verifyStore } from '@sessions/store';
import { appendNumbered } from '../testing/numbered-lines';
import { ROTATING_CONFIG, installPending, type RotatingTask } from '../testing/rotating-writer';
import { KEY, bench, cleanUpBenches, history, restart, sessionsDir, type Bench } from '../testing/writer-bench';

cleanUpBenches();

const KILLS = process.env['ROTATION_KILLS'] ?? '4';
const SEEDS = Number(process.env['SEEDS'] ?? 4);
const SEED_FROM = Number(process.env['SEED_FROM'] ?? 0);
const RUN_MS_MAX = 60_000;
const STEPS_TIMEOUT_MS = KILLS === 'all' ? 60 * 60_000 : 10 * 60_000;
const VICTIM = path.resolve(__dirname, '../../dist/testing/rotating-writer.js');
const ID = '0190aaaa-0000-7000-8000-000000000001';
const OLD = 200;
const ALL = 260;
/** First number that the summary does not stand for. */
const KEPT_FROM = 180;
const SENT_AGAIN = 5;

const idOf = (number: number): string => (number + 1).toString(16).padStart(8, '0');

/** A store whose session waits for a compaction of all that stands in it. */
async function plant(): Promise<string> {
  const stateDir = mkdtempSync(path.join(tmpdir(), 'rotate-'));
  const dir = sessionsDir(stateDir);
  mkdirSync(dir, { recursive: true });
  const lines = Array.from({ length: OLD }, (_, number) =>
    JSON.stringify({ type: 'message', id: idOf(number), parentId: number === 0 ? null : idOf(number - 1), timestamp: '2026-06-01T09:00:00.000Z', message: { role: number % 2 === 0 ? 'user' : 'assistant', content: [{ type: 'text', text: `n${String(number)}.` }], timestamp: 1 } }),
  );
  const header = JSON.stringify({ type: 'session', version: 3, id: ID, timestamp: '2026-06-01T09:00:00.000Z', cwd: '/there' });
  writeFileSync(path.join(dir, `${ID}.jsonl`), `${[header, ...lines].join('\n')}\n`);
  writeFileSync(path.join(dir, 'sessions.json'), JSON.stringify({ [KEY]: { sessionId: ID, updatedAt: Date.now(), label: 'Kept' } }, null, 2));
  const made = await bench({ stateDir, config: ROTATING_CONFIG });
  await made.client.requestCompaction(RequestCompactionRequest.create({ agentId: 'main', key: KEY, reason: 'manual' }));
  await made.stop();
  return stateDir;
}

async function inCopy<T>(base: string, work: (stateDir: string) => Promise<T>): Promise<T> {
  const stateDir = mkdtempSync(path.join(tmpdir(), 'rotate-'));
  try {
    cpSync(base, stateDir, { recursive: true, preserveTimestamps: true });
    return await work(stateDir);
  } finally {
    rmSync(stateDir, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** @param doomed tells by the output when, in milliseconds from then, it is killed; undefined: not yet. */
async function runVictim(task: RotatingTask, doomed: (output: string) => number | undefined = () => undefined): Promise<{ readonly signal: NodeJS.Signals | null; readonly output: string; readonly acknowledged: number }> {
  const child = spawn(process.execPath, [VICTIM, JSON.stringify(task)], { stdio: ['ignore', 'pipe', 'pipe'] });
  const late = setTimeout(() => child.kill('SIGTERM'), RUN_MS_MAX);
  let output = '';
  let isDoomed = false;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      const afterMs = isDoomed ? undefined : doomed(output);
      if (afterMs === undefined) return;
      isDoomed = true;
      setTimeout(() => child.kill('SIGKILL'), afterMs);
    });
  }
  const signal = await new Promise<NodeJS.Signals | null>((resolve) => child.once('close', (_code, by) => resolve(by)));
  clearTimeout(late);
  if (!output.includes('ready')) throw new Error(`the owner did not start: ${output}`);
  return { signal, output, acknowledged: (output.match(/^ack /gmu) ?? []).length };
}

const entryOf = async (made: Bench): Promise<Record<string, unknown>> =>
  JSON.parse((await made.client.getEntry(GetEntryRequest.create({ agentId: 'main', by: { $case: 'key', value: KEY } }))).entryJson.toString('utf8')) as Record<string, unknown>;
const numbersIn = (file: string): number[] => readFileSync(file, 'utf8').split('\n').flatMap((line) => Array.from(/"text":"n(\d+)\."/u.exec(line)?.slice(1, 2) ?? []).map(Number));
const upFrom = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, at) => from + at);

/** The present transcript is whole, whichever it is, and both together have each line of the conversation. */
async function expectWhole(made: Bench, to: number): Promise<boolean> {
  await history(made);
  const dir = sessionsDir(made.stateDir);
  const entry = await entryOf(made);
  const isRotated = entry['sessionId'] !== ID;
  expect(entry).toMatchObject({ label: 'Kept', ...(isRotated ? { compactionCount: 1, usageFamilySessionIds: [ID, entry['sessionId']] } : {}) });
  const file = typeof entry['sessionFile'] === 'string' ? entry['sessionFile'] : `${ID}.jsonl`;
  expect(file.includes(String(entry['sessionId']))).toBe(true);
  const live = numbersIn(path.join(dir, file));
  const before = numbersIn(path.join(dir, `${ID}.jsonl`));
  expect(before).toEqual(upFrom(0, before.length));
  expect(live).toEqual(upFrom(isRotated ? KEPT_FROM : 0, to));
  expect((await history(made)).texts).toEqual(live.map((number) => `n${String(number)}.`));
  const transcripts = readdirSync(dir).filter((name) => name.endsWith('.jsonl'));
  expect(transcripts.sort()).toEqual([...new Set([`${ID}.jsonl`, file])].sort());
  expect(entry['pendingCompaction'] === undefined).toBe(isRotated);
  if (!isRotated) return false;
  const records = readFileSync(path.join(dir, file), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as { type: string; id: string; parentId?: string | null });
  expect(records[0]).toMatchObject({ type: 'session', id: entry['sessionId'], parentSession: ID, cwd: '/there' });
  expect(records.filter(({ type }) => type === 'compaction')).toHaveLength(1);
  for (const [at, { parentId }] of records.slice(1).entries()) expect(parentId).toBe(at === 0 ? null : records[at]?.id);
  return true;
}

async function expectSound(made: Bench): Promise<void> {
  const { findings } = await verifyStore('main', path.join(sessionsDir(made.stateDir), 'sessions.json'), { nowMs: Date.now });
  expect(findings).toEqual([]);
  expect(readdirSync(path.join(sessionsDir(made.stateDir), '.store')).filter((name) => name.startsWith('staged'))).toEqual([]);
}

function stepsOf(count: number): number[] {
  const wanted = KILLS === 'all' ? count : Math.min(count, Number(KILLS));
  return Array.from({ length: wanted }, (_, at) => 1 + Math.floor((at * count) / wanted));
}

const taskOf = (stateDir: string, more: Partial<RotatingTask>): RotatingTask => ({ stateDir, key: KEY, sessionId: ID, from: OLD, to: ALL, installAfter: OLD, cutId: idOf(KEPT_FROM), dieAt: 0, ...more });

it('is as before or as after, whatever step the owner dies at', async () => {
  const base = await plant();
  try {
    const task = (stateDir: string, dieAt: number): RotatingTask => taskOf(stateDir, { to: OLD, dieAt });
    const whole = await inCopy(base, (stateDir) => runVictim(task(stateDir, 0)));
    const count = Number(/^steps (\d+)$/mu.exec(whole.output)?.[1]);
    if (!(count > 0)) throw new Error(`the owner did not end: ${whole.output}`);
    let killed = 0;
    let after = 0;
    for (const step of stepsOf(count)) {
      await inCopy(base, async (stateDir) => {
        const { signal } = await runVictim(task(stateDir, step));
        if (signal === 'SIGKILL') killed += 1;
        let made = await bench({ stateDir, config: ROTATING_CONFIG });
        if (await expectWhole(made, OLD)) after += 1;
        // A worker goes on with what is still open.
        await installPending(made.client, idOf(KEPT_FROM));
        expect(await expectWhole(made, OLD)).toBe(true);
        made = await restart(made, { config: ROTATING_CONFIG });
        expect(await expectWhole(made, OLD)).toBe(true);
        await appendNumbered(made.client, { key: KEY, sessionId: ID, number: OLD });
        expect(await expectWhole(made, OLD + 1)).toBe(true);
        const checkpointId = ((await entryOf(made))['compactionCheckpoints'] as { checkpointId: string }[])[0]?.checkpointId ?? '';
        made = await restart(made, { config: ROTATING_CONFIG });
        await expectSound(made);
        await made.client.restoreSession(StoreServiceRestoreSessionRequest.create({ agentId: 'main', key: KEY, checkpointId }));
        expect((await history(made)).texts).toEqual(upFrom(0, OLD).map((number) => `n${String(number)}.`));
        await made.stop();
      }).catch((error: unknown) => {
        throw new Error(`step ${String(step)} of ${String(count)}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
      });
    }
    process.stderr.write(`rotation: ${String(killed)} kills over ${String(count)} steps, ${String(after)} of them after the record\n`);
    expect(killed).toBeGreaterThan(0);
  } finally {
    rmSync(base, { recursive: true, force: true, maxRetries: 3 });
  }
}, STEPS_TIMEOUT_MS);

/** A whole number below `limit`, of the seed and nothing else. */
function pick(seed: number, step: number, limit: number): number {
  let state = Math.imul(seed + 1, 2_654_435_761) ^ Math.imul(step + 1, 40_503);
  state = Math.imul(state ^ (state >>> 15), 2_246_822_519);
  return ((state ^ (state >>> 13)) >>> 0) % limit;
}

it(`loses no line that comes for the transcript before, and doubles none, at ${String(SEEDS)} moments`, async () => {
  const base = await plant();
  let killed = 0;
  let after = 0;
  try {
    for (let seed = SEED_FROM; seed < SEED_FROM + SEEDS; seed += 1) {
      await inCopy(base, async (stateDir) => {
        const at = ['installing', 'installing', 'installed', `ack ${String(OLD + pick(seed, 2, ALL - OLD - 1))}`][pick(seed, 3, 4)] as string;
        const task = taskOf(stateDir, { installAfter: OLD + 5 + pick(seed, 1, 40) });
        const { acknowledged, signal } = await runVictim(task, (output) => (output.split('\n').includes(at) ? pick(seed, 4, 30) : undefined));
        killed += signal === 'SIGKILL' ? 1 : 0;
        let made = await bench({ stateDir, config: ROTATING_CONFIG });
        // What has no answer is sent again under its key, and some of what has: they count once.
        for (let number = OLD + Math.max(0, acknowledged - SENT_AGAIN); number < ALL; number += 1) await appendNumbered(made.client, { key: KEY, sessionId: ID, number });
        if (await expectWhole(made, ALL)) after += 1;
        await installPending(made.client, idOf(KEPT_FROM));
        expect(await expectWhole(made, ALL)).toBe(true);
        made = await restart(made, { config: ROTATING_CONFIG });
        await expectSound(made);
        await made.stop();
      }).catch((error: unknown) => {
        throw new Error(`seed ${String(seed)}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
      });
    }
    process.stderr.write(`${String(SEEDS)} seeds: ${String(killed)} killed before their end, ${String(after)} after the record\n`);
    expect(killed).toBeGreaterThan(0);
  } finally {
    rmSync(base, { recursive: true, force: true, maxRetries: 3 });
  }
}, SEEDS * RUN_MS_MAX + STEPS_TIMEOUT_MS);
