/**
 * An owner dies by `kill -9` at a step of a reset, a clear, a deletion, a clean-up and a restore: at any
 * call that changes its disk, and half-way through a write. No line is gone that is not in an archive, the
 * session is as before or as after, and the request that had no answer ends as it would have.
 * `LIFECYCLE_KILLS=all` dies at every step; a number at so many of each operation, spread evenly.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { GetEntryRequest, StoreServiceRestoreSessionRequest } from '@sessions/contracts';
import { OPERATIONS, VICTIM_KEY, perform, type LifecycleOperation, type LifecycleTask } from '../testing/lifecycle-writer';
import { bench, cleanUpBenches, restart, sessionsDir, type Bench } from '../testing/writer-bench';

cleanUpBenches();

const KILLS = process.env['LIFECYCLE_KILLS'] ?? '2';
const VICTIM = path.resolve(__dirname, '../../dist/testing/lifecycle-writer.js');
const RUN_MS_MAX = 60_000;
const TIMEOUT_MS = KILLS === 'all' ? 60 * 60_000 : 10 * 60_000;
const DAY_MS = 86_400_000;
const [ID, OLD_ID, ORPHAN_ID] = ['0190aaaa-0000-7000-8000-000000000001', '0190aaaa-0000-7000-8000-000000000002', '0190aaaa-0000-7000-8000-000000000003'];
const OLD_KEY = 'agent:main:explicit:old';
const EXPIRED = 'x.jsonl.deleted.2026-01-01T00-00-00.000Z';

const transcript = (id: string, count: number): string =>
  [{ type: 'session', version: 3, id }, ...Array.from({ length: count }, (_, at) => ({ type: 'message', id: `0000000${String(at)}`, parentId: at === 0 ? null : `0000000${String(at - 1)}`, message: { role: at % 2 === 0 ? 'user' : 'assistant', content: [{ type: 'text', text: `${id} ${String(at)}` }] } }))]
    .map((record) => `${JSON.stringify(record)}\n`)
    .join('');

/** What stood in the store before: nothing of it may be lost. */
const CONTENTS: Readonly<Record<string, string>> = { [`${ID}.jsonl`]: transcript(ID, 6), [`${ID}.trajectory.jsonl`]: '{"type":"session.started"}\n', [`${OLD_ID}.jsonl`]: transcript(OLD_ID, 4), [`${ORPHAN_ID}.jsonl`]: transcript(ORPHAN_ID, 2) };

function plant(): string {
  const stateDir = mkdtempSync(path.join(tmpdir(), 'lifecycle-'));
  const dir = sessionsDir(stateDir);
  mkdirSync(dir, { recursive: true });
  for (const [name, text] of Object.entries(CONTENTS)) writeFileSync(path.join(dir, name), text);
  writeFileSync(path.join(dir, EXPIRED), 'past its retention\n');
  for (const name of [EXPIRED, `${ORPHAN_ID}.jsonl`]) utimesSync(path.join(dir, name), new Date(Date.now() - 90 * DAY_MS), new Date(Date.now() - 90 * DAY_MS));
  writeFileSync(path.join(dir, 'sessions.json'), JSON.stringify({ [VICTIM_KEY]: { sessionId: ID, updatedAt: Date.now(), label: 'Kept', modelOverride: 'm' }, [OLD_KEY]: { sessionId: OLD_ID, updatedAt: 1_700_000_000_000 } }, null, 2));
  return stateDir;
}

function taskOf(stateDir: string, operation: LifecycleOperation, dieAt: number): LifecycleTask {
  const dir = sessionsDir(stateDir);
  const about = (file: string) => ({ file, expectedSizeBytes: statSync(path.join(dir, file)).size, expectedMtimeMs: Math.floor(statSync(path.join(dir, file)).mtimeMs) });
  const actions = operation !== 'cleanup' ? [] : [
    { kind: 'prune-stale', key: OLD_KEY, expectedSessionId: OLD_ID, expectedUpdatedAtMs: 1_700_000_000_000 },
    { kind: 'archive-orphan', ...about(`${ORPHAN_ID}.jsonl`) },
    { kind: 'unlink-archive', ...about(EXPIRED) },
  ];
  return { stateDir, operation, dieAt, actions };
}

async function runVictim(task: LifecycleTask): Promise<{ readonly signal: NodeJS.Signals | null; readonly output: string }> {
  const child = spawn(process.execPath, [VICTIM, JSON.stringify(task)], { stdio: ['ignore', 'pipe', 'pipe'] });
  const late = setTimeout(() => child.kill('SIGTERM'), RUN_MS_MAX);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const signal = await new Promise<NodeJS.Signals | null>((resolve) => child.once('close', (_code, by) => resolve(by)));
  clearTimeout(late);
  return { signal, output };
}

