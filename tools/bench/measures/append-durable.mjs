/** One message after another to one session, each acknowledged before the next, against the barest durable write there is. */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { open } from '../context.mjs';
import { appendMessage, messageLine, newSessions, settled } from '../load.mjs';
import { ratioTo } from '../results.mjs';
import { inTurn, medianOf } from '../sampling.mjs';

export const name = 'append-durable';
export const rows = [
  { what: 'durable append of 1 KB, one session, whole path', against: 'blocking write + fdatasync of the same bytes', floor: 1.5, goal: 1.2 },
];

const ROUNDS = 25;
const CALLS = 100;
/** Before the first sample: what a gateway runs that has been up for a while is compiled code. */
const WARM_UP_CALLS = 3000;

export async function run({ sizes, served }) {
  const { sessionsFile } = await served(sizes.smallEntries);
  const store = await open(sessionsFile);
  const [session] = newSessions(1);
  const plain = openSync(path.join(store.layout.dir, `plain-${process.pid}.bench`), 'a');
  const bytes = Buffer.from(`${messageLine('00000001', null, Date.now())}\n`);
  try {
    for (let call = 0; call < WARM_UP_CALLS; call += 1) await store.mutate(appendMessage(session));
    const [appended, written] = await inTurn(ROUNDS, [
      () => medianOf(CALLS, () => store.mutate(appendMessage(session))),
      async () => {
        await settled(store);
        return medianOf(CALLS, () => {
          writeSync(plain, bytes);
          fdatasyncSync(plain);
        });
      },
    ]);
    return [ratioTo(appended, written, 'ms')];
  } finally {
    closeSync(plain);
    await store.close();
  }
}
