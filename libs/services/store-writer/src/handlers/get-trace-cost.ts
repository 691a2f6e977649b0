/** GetTraceCost: what the ended runs of this store cost that go back to one message of a person, for a day. */
import { GetTraceCostResponse, TokenUsage, type GetTraceCostRequest } from '@sessions/contracts';
import { SessionError, costSoFar, isJsonObject } from '@sessions/domain';
import { readEndedRun, runEndKey, traceCostPrefix } from '../decisions/run-end';
import type { OwnedAgent } from '../owned-agent';

/** Run ids, ids of requests, trace ids of W3C. */
const TRACE_ID = /^[\x21-\x7e]{1,256}$/;

/** @throws VALIDATION */
export async function getTraceCost(agent: OwnedAgent, { traceId }: GetTraceCostRequest): Promise<GetTraceCostResponse> {
  if (!TRACE_ID.test(traceId)) throw new SessionError('VALIDATION', 'trace_id must have 1 to 256 visible ASCII characters');
  return agent.read(
    async (store, open) => {
      const root = readEndedRun(await store.storedResult(runEndKey(traceId)));
      const known = (await store.storedResults(traceCostPrefix(traceId))).flatMap((note) => (isJsonObject(note) && typeof note['costUsd'] === 'number' ? [note['costUsd']] : []));
      const ofRoot = costSoFar((root?.usage ?? []).map((one) => TokenUsage.fromJSON(one)));
      const costUsd = ofRoot === undefined && known.length === 0 ? undefined : known.reduce((sum, cost) => sum + cost, ofRoot ?? 0);
      return GetTraceCostResponse.create({ epoch: store.epoch, storeSeq: open.seq, costUsd });
    },
    () => GetTraceCostResponse.create({}),
  );
}
