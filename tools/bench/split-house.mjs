/**
 * The split deployment as the measurements see it: a nats-server, apps as processes of their own on
 * a state directory, a client of their bus in this process, and what those processes cost.
 *
 * nats-server syncs nothing and each app answers probes on a port of its own choice, as with
 * `npm run start:split`. Everything ends with `stop`, and with this process at the latest.
 */
import { cleanEnvironment } from './sampling.mjs';
import { INSTALL_HINT, findNatsServer, freePort, prepareNats, untilListening } from '../split/nats-server.mjs';
import { connectNatsBus, createClient, createSubjects, provisionNats } from '@sessions/bus';
import { DeliverRequest, RouterServiceService, StoreServiceService } from '@sessions/contracts';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const APPS = ['router', 'store-writer', 'maintenance-scheduler', 'compaction-worker', 'agent-runner'];

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const START_MS = 60_000;
const STOP_MS = 30_000;
const KB = 1024;
/** Of what the processes say, the end is kept, for the sentence that explains a failed start. */
const SAID_MAX = 8_192;

export const mainOf = (app) => path.join(ROOT, 'apps', app, 'dist', 'main.js');

/** Starts a process and waits until it has said `sentence`. @throws with what it said instead */
export async function startProcess(command, args, { env, sentence, name }) {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const kill = () => child.kill('SIGKILL');
  process.on('exit', kill);
  const ended = once(child, 'exit').finally(() => process.off('exit', kill));
  let said = '';
  let hasSaid = () => undefined;
  const ready = new Promise((resolve) => (hasSaid = resolve));
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      said = (said + text).slice(-SAID_MAX);
      if (said.includes(sentence)) hasSaid();
    });
  }
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, START_MS, 'late')));
  const outcome = await Promise.race([ready, late, ended.then(() => 'ended')]);
  clearTimeout(timer);
  if (outcome !== undefined) {
    kill();
    throw new Error(`${name} did not start (${outcome}):\n${said}`);
  }
  return {
    pid: child.pid,
    async stop() {
      const killing = setTimeout(kill, STOP_MS);
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await ended;
      clearTimeout(killing);
    },
  };
}

/** A nats-server of its own. @param isSynced what JetStream acknowledges is on disk; nats-server 2.10 or later */
export async function startNats({ isSynced = false } = {}) {
  const server = findNatsServer();
  if (server === undefined) throw new Error(INSTALL_HINT);
  const port = await freePort();
  const monitorPort = await freePort();
  const { args, url, remove } = prepareNats(port);
  const [, file] = args;
  if (isSynced) writeFileSync(file, readFileSync(file, 'utf8').replace('jetstream {', 'jetstream { sync_interval: always,'));
  const running = await startProcess(server, [...args, '-a', '127.0.0.1', '-m', String(monitorPort)], { env: process.env, sentence: 'Server is ready', name: 'nats-server' });
  await untilListening(port, START_MS);
  return {
    url,
    pid: running.pid,
    /** Messages that went into the server and out of it so far. */
    async messages() {
      const { in_msgs: into, out_msgs: out } = await (await fetch(`http://127.0.0.1:${monitorPort}/varz`)).json();
      return { in: into, out };
    },
    async stop() {
      await running.stop();
      remove();
    },
  };
}

/**
 * A deployment on that server. Several may share it: each has subjects of its own.
 * @param scratch where the processes' configurations are written
 */
export async function createHouse({ nats, stateDir, scratch, prefix = 'bench' }) {
  mkdirSync(stateDir, { recursive: true });
  await provisionNats({ servers: [nats.url], service: 'setup', instance: 'bench', subjectPrefix: prefix });
  const bus = await connectNatsBus({ servers: [nats.url], service: 'bench', instance: prefix, subjectPrefix: prefix });
  const subjects = createSubjects(prefix);
  const caller = 'service:bench/1';
  const store = createClient(bus, StoreServiceService, { caller, scopes: ['operator.admin'], subject: (method, { agentId }) => subjects.store(agentId, method) });
  const pool = createClient(bus, StoreServiceService, { caller, scopes: ['operator.admin'], subject: (method) => subjects.storePool(method) });
  const router = createClient(bus, RouterServiceService, { caller, scopes: ['operator.admin'], subject: (method) => subjects.router(method) });
  const running = [];
  return {
    bus,
    subjects,
    store,
    pool,
    router,
    /** @param config of this process, beside what every one has */
    async start(app, instance, config = {}, { nodeFlags = [], env: more = {} } = {}) {
      const file = path.join(scratch, `${prefix}-${instance}.json`);
      const agents = { list: [{ id: 'main', default: true }] };
      writeFileSync(file, JSON.stringify({ bus: { subjectPrefix: prefix }, gateway: { auth: { token: 'only-for-measuring' } }, session: { dmScope: 'per-channel-peer' }, agents, ...config }));
      const env = cleanEnvironment({
        OPENCLAW_STATE_DIR: stateDir,
        OPENCLAW_CONFIG_PATH: file,
        HOME: path.dirname(stateDir),
        SESS_NATS_URL: nats.url,
        SESS_INSTANCE: instance,
        SESS_PROBE_PORT: '0',
        SESS_PORT: '0',
        SESS_LOG_FORMAT: 'json',
        ...more,
      });
      const started = await startProcess(process.execPath, [...nodeFlags, mainOf(app)], { env, sentence: 'the app is serving', name: `${app} ${instance}` });
      running.push(started);
      return started;
    },
    async stop() {
      await Promise.all(running.reverse().map((one) => one.stop()));
      await bus.close();
    },
  };
}

let nextMessage = 0;
/** Other than any that an earlier run left in a store that is used again. */
const run = randomBytes(4).toString('hex');

/** A direct message of a channel, as the router hands it to the owner of the store. */
export function directMessage(agentId, peer, text) {
  nextMessage += 1;
  return DeliverRequest.fromPartial({
    agentId,
    route: {
      agentId,
      sessionKey: `agent:${agentId}:telegram:direct:${peer}`,
      matchedBy: 'default',
      originKind: 'channel',
      channel: 'telegram',
      accountId: 'default',
      chatType: 'direct',
      peer: { kind: 'direct', id: peer },
      replyRoute: { channel: 'telegram', to: peer },
    },
    message: { role: 'user', text, sender: { id: peer, name: 'Ann' }, channelMessage: { channel: 'telegram', messageId: `${run}-${nextMessage}` } },
  });
}

/** Resident memory of a process, bytes. */
export function residentBytes(pid) {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * KB;
}

/** Processor time of all threads of a process so far, milliseconds; from the scheduler, which counts in nanoseconds. */
export function processorMs(pid) {
  let ns = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) ns += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ', 1)[0]);
  return ns / 1e6;
}