/** Contents of every file whose name begins with one that stood before. */
function contentsOf(dir: string): string[] {
  return readdirSync(dir).filter((name) => name.endsWith('.jsonl') || /\.jsonl\.(?:reset|deleted|bak)\./.test(name)).map((name) => readFileSync(path.join(dir, name), 'utf8'));
}

const entryOf = async (made: Bench): Promise<Record<string, unknown> | undefined> =>
  made.client.getEntry(GetEntryRequest.create({ agentId: 'main', by: { $case: 'key', value: VICTIM_KEY } })).then(
    ({ entryJson }) => (entryJson.length === 0 ? undefined : (JSON.parse(entryJson.toString('utf8')) as Record<string, unknown>)),
    () => undefined,
  );

/** The session as the operation found it, or as it leaves it; nothing between. */
function expectWhole(operation: LifecycleOperation, entry: Record<string, unknown> | undefined, isOver: boolean): void {
  const before = operation === 'restore' ? undefined : ID;
  const seen = entry?.['sessionId'];
  const isAfter = { reset: seen !== undefined && seen !== ID, clear: seen !== undefined && seen !== ID, delete: seen === undefined, cleanup: seen === ID, restore: seen === ID }[operation];
  expect([isAfter, seen === before && !isOver].some(Boolean)).toBe(true);
  if (entry !== undefined) expect(entry).toMatchObject({ label: 'Kept', modelOverride: 'm' });
}

function stepsOf(count: number): number[] {
  if (KILLS === 'all') return Array.from({ length: count }, (_, at) => at + 1);
  const wanted = Math.min(count, Number(KILLS));
  return Array.from({ length: wanted }, (_, at) => 1 + Math.floor((at * count) / wanted));
}

it.each(OPERATIONS)('a %s loses nothing, whatever step it dies at', async (operation) => {
  const base = plant();
  try {
    if (operation === 'restore') {
      const made = await bench({ stateDir: base });
      await perform(made.client, { operation: 'delete', actions: [] });
      await made.stop();
    }
    const inCopy = async <T>(work: (stateDir: string) => Promise<T>): Promise<T> => {
      const stateDir = mkdtempSync(path.join(tmpdir(), 'lifecycle-'));
      try {
        cpSync(base, stateDir, { recursive: true, preserveTimestamps: true });
        return await work(stateDir);
      } finally {
        rmSync(stateDir, { recursive: true, force: true, maxRetries: 3 });
      }
    };
    const whole = await inCopy((stateDir) => runVictim(taskOf(stateDir, operation, 0)));
    const count = Number(/^steps (\d+)$/mu.exec(whole.output)?.[1]);
    if (!(count > 0)) throw new Error(`the owner did not end: ${whole.output}`);
    let killed = 0;
    for (const step of stepsOf(count)) {
      await inCopy(async (stateDir) => {
        const task = taskOf(stateDir, operation, step);
        const { signal, output } = await runVictim(task);
        if (!output.includes('ready')) throw new Error(`the owner did not start: ${output}`);
        if (signal === 'SIGKILL') killed += 1;
        const dir = sessionsDir(stateDir);
        let made = await bench({ stateDir });
        expectWhole(operation, await entryOf(made), false);
        for (const [name, text] of Object.entries(CONTENTS)) expect([step, name, contentsOf(dir).includes(text)]).toEqual([step, name, true]);
        // Without an answer it is asked again, of an owner that may be another one.
        await perform(made.client, task);
        made = await restart(made);
        expectWhole(operation, await entryOf(made), true);
        for (const [name, text] of Object.entries(CONTENTS)) expect([step, name, contentsOf(dir).includes(text)]).toEqual([step, name, true]);
        if (operation !== 'restore') await made.client.restoreSession(StoreServiceRestoreSessionRequest.create({ agentId: 'main', key: operation === 'cleanup' ? OLD_KEY : VICTIM_KEY }));
        const back = operation === 'cleanup' ? OLD_ID : ID;
        expect(readFileSync(path.join(dir, `${back}.jsonl`), 'utf8')).toBe(CONTENTS[`${back}.jsonl`]);
        await made.stop();
      });
    }
    process.stderr.write(`${operation}: ${String(killed)} kills over ${String(count)} steps\n`);
    expect(killed).toBeGreaterThan(0);
  } finally {
    rmSync(base, { recursive: true, force: true, maxRetries: 3 });
  }
}, TIMEOUT_MS);
