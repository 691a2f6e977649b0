/**
 * Conversations of up to 1 508 tool calls whose process is killed between a call and its result, at each
 * of them: the next prompt is one that a provider takes, nothing in it is missing or twice, and the bytes
 * that a transcript had are the bytes that it has, with lines behind them. Every life is a process of its
 * own over the same files, every prompt what the model's server received, in both protocols by turns.
 *
 * Some conversations die together, each at other places of the 1 508: by itself at some seeded ones;
 * `KILLED_CALLS=1508` kills at every one, each conversation in a part of its own, and with
 * `KILLED_CONVERSATIONS=1` in one conversation that only ever grew by dying.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';
import { startModelServer, type AskedModel, type ModelServer } from '@sessions/llm/testing';
import { ALL_CALLED, TOOL, type AgentTask, type Conversation } from './names';
import { OnlyGrow, callId, plant, planted, type Planted } from './planted-conversations';
import { readPrompt } from './read-prompt';

const CALLS = 1_508;
const SEED = Number(process.env['KILLED_CALLS_SEED'] ?? 20_261_127);
const WHOLE = process.env['KILLED_CALLS'];
const CONVERSATIONS = Number(process.env['KILLED_CONVERSATIONS'] ?? (WHOLE === undefined ? 6 : 13));
/** A run is tried three times and then given up: four deaths have each kind of next prompt. */
const DEATHS = WHOLE === undefined ? 4 : Math.ceil(Number(WHOLE) / CONVERSATIONS);
/** A runner waits so long for the tool: longer than the slowest life. The most that one may ask for. */
const TOOL_SECONDS = 600;
/** For what hangs, not for what is slow. */
const LIFE_MS_MAX = 600_000;
/** The longest that a timer takes. */
const TIMER_MS_MAX = 2 ** 31 - 1;
const BUNDLES = path.resolve(__dirname, '../../dist/killed-calls');
const ROOT = path.resolve(__dirname, '../../../..');

/** A whole number below `limit`, of the seed and nothing else. */
function pick(step: number, limit: number): number {
  let state = Math.imul(SEED + 1, 2_654_435_761) ^ Math.imul(step + 1, 2_246_822_519);
  state = Math.imul(state ^ (state >>> 15), 2_246_822_519);
  state = Math.imul(state ^ (state >>> 13), 3_266_489_917);
  return ((state ^ (state >>> 16)) >>> 0) % limit;
}

/** In every fourth life one result is in its transcript when the others' calls have none. */
const isBehindResult = (death: number): boolean => death % 4 === 1;

/** Calls that conversation number `at` begins with: the whole is cut into equal parts, else the first, the last and seeded places are tried. */
function placeOf(at: number): number {
  if (WHOLE !== undefined) return at * DEATHS;
  return at === 0 ? 0 : at === CONVERSATIONS - 1 ? CALLS - DEATHS : pick(at, CALLS - DEATHS);
}

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

/** What is known of a conversation from its prompts. */
class Followed {
  readonly planted: Planted;
  diesAt: number;
  message = '';
  promptsCount = 0;
  /** Calls whose result says that there is none. */
  interrupted: readonly number[] = [];
  readonly said: string[];
  #callsSeen: number;

  constructor(one: Planted) {
    this.planted = one;
    this.diesAt = one.callsCount;
    this.#callsSeen = one.callsCount;
    this.said = [planted(one)];
  }

  /** @returns what is wrong with the next prompt: every call that was ever made is in it, once and in order, and so is all that was said */
  prompted({ calls, interrupted, said, problems }: ReturnType<typeof readPrompt>): string[] {
    this.promptsCount += 1;
    if (said.length === this.said.length + 1 && said.at(-1) === this.message) this.said.push(this.message);
    const faults = [
      ...problems,
      ...(calls.every((number, at) => number === at) ? [] : [`calls out of order: ${calls.join(' ')}`]),
      ...(calls.length === this.diesAt || (calls.length === this.diesAt + 1 && this.promptsCount > 1) ? [] : [`${String(calls.length)} calls, and it dies at call ${String(this.diesAt)}`]),
      ...(calls.length < this.#callsSeen ? [`${String(calls.length)} calls after ${String(this.#callsSeen)}`] : []),
      ...(JSON.stringify(said) === JSON.stringify(this.said) ? [] : [`other words of the user: ${said.slice(-3).join(' | ')}`]),
      ...(this.interrupted.every((number, at) => number === interrupted[at]) ? [] : ['a result that came from nowhere']),
    ];
    this.#callsSeen = calls.length;
    this.interrupted = interrupted;
    return faults.map((fault) => `prompt ${String(this.promptsCount)} of ${this.planted.name}: ${fault}`);
  }
}

class Trial {
  readonly faults: string[] = [];
  readonly followed: readonly Followed[];
  readonly files: OnlyGrow;
  readonly stateDir: string;
  onFault = (): void => undefined;
  /** A result came into a transcript, and the model is asked what is next. */
  onHeld = (): void => undefined;

  constructor() {
    const { stateDir, conversations } = plant(Array.from({ length: CONVERSATIONS }, (_, at) => placeOf(at)));
    this.stateDir = stateDir;
    this.files = new OnlyGrow(stateDir, conversations);
    this.followed = conversations.map((one) => new Followed(one));
  }

