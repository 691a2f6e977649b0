/**
 * A conversation of 1 508 tool calls whose process is killed between a call and its result, at each of
 * them: the next prompt is one that a provider takes, nothing in it is missing or twice, and the bytes
 * that the transcript had are the bytes that it has, with lines behind them. Every life is a process of its
 * own over the same files, every prompt what the model's server received, in both protocols by turns.
 *
 * By itself it tries deaths at some places of such a conversation; `KILLED_CALLS=1508` kills at each.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';
import { startModelServer, type AskedModel, type ModelServer } from '@sessions/llm/testing';
import type { AgentTask } from './agent-process';
import { KEY, SESSION_ID, TOOL } from './names';
import { readPrompt } from './read-prompt';

const CALLS = 1_508;
const WHOLE = process.env['KILLED_CALLS'];
const SEED = Number(process.env['KILLED_CALLS_SEED'] ?? 20_261_127);
/** A run is tried three times and then given up: four deaths have each kind of next prompt. */
const DEATHS_AT_A_PLACE = 4;
const LIFE_MS_MAX = 60_000;
const BUNDLES = path.resolve(__dirname, '../../dist/killed-calls');
const ROOT = path.resolve(__dirname, '../../../..');

/** A whole number below `limit`, of the seed and nothing else. */
function pick(step: number, limit: number): number {
  let state = Math.imul(SEED + 1, 2_654_435_761) ^ Math.imul(step + 1, 40_503);
  state = Math.imul(state ^ (state >>> 15), 2_246_822_519);
  return ((state ^ (state >>> 13)) >>> 0) % limit;
}

/** While the tool works, at once or some time after it began; or while its result is on its way into the transcript. */
function momentOf(death: number): { readonly answers: boolean; readonly afterMs: number } {
  return { answers: pick(death, 4) === 0, afterMs: pick(death + CALLS, 2) * pick(death + 2 * CALLS, 15) };
}

const callId = (number: number): string => `call_${String(number)}`;

/** One file that starts fast, with the store's threads beside it. */
function bundleAgent(): string {
  const script = `
    import { readFileSync } from 'node:fs';
    const { STORE_THREADS, bundle } = await import(${JSON.stringify(pathToFileURL(path.join(ROOT, 'tools/bundle.mjs')).href)});
    const { dependencies } = JSON.parse(readFileSync(${JSON.stringify(path.join(ROOT, 'package.json'))}, 'utf8'));
    for (const entry of [${JSON.stringify(path.join(__dirname, 'agent-process.ts'))}, ...STORE_THREADS]) await bundle(entry, ${JSON.stringify(BUNDLES)}, Object.keys(dependencies));`;
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return path.join(BUNDLES, 'agent-process.js');
}

/** A transcript with so many answered calls. */
function plant(callsCount: number): string {
  const stateDir = mkdtempSync(path.join(tmpdir(), 'killed-'));
  const dir = path.join(stateDir, 'agents', 'main', 'sessions');
  mkdirSync(dir, { recursive: true });
  if (callsCount === 0) return stateDir;
  const messages = [
    { role: 'user', content: [{ type: 'text', text: 'planted' }] },
    ...Array.from({ length: callsCount }, (_, number) => [
      { role: 'assistant', content: [{ type: 'toolCall', id: callId(number), name: TOOL, arguments: { number } }], stopReason: 'toolUse' },
      { role: 'toolResult', toolCallId: callId(number), toolName: TOOL, isError: false, content: [{ type: 'text', text: JSON.stringify({ status: 'ok', number }) }] },
    ]).flat(),
  ];
  const id = (at: number): string => (at + 1).toString(16).padStart(8, '0');
  const nowMs = Date.now();
  const timestamp = new Date(nowMs).toISOString();
  const lines = messages.map((message, at) => ({ type: 'message', id: id(at), parentId: at === 0 ? null : id(at - 1), timestamp, message }));
  writeFileSync(path.join(dir, `${SESSION_ID}.jsonl`), [{ type: 'session', version: 3, id: SESSION_ID, timestamp, cwd: '/' }, ...lines].map((line) => `${JSON.stringify(line)}\n`).join(''));
  writeFileSync(path.join(dir, 'sessions.json'), JSON.stringify({ [KEY]: { sessionId: SESSION_ID, updatedAt: nowMs, sessionStartedAt: nowMs, lastInteractionAt: nowMs } }, null, 2));
  return stateDir;
}

