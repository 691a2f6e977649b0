/**
 * `npm run start:split [-- flags]`: the split deployment on this machine, for trying it out: a
 * nats-server, and every app as a process of its own on one state directory.
 *
 * Flags: --port P (the first router's; further ones take the ports behind it), --routers N,
 * --writers N, --nats-port P, --no-setup (what is installed and built is taken as it is). The state
 * directory and configuration are those of `npm start`; a first start makes the same minimal
 * configuration. Ctrl-C ends the routers first, then those who work for them, then nats-server, and
 * exits 0.
 */
import { ROOT, setUpSplit } from './setup.mjs';
import { Children } from './split/children.mjs';
import { INSTALL_HINT, findNatsServer, freePort, prepareNats, untilListening } from './split/nats-server.mjs';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import path from 'node:path';
import { parseArgs, promisify } from 'node:util';

const COPIES_MAX = 16;
const PORT_MAX = 65_535;
const NATS_START_MS = 10_000;
const READY_MS = 60_000;
/** Longer than an app's own drain and stop. */
const END_MS = 25_000;
const LAUNCHER = path.join(ROOT, 'tools', 'openclaw.cjs');

function fail(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exit(1);
}

function readFlags() {
  let values;
  try {
    const text = { type: 'string' };
    ({ values } = parseArgs({ options: { port: text, routers: text, writers: text, 'nats-port': text, 'no-setup': { type: 'boolean' }, help: { type: 'boolean' } } }));
  } catch (error) {
    fail(error.message);
  }
  if (values.help) {
    process.stdout.write('npm run start:split -- [--port P] [--routers N] [--writers N] [--nats-port P] [--no-setup]\n\nEvery app as a process of its own over a nats-server, on this machine.\nDefaults: gateway.port of the configuration, 1 router, 2 writers, a free port for NATS.\n--no-setup: neither install nor build; what is there is started.\n');
    process.exit(0);
  }
  const whole = (name, fallback, min, max) => {
    const given = values[name];
    if (given === undefined) return fallback;
    const number = /^\d{1,5}$/.test(given) ? Number(given) : Number.NaN;
    return number >= min && number <= max ? number : fail(`--${name} must be a whole number from ${min} to ${max}, got ${JSON.stringify(given)}`);
  };
  return {
    port: whole('port', undefined, 1, PORT_MAX),
    routers: whole('routers', 1, 1, COPIES_MAX),
    writers: whole('writers', 2, 1, COPIES_MAX),
    natsPort: whole('nats-port', undefined, 1, PORT_MAX),
    isSetUp: values['no-setup'] === true,
  };
}

const flags = readFlags();
const natsServer = findNatsServer();
if (natsServer === undefined) fail(process.env.NATS_SERVER ? `NATS_SERVER is ${process.env.NATS_SERVER}, which cannot be run.` : INSTALL_HINT);
if (!flags.isSetUp) setUpSplit();

// From what was just built; there is nothing to load before.
const require = createRequire(path.join(ROOT, 'apps', 'cli', 'package.json'));
const host = require('@sessions/host');
const { configuredAgents } = require('@sessions/domain');

let environment;
let config;
try {
  environment = host.readEnvironment(process.env, homedir());
  const load = () => host.loadConfig(environment.configPath, host.sessionConfigParser(environment.variables));
  let loaded = await load();
  const { token, password } = loaded.config.gateway.auth;
  if (!loaded.exists && token === undefined && password === undefined) {
    const made = await host.createMinimalConfig(environment.configPath, { withEcho: !existsSync(path.join(environment.stateDir, 'agents')) });
    if (made.created) process.stdout.write(`Made a configuration with a new token: ${environment.configPath}\n`);
    loaded = await load();
  }
  ({ config } = loaded);
} catch (error) {
  fail(error.hint === undefined ? error.message : `${error.message}\n${error.hint}`);
}

const configuredPort = environment.gatewayPort ?? config.gateway.port;
const firstPort = flags.port ?? configuredPort;
const natsPort = flags.natsPort ?? (await freePort());
const nats = prepareNats(natsPort);
process.on('exit', nats.remove);

