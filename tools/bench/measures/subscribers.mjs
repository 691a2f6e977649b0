/**
 * A thousand clients follow the sessions over WebSocket while a hundred messages a second arrive for
 * a minute: each has to end with the same list in the same order, or the measurement fails. Gateway,
 * clients and sender are processes of their own.
 */
import { mkdirSync } from 'node:fs';
import { Agent, request } from 'node:http';
import path from 'node:path';
import { startRole } from '../sampling.mjs';
import { valueOf } from '../results.mjs';
import { summarise } from '../statistics.mjs';

const SUBSCRIBERS = 1000;
const PER_SECOND = 100;
const SECONDS = 60;
const QUICK = { subscribers: 200, seconds: 10 };
const KEY = 'agent:main:telegram:direct:1';
const MIB = 1024 * 1024;

export const name = 'subscribers';
export const rows = [
  {
    what: `longest stall of the event loop (ms): ${SUBSCRIBERS} WebSocket subscribers of a session, ${PER_SECOND} messages a second for ${SECONDS} s`,
    against: '– (reference: an idle process beside it)',
    floor: 20,
    goal: 10,
  },
  { what: 'memory that they take of the gateway, at the most (MiB)', against: '–', floor: 500, goal: 250 },
];

/** One message, posted as a channel does. */
function post(agent, port, messageId) {
  const body = JSON.stringify({ channel: 'telegram', messageId, chatType: 'direct', sender: { id: '1' }, text: `message ${messageId}` });
  return new Promise((resolve, reject) => {
    const options = { agent, port, host: '127.0.0.1', path: '/v1/messages', method: 'POST', headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } };
    const sent = request(options, (response) => {
      response.resume().once('end', () => (response.statusCode === 202 ? resolve() : reject(new Error(`message ${messageId}: HTTP ${response.statusCode}`))));
    });
    sent.once('error', reject).end(body);
  });
}

/** So many a second, whether or not those before are answered. @returns milliseconds to the last answer */
async function sendAll(port, messages) {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const startedAt = performance.now();
  const answers = [];
  for (let place = 1; place <= messages; place += 1) {
    const waitMs = startedAt + (place * 1000) / PER_SECOND - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    answers.push(post(agent, port, String(place)));
  }
  await Promise.all(answers);
  agent.destroy();
  return performance.now() - startedAt;
}

export async function run({ quick, scratch, notice }) {
  const { subscribers, seconds } = quick ? QUICK : { subscribers: SUBSCRIBERS, seconds: SECONDS };
  const messages = PER_SECOND * seconds;
  const stateDir = path.join(scratch, 'state');
  mkdirSync(stateDir);
  const gateway = startRole('subscribed-gateway', { stateDir });
  const { url } = await gateway.next();
  const port = Number(new URL(url).port);
  gateway.child.send('watch');
  const { residentBytes: before } = await gateway.next();
  const clients = startRole('subscribers', { port, count: subscribers, follow: KEY, messages });
  await clients.next();
  const bystander = startRole('bystander', { ms: seconds * 1000 });
  const startedAt = performance.now();
  const sentMs = await sendAll(port, messages);
  const { faults, faulty, bytes, frames } = await clients.next();
  const tookMs = performance.now() - startedAt;
  gateway.child.send('end');
  const seen = await gateway.next();
  const idle = await bystander.next();
  await Promise.all([gateway.ended, clients.ended]);
  if (faulty > 0) throw new Error(`${faulty} of ${subscribers} subscribers have another list: ${faults.join('; ')}`);
  const [half, most, nearly] = seen.percentiles.map((ms) => ms.toFixed(1));
  notice(`subscribers: ${subscribers} got the same ${messages} messages in order; sent within ${(sentMs / 1000).toFixed(1)} s, all there after ${(tookMs / 1000).toFixed(1)} s, ${(frames / tookMs).toFixed(1)} frames a ms, ${(bytes / MIB / (tookMs / 1000)).toFixed(0)} MiB a second; loop delay p50 ${half}, p99 ${most}, p99.9 ${nearly} ms.`);
  return [
    { ...valueOf([seen.longestMs]), reference: summarise([idle.longestMs]), unit: 'ms', referenceIsLimit: true },
    valueOf([(seen.peakBytes - before) / MIB]),
  ];
}
