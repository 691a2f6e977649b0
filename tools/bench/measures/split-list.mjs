/** The newest hundred of a large store over NATS, asked of its owner and of the router, against what no such list can do without. */
import { ListEntriesRequest, ListEntriesResponse, ListSessionsRequest } from '@sessions/contracts';
import Database from 'better-sqlite3';
import path from 'node:path';
import { NEWEST_ROWS } from '../raw-query.mjs';
import { ratioTo } from '../results.mjs';
import { startRoundTrip } from '../round-trip.mjs';
import { inTurn, medianOf } from '../sampling.mjs';
import { createHouse, startNats } from '../split-house.mjs';

export const name = 'split-list';
const bounds = { against: 'raw indexed query of the same rows + one bare NATS round trip of the same size', floor: 3, goal: 2 };
export const rows = [
  { what: 'list newest 100 of the large store over NATS, asked of its owner', ...bounds },
  { what: 'the same asked of the router, which asks the owner: two round trips', ...bounds },
];

const ROUNDS = 21;
const CALLS = 100;
const LIMIT = 100;

export async function run({ sizes, served, scratch }) {
  const { stateDir, sessionsFile } = await served(sizes.largeEntries);
  const nats = await startNats();
  const house = await createHouse({ nats, stateDir, scratch });
  await house.start('store-writer', 'w1');
  await house.start('router', 'r1');
  const raw = new Database(path.join(path.dirname(sessionsFile), '.store', 'index.sqlite'), { readonly: true });
  let bare;
  try {
    await house.pool.claimStore({ agentId: 'main' });
    const request = ListEntriesRequest.fromPartial({ agentId: 'main', limit: LIMIT });
    const ofRouter = ListSessionsRequest.fromPartial({ agentId: 'main', limit: LIMIT });
    const answer = await house.store.listEntries(request);
    const relayed = await house.router.listSessions(ofRouter);
    if (answer.encodedRows.length !== LIMIT || relayed.encodedRows.length !== LIMIT) throw new Error(`${answer.encodedRows.length} and ${relayed.encodedRows.length} sessions were listed`);
    const query = raw.prepare(NEWEST_ROWS);
    const size = { requestBytes: ListEntriesRequest.encode(request).finish().length, answerBytes: ListEntriesResponse.encode(answer).finish().length };
    bare = await startRoundTrip(nats, size);
    const [owner, router, reference] = await inTurn(ROUNDS, [
      () => medianOf(CALLS, () => house.store.listEntries(request)),
      () => medianOf(CALLS, () => house.router.listSessions(ofRouter)),
      () =>
        medianOf(CALLS, async () => {
          query.all();
          await bare.call();
        }),
    ]);
    return [ratioTo(owner, reference, 'ms', `an answer has ${size.answerBytes} bytes`), ratioTo(router, reference, 'ms')];
  } finally {
    raw.close();
    await bare?.stop();
    await house.stop();
    await nats.stop();
  }
}