  /** The model: reads the prompt with suspicion, and makes the next call. */
  answer(asked: AskedModel): ReturnType<ModelServer['answer']> {
    const prompt = readPrompt(asked);
    const followed = this.followed.find((one) => prompt.said[0] === planted(one.planted));
    if (followed === undefined) this.#blame([`a prompt of nobody: ${prompt.said.join(' | ')}`]);
    else this.#blame([...followed.prompted(prompt), ...this.files.look([followed.planted])]);
    if (this.faults.length > 0 || followed === undefined) return { status: 400 };
    // The call of this life has been made: it dies before it hears more.
    if (prompt.calls.length > followed.diesAt) {
      this.onHeld();
      return { hangs: 'before' };
    }
    return { toolCalls: [{ id: callId(prompt.calls.length), name: TOOL, arguments: { number: prompt.calls.length, timeoutSeconds: TOOL_SECONDS } }] };
  }

  /** The task of a life. */
  taskOf(death: number): readonly Conversation[] {
    return this.followed.map((one, at) => {
      one.diesAt = one.planted.callsCount + death;
      // Sent when no turn is open: the first prompt that shows it tells, and it must be there from then on.
      one.message = `${one.planted.name} goes on ${String(death)}`;
      return { key: one.planted.key, diesAt: one.diesAt, isAnswered: pick(death * CONVERSATIONS + at, 4) === 0 || (isBehindResult(death) && at === 0), message: one.message };
    });
  }

  checkFiles(): void {
    this.#blame(this.files.look());
  }

  #blame(faults: readonly string[]): void {
    this.faults.push(...faults);
    if (faults.length > 0) this.onFault();
  }
}

/**
 * Gives the process its task, and kills it `afterMs` after every conversation made its call, or when the
 * first result was followed by a prompt. @returns what it said instead, when it ended without that
 */
async function liveUntilCalled(child: ChildProcess, task: AgentTask, trial: Trial, afterMs: number | 'prompt'): Promise<string | undefined> {
  let output = '';
  let isDoomed = false;
  const tooLate = setTimeout(() => child.kill('SIGKILL'), LIFE_MS_MAX);
  const doom = (ms: number): void => {
    if (isDoomed || !output.includes(ALL_CALLED)) return;
    isDoomed = true;
    if (ms === 0) child.kill('SIGKILL');
    else setTimeout(() => child.kill('SIGKILL'), ms);
  };
  let isHeld = false;
  trial.onHeld = () => {
    isHeld = true;
    if (afterMs === 'prompt') doom(0);
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (afterMs !== 'prompt') doom(afterMs);
      else if (isHeld) doom(0);
    });
  }
  child.stdin?.write(`${JSON.stringify(task)}\n`);
  await once(child, 'close');
  clearTimeout(tooLate);
  return isDoomed ? undefined : output;
}

it(`has valid next prompts and only new lines after ${String(DEATHS)} deaths of ${String(CONVERSATIONS)} conversations between calls and their results: ${String(DEATHS * CONVERSATIONS)} of ${String(CALLS)} calls`, async () => {
  const program = bundleAgent();
  const trial = new Trial();
  const model = await startModelServer((asked) => {
    model.forget();
    return trial.answer(asked);
  });
  const load = (): ChildProcess => spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'pipe'] });
  let next = load();
  try {
    for (let death = 0; death < DEATHS; death += 1) {
      const child = next;
      trial.onFault = () => void child.kill('SIGKILL');
      // The next one is loaded meanwhile, and touches nothing before it is told to.
      next = load();
      const before = trial.followed.map(({ promptsCount }) => promptsCount);
      const task: AgentTask = { stateDir: trial.stateDir, baseUrl: model.baseUrl, api: death % 2 === 0 ? 'openai-completions' : 'anthropic-messages', conversations: trial.taskOf(death) };
      const instead = await liveUntilCalled(child, task, trial, isBehindResult(death) ? 'prompt' : pick(death, 2) * pick(death + CALLS, 30));
      trial.checkFiles();
      const unheard = trial.followed.filter(({ promptsCount }, at) => promptsCount === before[at]).map((one) => one.planted.name);
      expect({ death, faults: trial.faults, instead, unheard }).toEqual({ death, faults: [], instead: undefined, unheard: [] });
    }
  } finally {
    next.kill('SIGKILL');
    await once(next, 'close');
    await model.close();
    rmSync(trial.stateDir, { recursive: true, force: true });
  }
  const sum = (of: (one: Followed) => number): number => trial.followed.reduce((total, one) => total + of(one), 0);
  const figures = { prompts: sum((one) => one.promptsCount), interrupted: sum((one) => one.interrupted.length), messages: sum((one) => one.said.length - 1) };
  process.stderr.write(`${String(DEATHS)} deaths of ${String(CONVERSATIONS)} conversations: ${String(figures.prompts)} prompts, ${String(figures.interrupted)} calls without a result, ${String(figures.messages)} messages, ${String(trial.files.bytesCount)} bytes of transcripts\n`);
  // Both ways of going on were taken, by the next attempt at a run and by the next message, and deaths on both sides of a result.
  expect(figures.messages).toBeGreaterThan(CONVERSATIONS);
  expect(figures.messages).toBeLessThan(CONVERSATIONS * DEATHS);
  expect(figures.interrupted).toBeGreaterThan(0);
  expect(figures.interrupted).toBeLessThan(CONVERSATIONS * (DEATHS - 1));
}, Math.min(DEATHS * LIFE_MS_MAX, TIMER_MS_MAX));
