/**
 * `npm run test:compose`: the compose file as people run it, on a Docker engine: built, started,
 * written to, its store-writer killed, read back whole, taken down with its volumes.
 *
 * A project, passwords and ports of its own, so it stands beside whatever else runs. The writer is
 * killed as its process on the host: `docker kill` would count as the operator's wish and keep it
 * down. NODE_IMAGE names another base image. Exit 0 when everything held; 1, with what was seen, when not or when there is no engine.
 */
import { ROOT } from './setup.mjs';
import { freePorts } from './compose/free-ports.mjs';
import { Compose, findEngine } from './compose/compose.mjs';
import { NODE_IMAGE, prepareNodeImage } from './compose/node-image.mjs';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const UP_SECONDS_MAX = 240;
/**
 * A writer that died is taken over within a few seconds: its successor, in another container of the
 * same machine, sees by the kernel's boot id that the process is gone. On machines of their own it
 * waits for the lease, 30 s. The bound leaves a loaded machine its time.
 */
const TAKEOVER_MS_MAX = 60_000;
const MESSAGES_BEFORE = 20;
const MESSAGES_AFTER = 20;
const REQUEST_TIMEOUT_MS = 10_000;
const ANSWER_MS_MAX = 60_000;
const KEY = 'agent:main:main';

const seen = (sentence) => process.stdout.write(`${sentence}\n`);
const secret = () => `p${randomBytes(16).toString('hex')}`;

const engine = findEngine();
if (engine.problem !== undefined) {
  process.stderr.write(`No Docker engine to test with: ${engine.problem}\nStart one, or point DOCKER_HOST at one. The compose file itself is checked with: docker compose config -q\n`);
  process.exit(1);
}
seen(`engine ${engine.version}`);

const base = prepareNodeImage(process.env.NODE_IMAGE || NODE_IMAGE);
if (base.note !== undefined) seen(base.note);

const token = secret();
const ports = await freePorts(2);
const variables = { OPENCLAW_GATEWAY_TOKEN: token, GATEWAY_BIND: '127.0.0.1', GATEWAY_PORTS: `${ports[0]}-${ports[1]}`, NODE_IMAGE: base.image };
for (const user of ['ROUTER', 'STORE_WRITER', 'MAINTENANCE_SCHEDULER', 'COMPACTION_WORKER', 'AGENT_RUNNER', 'SETUP', 'SYS']) variables[`NATS_${user}_PASSWORD`] = secret();
// Readable for the user of the containers, whoever that is.
const configDir = mkdtempSync(path.join(tmpdir(), 'compose-config-'));
chmodSync(configDir, 0o755);
writeFileSync(path.join(configDir, 'openclaw.json'), JSON.stringify({ agents: { defaults: { model: 'demo/echo' } } }), { mode: 0o644 });
variables.OPENCLAW_CONFIG_DIR = configDir;
const compose = new Compose({ cwd: ROOT, project: `sessions-test-${process.pid}`, variables });

function check(holds, sentence) {
  if (!holds) throw new Error(sentence);
  seen(`ok: ${sentence}`);
}

async function request(port, path, init = {}) {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    ...init,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...init.headers },
    signal: init.signal ?? AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  });
  return { status: response.status, body: await response.json() };
}

const textOf = (number) => `message number ${number}`;

/** Sends one message with one key until it is taken in. @returns how long that took, in milliseconds */
async function send(number, limitMs) {
  const beganAt = performance.now();
  for (let attempt = 0; ; attempt += 1) {
    const port = ports[(number + attempt) % ports.length];
    const message = { channel: 'telegram', messageId: String(number), chatType: 'direct', sender: { id: 'tester' }, text: textOf(number) };
    const answer = await request(port, '/v1/messages', { method: 'POST', body: JSON.stringify(message), headers: { 'idempotency-key': `compose-${number}` } }).catch((error) => ({ status: 0, body: { error: String(error) } }));
    if (answer.status === 202 || answer.status === 200) return performance.now() - beganAt;
    if (performance.now() - beganAt > limitMs) throw new Error(`message ${number} was not taken in within ${limitMs} ms: ${answer.status} ${JSON.stringify(answer.body)}`);
    await sleep(200);
  }
}

/** A message that is answered by an agent: over router, owner, runner and back. @returns the answer's text */
async function ask(text) {
  const message = { channel: 'telegram', messageId: `ask-${text}`, chatType: 'direct', sender: { id: 'tester' }, text };
  const { status, body } = await request(ports[0], `/v1/messages?wait=${ANSWER_MS_MAX}`, { method: 'POST', body: JSON.stringify(message), signal: AbortSignal.timeout(ANSWER_MS_MAX + REQUEST_TIMEOUT_MS) });
  if (body.outcome !== 'ok') throw new Error(`the message was not answered: ${status} ${JSON.stringify(body)}`);
  return body.text;
}