/** Looks at the one transcript of a store again and again: it only ever grows at its end. */
class OnlyGrows {
  readonly #dir: string;
  #before = Buffer.alloc(0);

  constructor(stateDir: string) {
    this.#dir = path.join(stateDir, 'agents', 'main', 'sessions');
  }

  look(): Buffer {
    const files = existsSync(this.#dir) ? readdirSync(this.#dir).filter((name) => name.includes('.jsonl') && !name.endsWith('.lock') && !name.includes('.trajectory')) : [];
    expect(files.length).toBeLessThanOrEqual(1);
    const now = files[0] === undefined ? Buffer.alloc(0) : readFileSync(path.join(this.#dir, files[0]));
    expect(now.length).toBeGreaterThanOrEqual(this.#before.length);
    expect(now.subarray(0, this.#before.length).equals(this.#before)).toBe(true);
    return (this.#before = now);
  }
}

interface Died {
  readonly deaths: number;
  readonly prompts: number;
  /** Calls whose result says that there is none; of the others the death came behind it. */
  readonly interrupted: number;
  /** Messages that were sent because the run before had been given up. */
  readonly messages: number;
  readonly bytes: number;
}

/** Lives and dies `deaths` times, each time at the next call. */
async function dieAtEach(program: string, place: number, deaths: number): Promise<Died> {
  const stateDir = plant(place);
  const grows = new OnlyGrows(stateDir);
  const faults: string[] = [];
  const said: string[] = place === 0 ? [] : ['planted'];
  let prompts = 0;
  let message = '';
  let hangFrom = place;
  let callsSeen = place;
  let interrupted: readonly number[] = [];
  const answer = (asked: AskedModel): ReturnType<ModelServer['answer']> => {
    const prompt = readPrompt(asked);
    prompts += 1;
    faults.push(...prompt.problems.map((problem) => `prompt ${String(prompts)}: ${problem}`));
    // Every call that was ever made is in it, once and in order, and so is all that the user said.
    const wanted = Array.from({ length: prompt.calls.length }, (_, number) => number);
    if (JSON.stringify(prompt.calls) !== JSON.stringify(wanted) || prompt.calls.length < callsSeen) faults.push(`prompt ${String(prompts)} has ${String(prompt.calls.length)} calls of ${String(callsSeen)}: ${prompt.calls.slice(-5).join(' ')}`);
    if (prompt.said.length === said.length + 1 && prompt.said.at(-1) === message) said.push(message);
    if (JSON.stringify(prompt.said) !== JSON.stringify(said)) faults.push(`prompt ${String(prompts)} has other words of the user: ${prompt.said.slice(-3).join(' | ')}`);
    if (interrupted.some((number, at) => prompt.interrupted[at] !== number)) faults.push(`prompt ${String(prompts)} has a result that came from nowhere`);
    interrupted = prompt.interrupted;
    grows.look();
    callsSeen = prompt.calls.length;
    if (faults.length > 0) return { status: 400 };
    // The call of this life has been made: it dies before it hears more.
    if (callsSeen > hangFrom) return { hangs: 'before' };
    return { toolCalls: [{ id: callId(callsSeen), name: TOOL, arguments: { number: callsSeen } }] };
  };
  const model = await startModelServer((asked) => {
    try {
      return answer(asked);
    } catch (error) {
      faults.push(error instanceof Error ? error.message : String(error));
      return { status: 400 };
    } finally {
      if (faults.length > 0) child?.kill('SIGKILL');
      model.forget();
    }
  });
  const load = (): ChildProcess => spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'pipe'] });
  let child: ChildProcess | undefined;
  let next = load();
  try {
    for (let death = 0; death < deaths; death += 1) {
      child = next;
      // The next one is loaded meanwhile, and touches nothing before it is told to.
      next = load();
      hangFrom = place + death;
      const { answers, afterMs } = momentOf(death);
      const task: AgentTask = { stateDir, baseUrl: model.baseUrl, api: death % 2 === 0 ? 'openai-completions' : 'anthropic-messages', hangFrom: hangFrom + (answers ? 1 : 0), message: `go on ${String(death)}` };
      // Sent when no turn is open: the first prompt that shows it tells, and it must be there from then on.
      message = task.message;
      const promptsBefore = prompts;
      const output = await liveUntil(child, task, `${answers ? 'answered' : 'called'} ${String(hangFrom)}`, afterMs);
      if (output !== undefined) faults.push(`it ended before its call: ${output}`);
      if (prompts === promptsBefore) faults.push(`death ${String(death)}: no prompt before it`);
      grows.look();
      if (faults.length > 0) throw new Error(`death ${String(death)} of ${String(deaths)} from call ${String(place)} on: ${faults.slice(0, 5).join('\n')}`);
    }
    return { deaths, prompts, interrupted: interrupted.length, messages: said.length - (place === 0 ? 0 : 1), bytes: grows.look().length };
  } finally {
    next.kill('SIGKILL');
    await once(next, 'close');
    await model.close();
    rmSync(stateDir, { recursive: true, force: true });
  }
}

/** Gives the process its task, and kills it `afterMs` after it said `last`. @returns what it said instead, when it ended without that */
async function liveUntil(child: ChildProcess, task: AgentTask, last: string, afterMs: number): Promise<string | undefined> {
  let output = '';
  let isDoomed = false;
  const tooLate = setTimeout(() => child.kill('SIGKILL'), LIFE_MS_MAX);
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (isDoomed || !output.includes(`${last}\n`)) return;
      isDoomed = true;
      if (afterMs === 0) child.kill('SIGKILL');
      else setTimeout(() => child.kill('SIGKILL'), afterMs);
    });
  }
  child.stdin?.write(`${JSON.stringify(task)}\n`);
  await once(child, 'close');
  clearTimeout(tooLate);
  return isDoomed ? undefined : output;
}

const PLACES = WHOLE === undefined ? [0, 1 + pick(1, CALLS - DEATHS_AT_A_PLACE - 1), CALLS - DEATHS_AT_A_PLACE] : [0];
const DEATHS = WHOLE === undefined ? DEATHS_AT_A_PLACE : Number(WHOLE);

it(`has a valid next prompt and only new lines after ${String(PLACES.length * DEATHS)} deaths between a call and its result, of calls ${PLACES.map((place) => `${String(place)}–${String(place + DEATHS - 1)}`).join(', ')}`, async () => {
  const program = bundleAgent();
  for (const place of PLACES) {
    const { deaths, prompts, interrupted, messages, bytes } = await dieAtEach(program, place, DEATHS);
    process.stderr.write(`${String(deaths)} deaths from call ${String(place)} on: ${String(prompts)} prompts, ${String(interrupted)} calls without a result, ${String(messages)} messages, ${String(bytes)} bytes of transcript\n`);
    expect(prompts).toBeGreaterThanOrEqual(deaths);
    expect(interrupted).toBeGreaterThan(0);
    // Both ways of going on were taken: the next attempt at the run, and the next message.
    expect(messages).toBeGreaterThan(1);
    expect(messages).toBeLessThan(deaths);
  }
}, PLACES.length * DEATHS * LIFE_MS_MAX);
