/**
 * 500 lines are cut to 50 while 100 more are appended, and the owner is killed somewhere in between: each
 * of the 600 is there, once in each file that has it, in order. `SEEDS=300` tries as many moments,
 * `SEED_FROM=200` begins with another one.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { KEY, bench, cleanUpBenches, history, sessionsDir, type Bench } from '../testing/writer-bench';
import { appendNumbered } from '../testing/numbered-lines';
import type { TruncatingTask } from '../testing/truncating-writer';

cleanUpBenches();

const SEEDS = Number(process.env['SEEDS'] ?? 4);
const SEED_FROM = Number(process.env['SEED_FROM'] ?? 0);
/** Acknowledged lines that are sent again: they count once. */
const SENT_AGAIN = 5;
const SEED_MS_MAX = 60_000;
const VICTIM = path.resolve(__dirname, '../../dist/testing/truncating-writer.js');
const ID = '0190aaaa-0000-7000-8000-000000000001';
const OLD = 500;
const ALL = 600;
const KEPT = 50;

/** A whole number below `limit`, of the seed and nothing else. */
function pick(seed: number, step: number, limit: number): number {
  let state = Math.imul(seed + 1, 2_654_435_761) ^ Math.imul(step + 1, 40_503);
  state = Math.imul(state ^ (state >>> 15), 2_246_822_519);
  return ((state ^ (state >>> 13)) >>> 0) % limit;
}

function plant(): string {
  const stateDir = mkdtempSync(path.join(tmpdir(), 'cut-'));
  const dir = sessionsDir(stateDir);
  mkdirSync(dir, { recursive: true });
  const id = (number: number): string => (number + 1).toString(16).padStart(8, '0');
  const lines = Array.from({ length: OLD }, (_, number) =>
    JSON.stringify({ type: 'message', id: id(number), parentId: number === 0 ? null : id(number - 1), timestamp: '2026-06-01T09:00:00.000Z', message: { role: number % 2 === 0 ? 'user' : 'assistant', content: [{ type: 'text', text: `n${String(number)}.` }], timestamp: 1 } }),
  );
  const header = JSON.stringify({ type: 'session', version: 3, id: ID, timestamp: '2026-06-01T09:00:00.000Z', cwd: '/' });
  writeFileSync(path.join(dir, `${ID}.jsonl`), `${[header, ...lines].join('\n')}\n`);
  writeFileSync(path.join(dir, 'sessions.json'), JSON.stringify({ [KEY]: { sessionId: ID, updatedAt: 1 } }, null, 2));
  return stateDir;
}

/** Runs the owner and kills it at a moment of the seed's: at one of the steps, and some time after. */
async function killAmid(stateDir: string, seed: number): Promise<{ acknowledged: number; finished: boolean; output: string }> {
  const task: TruncatingTask = { stateDir, key: KEY, sessionId: ID, from: OLD, to: ALL, cutAfter: OLD + 10 + pick(seed, 1, 60), maxLines: KEPT };
  // Most of the moments are around the cut.
  const at = ['cutting', 'cutting', 'cutting', 'cut', `ack ${String(OLD + pick(seed, 2, 99))}`][pick(seed, 3, 5)] as string;
  const afterMs = pick(seed, 4, 40);
  const child = spawn(process.execPath, [VICTIM, JSON.stringify(task)], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let isDoomed = false;
  const late = setTimeout(() => child.kill('SIGKILL'), SEED_MS_MAX);
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (isDoomed || !output.split('\n').includes(at)) return;
      isDoomed = true;
      setTimeout(() => child.kill('SIGKILL'), afterMs);
    });
  }
  await new Promise((resolve) => child.once('close', resolve));
  clearTimeout(late);
  return { acknowledged: (output.match(/^ack /gmu) ?? []).length, finished: output.includes('done'), output };
}

const numbersIn = (file: string): number[] => readFileSync(file, 'utf8').split('\n').flatMap((line) => Array.from(/"text":"n(\d+)\."/u.exec(line)?.slice(1, 2) ?? []).map(Number));

function check(stateDir: string): { cuts: number } {
  const dir = sessionsDir(stateDir);
  const live = path.join(dir, `${ID}.jsonl`);
  const archives = readdirSync(dir).filter((name) => name.startsWith(`${ID}.jsonl.`) && !name.endsWith('.lock'));
  const found = new Set<number>();
  for (const file of [live, ...archives.map((name) => path.join(dir, name))]) {
    const numbers = numbersIn(file);
    // Once each, and in order.
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    for (const number of numbers) found.add(number);
  }
  expect([...found].sort((a, b) => a - b)).toEqual(Array.from({ length: ALL }, (_, number) => number));
  // What is live is the newest of it, without a gap, and a tree.
  const kept = numbersIn(live);
  expect(kept).toEqual(Array.from({ length: kept.length }, (_, at) => ALL - kept.length + at));
  const records = readFileSync(live, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as { type: string; id: string; parentId?: string | null });
  expect(records[0]).toMatchObject({ type: 'session' });
  for (const [at, { parentId }] of records.slice(1).entries()) expect(parentId).toBe(at === 0 ? null : records[at]?.id);
  if (archives.length === 0) expect(kept.length).toBe(ALL);
  // The header counts; at least ten of the new ones were there when it was cut.
  else expect(kept.length).toBeLessThanOrEqual(KEPT - 1 + ALL - OLD - 10);
  return { cuts: archives.length };
}

it(`loses no line and doubles none, at ${String(SEEDS)} moments of a cut`, async () => {
  let cuts = 0;
  let killed = 0;
  for (let seed = SEED_FROM; seed < SEED_FROM + SEEDS; seed += 1) {
    const stateDir = plant();
    try {
      const { finished, acknowledged, output } = await killAmid(stateDir, seed);
      if (!output.includes('ready')) throw new Error(`the owner did not start: ${output}`);
      killed += finished ? 0 : 1;
      const made: Bench = await bench({ stateDir });
      // What has no answer is sent again under its key, and some of what has: they count once.
      for (let number = OLD + Math.max(0, acknowledged - SENT_AGAIN); number < ALL; number += 1) await appendNumbered(made.client, { key: KEY, sessionId: ID, number });
      await history(made);
      await made.stop();
      const found = check(stateDir);
      cuts += found.cuts;
      expect(acknowledged).toBeLessThanOrEqual(ALL - OLD);
    } catch (error) {
      throw new Error(`seed ${String(seed)}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    } finally {
      rmSync(stateDir, { recursive: true, force: true });
    }
  }
  process.stderr.write(`${String(SEEDS)} seeds: ${String(killed)} killed before their end, ${String(cuts)} cuts done\n`);
  expect(killed).toBeGreaterThan(0);
  // Some of the moments come after the cut: without one nothing was tried.
  expect(cuts).toBeGreaterThan(0);
}, SEEDS * SEED_MS_MAX);