async function history(port) {
  const { status, body } = await request(port, `/sessions/${encodeURIComponent(KEY)}/history?limit=1000`);
  if (status !== 200) throw new Error(`history: ${status} ${JSON.stringify(body)}`);
  return body.items.map((item) => JSON.stringify(item));
}

/** Which messages the history lacks or has twice, once every message's turn has had its time to begin: until then it waits in the queue of runs. */
async function settledHistory(port) {
  const untilMs = performance.now() + ANSWER_MS_MAX;
  for (;;) {
    const items = await history(port);
    const counts = Array.from({ length: MESSAGES_BEFORE + MESSAGES_AFTER }, (_, index) => [index + 1, items.filter((item) => item.includes(`"${textOf(index + 1)}"`)).length]);
    const missing = counts.filter(([, count]) => count === 0).map(([number]) => number);
    if (missing.length === 0 || performance.now() > untilMs) return { missing, doubled: counts.filter(([, count]) => count > 1).map(([number]) => number) };
    await sleep(500);
  }
}

async function run() {
  seen('building the image');
  compose.run(['build', 'setup']);
  seen('starting');
  const startedAt = performance.now();
  await compose.up(UP_SECONDS_MAX);
  seen(`everything is healthy after ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  for (const { Service, State, Health } of compose.containers()) seen(`  ${Service}: ${State} ${Health}`);

  for (let number = 1; number <= MESSAGES_BEFORE; number += 1) await send(number, REQUEST_TIMEOUT_MS);
  check(true, `${MESSAGES_BEFORE} messages were taken in over two routers`);
  const list = JSON.parse(compose.run(['exec', '-T', 'router', 'openclaw', 'gateway', 'call', 'sessions.list', '--json']));
  check(JSON.stringify(list).includes(KEY), 'the list shows the session');

  const answer = await ask('are you there?');
  check(answer === 'Echo: are you there?', `a message is answered by a run: ${answer}`);

  const owner = readOwner();
  const victim = compose.containers().find(({ Service, ID }) => Service === 'store-writer' && owner.instance.startsWith(ID.slice(0, 12)));
  check(victim !== undefined, `the owner of the store is one of the writers: ${owner.instance}, epoch ${owner.epoch}`);
  const pid = compose.processOf(victim.ID);
  process.kill(pid, 'SIGKILL');
  seen(`killed process ${pid} of the host`);
  const tookMs = await send(MESSAGES_BEFORE + 1, TAKEOVER_MS_MAX);
  const successor = readOwner();
  check(true, `the next message was taken in after ${(tookMs / 1000).toFixed(1)} s, by ${successor.instance}, epoch ${successor.epoch}`);
  check(successor.epoch > owner.epoch, 'the epoch has grown');
  for (let number = MESSAGES_BEFORE + 2; number <= MESSAGES_BEFORE + MESSAGES_AFTER; number += 1) await send(number, REQUEST_TIMEOUT_MS);

  for (const port of ports) {
    const { missing, doubled } = await settledHistory(port);
    check(missing.length === 0 && doubled.length === 0, `history over port ${port}: ${MESSAGES_BEFORE + MESSAGES_AFTER} messages taken in, lost: ${missing.join(' ') || 'none'}, doubled: ${doubled.join(' ') || 'none'}`);
  }
  check((await ask('and still?')) === 'Echo: and still?', 'the new owner has runs too');
  await compose.untilHealthy(UP_SECONDS_MAX);
  check(compose.containers().filter(({ Service }) => Service === 'store-writer').length === 2, 'the killed writer is back');
}

/** Who owns the store, as its directory says; whichever writer lives can read it: they share the volume. */
function readOwner() {
  const read = (index) => compose.run(['exec', '-T', '--index', index, 'store-writer', 'cat', '/state/agents/main/sessions/.store/owner.json']);
  try {
    return JSON.parse(read('1'));
  } catch {
    return JSON.parse(read('2'));
  }
}

let failure;
try {
  await run();
} catch (error) {
  failure = error;
  process.stderr.write(`\nfailed: ${error.message}\n${compose.logs()}\n`);
}
seen('taking it down, volumes too');
compose.down();
rmSync(configDir, { recursive: true, force: true });
if (failure === undefined) seen('\nthe compose file holds');
process.exit(failure === undefined ? 0 : 1);
