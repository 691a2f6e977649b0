/**
 * GetTraceCost: what the runs of this store cost that go back to one message of a person: those that
 * ended within a day, and of those under way what their models have answered so far. With the agents
 * that the trace has reached, where it began here.
 */
import { GetTraceCostResponse, TokenUsage, type GetTraceCostRequest } from '@sessions/contracts';
import { SessionError, costSoFar, isJsonObject, sumCosts } from '@sessions/domain';
import { readEndedRun, runEndKey, traceAgentPrefix, traceCostPrefix } from '../decisions/run-end';
import type { OwnedAgent } from '../owned-agent';

/** Run ids, ids of requests, trace ids of W3C. */
const TRACE_ID = /^[\x21-\x7e]{1,256}$/;

/** @throws VALIDATION */
export function assertTraceId(traceId: string): void {
  if (!TRACE_ID.test(traceId)) throw new SessionError('VALIDATION', 'trace_id must have 1 to 256 visible ASCII characters');
}

/** @throws VALIDATION */
export async function getTraceCost(agent: OwnedAgent, { traceId }: GetTraceCostRequest): Promise<GetTraceCostResponse> {
  assertTraceId(traceId);
  return agent.read(
    async (store, open) => {
      await open.work.found();
      // First: a run that ends meanwhile may count twice for this once, and never not at all.
      const running = open.work.runsOfTrace(traceId).flatMap(({ spentUsd }) => spentUsd ?? []);
      const root = readEndedRun(await store.storedResult(runEndKey(traceId)));
      const ended = (await store.storedResults(traceCostPrefix(traceId))).flatMap((note) => (isJsonObject(note) && typeof note['costUsd'] === 'number' ? [note['costUsd']] : []));
      const ofRoot = costSoFar((root?.usage ?? []).map((one) => TokenUsage.fromJSON(one)));
      const known = [...running, ...ended, ...(ofRoot === undefined ? [] : [ofRoot])];
      const agentIds = (await store.storedResults(traceAgentPrefix(traceId))).flatMap((note) => (isJsonObject(note) && typeof note['agentId'] === 'string' ? [note['agentId']] : []));
      return GetTraceCostResponse.create({ epoch: store.epoch, storeSeq: open.seq, costUsd: sumCosts(known), agentIds });
    },
    () => GetTraceCostResponse.create({}),
  );
}
