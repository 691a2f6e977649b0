/** Samples taken in turn, in this process and in others. */
import { fork, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { median } from './statistics.mjs';

/** Milliseconds that `work` takes. */
export async function timed(work) {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** Median of `count` single times: one slow call does not make the sample. */
export async function medianOf(count, work) {
  const times = [];
  for (let index = 0; index < count; index += 1) times.push(await timed(() => work(index)));
  return median(times);
}

/**
 * A B C, A B C …: one sample of each a round, after a round that does not count. Every other round
 * runs backwards, so none always follows the same neighbour.
 * @returns for each sampler its samples, in the order of the rounds
 */
export async function inTurn(rounds, samplers) {
  const samples = samplers.map(() => []);
  for (let round = -1; round < rounds; round += 1) {
    const order = samplers.map((_, index) => index);
    if (round % 2 !== 0) order.reverse();
    for (const index of order) {
      const sample = await samplers[index](Math.max(round, 0));
      if (round >= 0) samples[index].push(sample);
    }
  }
  return samples;
}

/** Environment of a measured process: none of the caller's own settings of this program. */
export function cleanEnvironment(more = {}) {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(OPENCLAW|SESS)_|^NODE_OPTIONS$/.test(name));
  return { ...Object.fromEntries(inherited), ...more };
}

/** Runs a fresh process to its end. @returns milliseconds from its start to its end. @throws when it fails */
export function timedProcess(args, env) {
  const startedAt = performance.now();
  const ended = spawnSync(process.execPath, args, { env, maxBuffer: 2 ** 28 });
  const tookMs = performance.now() - startedAt;
  if (ended.status !== 0) throw new Error(`node ${args.join(' ')} ended with ${ended.status ?? ended.signal}: ${ended.stderr}`);
  return { tookMs, stdout: ended.stdout };
}

/**
 * Starts `roles/<name>.mjs` in a process of its own and gives it its task.
 * @returns the process, what it says, message by message, and its end
 */
export function startRole(name, task) {
  const child = fork(fileURLToPath(new URL(`./roles/${name}.mjs`, import.meta.url)), [JSON.stringify(task)], { env: cleanEnvironment() });
  const said = [];
  const waiting = [];
  const next = () => (said.length > 0 ? Promise.resolve(said.shift()) : new Promise((resolve, reject) => waiting.push({ resolve, reject })));
  child.on('message', (message) => (waiting.length > 0 ? waiting.shift().resolve(message) : said.push(message)));
  const ended = new Promise((resolve) => {
    child.on('exit', (code, signal) => {
      for (const { reject } of waiting.splice(0)) reject(new Error(`${name} ended with ${signal ?? code} before it answered`));
      resolve({ code, signal });
    });
  });
  return { child, next, ended };
}

/** Runs a role to its end. @returns what it said last */
export async function runRole(name, task) {
  const { next, ended } = startRole(name, task);
  const answer = await next();
  await ended;
  return answer;
}

/** Task of this role, when this process is one. */
export const task = () => JSON.parse(process.argv[2]);

/** Says something to the measurement and resolves when it is on its way. */
export const say = (message) => new Promise((resolve) => process.send(message, undefined, undefined, () => resolve()));

/** Most memory that this process ever held, in bytes. */
export function peakMemory() {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(line[1]) * 1024;
}
