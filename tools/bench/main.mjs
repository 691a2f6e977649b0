/**
 * The measurements of `npm run bench`, each in a process of its own, and their table.
 *
 *     --only <name,…>       only these measurements; `split` for those of the split deployment
 *     --quick               smaller stores; labelled so, and not what the bounds are meant for
 *     --json                the results as JSON on stdout
 *     --directory <path>    where the stores are made (room for about 10 GB); kept for the next run
 *
 * Exit 1 when a measurement fails or a floor is missed; one that a noisy machine hides is no miss.
 */
import { fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { judge, tableOf } from './table.mjs';

/** In the order of the table. */
const MEASURES = [
  'list-router',
  'list-store',
  'list-growth',
  'append-durable',
  'send-ticket',
  'append-throughput',
  'append-search',
  'patch-growth',
  'event-loop',
  'cli-cold',
  'history-growth',
  'writer-memory',
  'recovery',
  'write-amplification',
  'checkpoint-tail',
  'first-open',
  'truncate',
  'append-compacting',
  'subscribers',
  'cleanup-preview',
  'cleanup-append',
  'split-list',
  'split-append',
  'split-writers',
  'split-memory',
  'split-idle',
];
/** Names for several at once. */
const GROUPS = { split: MEASURES.filter((name) => name.startsWith('split-')) };
/** As a gateway has it: every file operation of every store runs in libuv's pool. */
const POOL_THREADS = '16';
/** Magic number of tmpfs, on which a sync is nothing. */
const TMPFS = 0x01021994;

const OPTIONS = { only: { type: 'string' }, quick: { type: 'boolean' }, json: { type: 'boolean' }, directory: { type: 'string' }, help: { type: 'boolean' } };
const HELP = `npm run bench [-- flags]: ratios against reference operations of the same run; three quarters of an hour in all.

  --only <name,…>       only these measurements: ${MEASURES.join(', ')};
                        \`split\` is all that begin with it: the services as processes of their own over a
                        nats-server that is started for them (on the PATH, or named in NATS_SERVER)
  --quick               smaller stores: a look, not a verdict
  --directory <path>    where the stores are made (room for about 10 GB), kept for the next run; default: a temporary one
  --json                the results as JSON on stdout

A floor that is missed or a measurement that fails ends with exit 1; a reference too noisy to judge by is said to be one.
`;

function parseFlags() {
  try {
    return parseArgs({ options: OPTIONS }).values;
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${HELP}`);
    process.exit(1);
  }
}

function readFlags() {
  const values = parseFlags();
  if (values.help === true) {
    process.stdout.write(HELP);
    process.exit(0);
  }
  const only = values.only?.split(',').filter((name) => name !== '').flatMap((name) => GROUPS[name] ?? [name]);
  const unknown = only?.find((name) => !MEASURES.includes(name));
  if (unknown !== undefined) {
    process.stderr.write(`no measurement is called ${unknown}; there are: ${[...MEASURES, ...Object.keys(GROUPS)].join(', ')}\n`);
    process.exit(1);
  }
  return { ...values, names: only === undefined ? MEASURES : MEASURES.filter((name) => only.includes(name)) };
}

/** @returns what `run-measure.mjs` sent, or why it sent nothing */
function measureInChild(name, directory, quick, children) {
  return new Promise((resolve) => {
    const env = { ...process.env, UV_THREADPOOL_SIZE: POOL_THREADS };
    const child = fork(fileURLToPath(new URL('./run-measure.mjs', import.meta.url)), [JSON.stringify({ name, directory, quick })], { env, stdio: ['ignore', 2, 2, 'ipc'] });
    children.add(child);
    let answer;
    child.on('message', (message) => {
      answer = message;
    });
    child.on('exit', (code, signal) => {
      children.delete(child);
      resolve(answer ?? { failure: `ended with ${signal ?? `exit ${code}`} and no answer`, notices: [] });
    });
  });
}

const { names, quick = false, json = false, directory: chosen } = readFlags();
const directory = chosen === undefined ? mkdtempSync(path.join(tmpdir(), 'openclaw-bench-')) : path.resolve(chosen);
mkdirSync(directory, { recursive: true });
const note = (line) => process.stderr.write(`${line}\n`);
const children = new Set();
const cleanUp = () => {
  if (chosen === undefined) rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  else for (const left of readdirSync(directory)) if (left.startsWith('scratch-')) rmSync(path.join(directory, left), { recursive: true, force: true });
};
process.once('SIGINT', async () => {
  await Promise.all([...children].map((child) => new Promise((resolve) => child.once('exit', resolve))));
  cleanUp();
  process.exit(130);
});

const measured = [];
const notices = [];
if (quick) notices.push('QUICK: the stores are smaller than the rows say; these figures are for a look, not for a verdict.');
if (statfsSync(directory).type === TMPFS) notices.push(`${directory} is in memory, where a sync costs nothing: choose another with --directory.`);
try {
  for (const name of names) {
    const { rows } = await import(new URL(`./measures/${name}.mjs`, import.meta.url).href);
    note(`${name} …`);
    const startedAt = performance.now();
    const { results, failure, notices: said } = await measureInChild(name, directory, quick, children);
    notices.push(...said);
    if (failure !== undefined) notices.push(`${name} failed: ${failure}`);
    for (const [index, row] of rows.entries()) measured.push({ name, row, result: results?.[index] });
    for (const result of results ?? []) if (result.detail !== undefined) note(`  ${result.detail}`);
    note(`  ${((performance.now() - startedAt) / 1000).toFixed(0)} s`);
  }
} finally {
  cleanUp();
}

const machine = `node ${process.versions.node}, ${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown processor'}, load ${loadavg()[0].toFixed(1)}`;
const verdicts = measured.map(({ row, result }) => (result === undefined ? 'failed' : judge(row, result)));
if (json) {
  const report = measured.map(({ name, row, result }, index) => ({ name, ...row, ...result, verdict: verdicts[index] }));
  process.stdout.write(`${JSON.stringify({ quick, machine, notices, rows: report }, null, 2)}\n`);
} else {
  process.stdout.write(`\n${tableOf(measured)}\n\n${[machine, ...notices].join('\n')}\n`);
}
if (verdicts.some((verdict) => verdict === 'failed' || verdict === 'miss')) process.exitCode = 1;