const children = new Children((line) => process.stderr.write(`${line}\n`));
let ending;
const end = () => {
  ending ??= (async () => {
    children.beginEnd();
    const steps = [['router'], ['maintenance-scheduler', 'compaction-worker', 'agent-runner'], ['store-writer'], ['nats']];
    let isClean = true;
    for (const names of steps) isClean = (await children.end(names, END_MS)) && isClean;
    process.exit(isClean ? 0 : 1);
  })();
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, end);

function startApp(app, copy, more = {}) {
  const env = {
    // Idle services take less memory so; why is said in the Dockerfile.
    MALLOC_ARENA_MAX: '2',
    MALLOC_TRIM_THRESHOLD_: '131072',
    MALLOC_MMAP_THRESHOLD_: '131072',
    ...process.env,
    SESS_NATS_URL: nats.url,
    SESS_INSTANCE: `${app}-${copy}`,
    SESS_PROBE_PORT: '0',
    SESS_LOG_FORMAT: process.env.SESS_LOG_FORMAT ?? 'text',
    ...more,
  };
  children.start(`${app}-${copy}`, process.execPath, [path.join(ROOT, 'apps', app, 'dist', 'main.js')], { env, cwd: process.cwd() });
}

/** Of nats-server's lines: its banner and its figures are not for people who try things out. */
const isTrouble = (line) => /\[(ERR|FTL)\]/.test(line) || !/^\[\d+\]/.test(line);

async function untilReady(port) {
  const deadline = performance.now() + READY_MS;
  while (ending === undefined) {
    const isReady = await fetch(`http://127.0.0.1:${port}/readyz`).then(({ ok }) => ok, () => false);
    if (isReady) return;
    if (performance.now() > deadline) throw new Error(`the router on port ${port} was not ready within ${READY_MS / 1000} s; what the processes said is above`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function setUpBus() {
  await untilListening(natsPort, NATS_START_MS);
  await promisify(execFile)(process.execPath, [LAUNCHER, 'gateway', 'setup-bus'], { env: { ...process.env, SESS_NATS_URL: nats.url } });
}

/** A nats-server that died may have lost its data with it; no app may make streams and bucket itself. */
function setUpBusAgain() {
  setUpBus().catch((error) => {
    if (ending === undefined) process.stderr.write(`the bus could not be set up again: ${error.stderr || error.message}\n`);
  });
}

try {
  children.start('nats', natsServer, nats.args, { env: process.env, cwd: ROOT, shows: isTrouble, onRestart: setUpBusAgain });
  await setUpBus();
  for (let copy = 1; copy <= flags.writers; copy += 1) startApp('store-writer', copy);
  startApp('maintenance-scheduler', 1);
  startApp('compaction-worker', 1);
  startApp('agent-runner', 1);
  for (let copy = 1; copy <= flags.routers; copy += 1) startApp('router', copy, { SESS_PORT: String(firstPort + copy - 1) });
  for (let copy = 1; copy <= flags.routers; copy += 1) await untilReady(firstPort + copy - 1);
  if (ending === undefined) greet();
} catch (error) {
  process.stderr.write(`${error.stderr || error.message}\n`);
  children.beginEnd();
  await children.end(['router', 'store-writer', 'maintenance-scheduler', 'compaction-worker', 'agent-runner', 'nats'], END_MS);
  process.exit(1);
}

function greet() {
  const { ids, defaultAgentId } = configuredAgents(config);
  const others = flags.routers === 1 ? [] : [`Further routers on the ports up to ${firstPort + flags.routers - 1}`];
  const lines = host.greetingLines({
    host: host.parseBind(process.env.SESS_LISTEN_HOST ?? config.gateway.bind),
    port: firstPort,
    configuredPort,
    about: [...others, `NATS on 127.0.0.1:${natsPort}, ${flags.writers} store-writers`],
    stateDir: environment.stateDir,
    agentIds: ids,
    defaultAgentId,
    isOpen: host.isOpenToAll(config.gateway.auth, config.gateway.auth),
  });
  for (const line of lines) process.stdout.write(`${line}\n`);
}
