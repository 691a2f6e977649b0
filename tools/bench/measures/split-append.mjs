/** One message after another over NATS, each durable before the next, against a bare durable write and a bare round trip. */
import { DeliverRequest, DeliverResponse } from '@sessions/contracts';
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { MESSAGE_BYTES, messageLine } from '../load.mjs';
import { ratioTo } from '../results.mjs';
import { startRoundTrip } from '../round-trip.mjs';
import { inTurn, medianOf } from '../sampling.mjs';
import { createHouse, directMessage, startNats } from '../split-house.mjs';

export const name = 'split-append';
export const rows = [
  { what: 'durable append of a message of 1 KB over NATS, asked of the owner', against: 'blocking write + fdatasync of the same line + one bare NATS round trip of the same size', floor: 2, goal: 1.4 },
];

const ROUNDS = 25;
const CALLS = 100;
/** Before the first sample: what a writer runs that has been up for a while is compiled code. */
const WARM_UP_CALLS = 3000;
const PEER = '123';

export async function run({ scratch }) {
  const nats = await startNats();
  const stateDir = path.join(scratch, 'state');
  const house = await createHouse({ nats, stateDir, scratch });
  await house.start('store-writer', 'w1');
  const plain = openSync(path.join(stateDir, 'plain.bench'), 'a');
  const line = messageLine('00000001', null, Date.now());
  const { text } = JSON.parse(line).message.content[0];
  const bytes = Buffer.from(`${line}\n`);
  if (bytes.length !== MESSAGE_BYTES) throw new Error(`the line has ${bytes.length} bytes`);
  let calls = 0;
  const deliver = () => house.store.deliver(directMessage('main', PEER, text), { idempotencyKey: `${process.pid}-${(calls += 1)}` });
  let bare;
  try {
    await house.pool.claimStore({ agentId: 'main' });
    const answer = await deliver();
    const size = { requestBytes: DeliverRequest.encode(directMessage('main', PEER, text)).finish().length, answerBytes: DeliverResponse.encode(answer).finish().length };
    bare = await startRoundTrip(nats, size);
    for (let call = 0; call < WARM_UP_CALLS; call += 1) await deliver();
    const [appended, reference] = await inTurn(ROUNDS, [
      () => medianOf(CALLS, deliver),
      () =>
        medianOf(CALLS, async () => {
          writeSync(plain, bytes);
          fdatasyncSync(plain);
          await bare.call();
        }),
    ]);
    return [ratioTo(appended, reference, 'ms', `a request has ${size.requestBytes} bytes, an answer ${size.answerBytes}`)];
  } finally {
    closeSync(plain);
    await bare?.stop();
    await house.stop();
    await nats.stop();
  }
}
