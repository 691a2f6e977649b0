/**
 * A thousand clients follow the sessions over WebSocket while a hundred messages a second arrive for
 * a minute: each has to end with the same list in the same order, or the measurement fails. Gateway,
 * clients and sender are processes of their own. What is judged is processor time; what the clock
 * says of the loop stands beside it in the notice, with what it says of an idle process.
 */
import { mkdirSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { setPriority } from 'node:os';
import path from 'node:path';
import { startRole } from '../sampling.mjs';
import { LONG_TURN_MS } from '../stalls.mjs';
import { valueOf } from '../results.mjs';
import { summarise } from '../statistics.mjs';

const SUBSCRIBERS = 1000;
const PER_SECOND = 100;
const SECONDS = 60;
const CLIENT_PROCESSES = 2;
/** The clients give way to the gateway that they listen to. */
const CLIENT_NICENESS = 5;
const QUICK = { subscribers: 200, seconds: 10 };
const WARM_MESSAGES = 200;
const KEY = 'agent:main:telegram:direct:1';
const MIB = 1024 * 1024;

export const name = 'subscribers';
export const rows = [
  {
    what: `longest work without a turn of the event loop (ms of processor): ${SUBSCRIBERS} WebSocket subscribers of a session, ${PER_SECOND} messages a second for ${SECONDS} s`,
    against: '– (reference: an idle process beside it)',
    floor: 20,
    goal: 10,
  },
  { what: 'memory that they take of the gateway, at the most (MiB)', against: '–', floor: 500, goal: 250 },
];

/** What a channel repeats a message after, under its id: the gateway is busy, or closed a connection that was idle. */
const BUSY = [503, 504, 'ECONNRESET'];
const TRIES_MAX = 10;

/** One message, posted as a channel does. @returns how often it had to be repeated */
async function post(agent, port, sender, messageId) {
  for (let tries = 0; ; tries += 1) {
    const status = await postOnce(agent, port, sender, messageId).catch((error) => error.code);
    // 200: kept already, by an attempt of ours or of the router itself.
    if (status === 202 || status === 200) return tries;
    if (!BUSY.includes(status) || tries === TRIES_MAX) throw new Error(`message ${messageId}: HTTP ${status}`);
  }
}

/** @returns the status */
function postOnce(agent, port, sender, messageId) {
  const body = JSON.stringify({ channel: 'telegram', messageId, chatType: 'direct', sender: { id: sender }, text: `message ${messageId}` });
  return new Promise((resolve, reject) => {
    const options = { agent, port, host: '127.0.0.1', path: '/v1/messages', method: 'POST', headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } };
    const sent = request(options, (response) => {
      response.resume().once('end', () => resolve(response.statusCode));
    });
    sent.once('error', reject).end(body);
  });
}

/** So many a second, whether or not those before are answered. @returns milliseconds to the last answer, and repeats */
async function sendAll(port, messages, sender) {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const startedAt = performance.now();
  const answers = [];
  for (let place = 1; place <= messages; place += 1) {
    // A sender that the machine kept waiting catches up at twice the pace, not all at once.
    const waitMs = Math.max(500 / PER_SECOND, startedAt + (place * 1000) / PER_SECOND - performance.now());
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    answers.push(post(agent, port, sender, String(place)));
  }
  const repeats = (await Promise.all(answers)).reduce((sum, tries) => sum + tries, 0);
  agent.destroy();
  return { sentMs: performance.now() - startedAt, repeats };
}

export async function run({ quick, scratch, notice }) {
  const { subscribers, seconds } = quick ? QUICK : { subscribers: SUBSCRIBERS, seconds: SECONDS };
  const messages = PER_SECOND * seconds;
  const stateDir = path.join(scratch, 'state');
  mkdirSync(stateDir);
  const gateway = startRole('subscribed-gateway', { stateDir });
  const { url } = await gateway.next();
  const port = Number(new URL(url).port);
  // Warm: the store is open, the code is compiled; once in a gateway's life.
  await sendAll(port, WARM_MESSAGES, '2');
  const clients = Array.from({ length: CLIENT_PROCESSES }, () => startRole('subscribers', { port, count: subscribers / CLIENT_PROCESSES, follow: KEY, messages }));
  for (const { child } of clients) setPriority(child.pid, CLIENT_NICENESS);
  gateway.child.send('measure');
  const { residentBytes: before } = await gateway.next();
  await Promise.all(clients.map(({ next }) => next()));
  gateway.child.send('watch');
  await gateway.next();
  const bystander = startRole('bystander', { ms: seconds * 1000 });
  const startedAt = performance.now();
  const { sentMs, repeats } = await sendAll(port, messages, '1');
  const heard = await Promise.all(clients.map(({ next }) => next()));
  const tookMs = performance.now() - startedAt;
  gateway.child.send('end');
  const seen = await gateway.next();
  const idle = await bystander.next();
  await Promise.all([gateway.ended, ...clients.map(({ ended }) => ended)]);
  const sum = (what) => heard.reduce((total, one) => total + one[what], 0);
  const [faulty, bytes, frames] = ['faulty', 'bytes', 'frames'].map(sum);
  const faults = heard.flatMap((one) => one.faults);
  if (faulty > 0) throw new Error(`${faulty} of ${subscribers} subscribers have another list: ${faults.join('; ')}`);
  const [half, most, longest] = seen.quantilesMs.map((ms) => ms.toFixed(1));
  notice(`subscribers: ${subscribers} got the same ${messages} messages in order; sent within ${(sentMs / 1000).toFixed(1)} s (${repeats} repeated), all there after ${(tookMs / 1000).toFixed(1)} s, ${(frames / tookMs).toFixed(1)} frames a ms, ${(bytes / MIB / (tookMs / 1000)).toFixed(0)} MiB a second; of ${seen.turns} turns of the gateway's loop ${seen.longTurns} had more than ${LONG_TURN_MS} ms of work, the busiest hundredth begins at ${seen.p99WorkMs.toFixed(1)} ms; the gateway's own metrics say of its loop's delay: median ${half}, p99 ${most}, longest ${longest} ms; by the clock its loop stood still for ${seen.longestMs.toFixed(0)} ms at the most, an idle process for ${idle.longestMs.toFixed(0)}.`);
  return [
    { ...valueOf([seen.longestWorkMs]), reference: summarise([idle.longestWorkMs]), unit: 'ms', referenceIsLimit: true },
    valueOf([(seen.peakBytes - before) / MIB]),
  ];
}
