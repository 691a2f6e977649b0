/** The newest hundred of a large store as a client of the router has them, in the process of a standalone gateway. */
import { ListSessionsRequest } from '@sessions/contracts';
import Database from 'better-sqlite3';
import path from 'node:path';
import { NEWEST_ROWS } from '../raw-query.mjs';
import { ratioTo } from '../results.mjs';
import { inTurn, medianOf } from '../sampling.mjs';
import { startServices } from '../standalone.mjs';

export const name = 'list-router';
export const rows = [{ what: 'list newest 100 of the large store through the router, in process', against: 'raw indexed query of the same rows', floor: 2, goal: 1 }];

const ROUNDS = 21;
const CALLS = 100;
/** Before the first sample, of either side: what a gateway runs that has been up for a while is compiled code. */
const WARM_UP_CALLS = 2000;

export async function run({ sizes, served }) {
  const { stateDir, sessionsFile } = await served(sizes.largeEntries);
  const services = await startServices(stateDir);
  const request = ListSessionsRequest.create({ agentId: 'main', limit: 100 });
  const first = await services.client.listSessions(request);
  if (first.encodedRows.length !== 100) throw new Error(`the router lists ${first.encodedRows.length} sessions`);
  const raw = new Database(path.join(path.dirname(sessionsFile), '.store', 'index.sqlite'), { readonly: true });
  const query = raw.prepare(NEWEST_ROWS);
  try {
    for (let call = 0; call < WARM_UP_CALLS; call += 1) {
      await services.client.listSessions(request);
      query.all();
    }
    const [listed, queried] = await inTurn(ROUNDS, [
      () => medianOf(CALLS, () => services.client.listSessions(request)),
      () => medianOf(CALLS, () => query.all()),
    ]);
    return [ratioTo(listed, queried, 'ms')];
  } finally {
    raw.close();
    await services.stop();
  }
}
