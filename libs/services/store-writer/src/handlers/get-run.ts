/** GetRun: a run that is open, or how it ended, for a day. */
import { GetRunResponse, type GetRunRequest } from '@sessions/contracts';
import { runsOf } from '../decisions/open-run';
import { readEndedRun, runEndKey } from '../decisions/run-end';
import type { OwnedAgent } from '../owned-agent';
import { endedRunState, openRunState } from './run-state';
import { assertRunId } from './run-occasion';
import { sessionEntry } from './stored-session';

/** @throws VALIDATION */
export async function getRun(agent: OwnedAgent, { runId }: GetRunRequest): Promise<GetRunResponse> {
  assertRunId(runId);
  return agent.read(
    async (store, open) => {
      const head = { epoch: store.epoch, storeSeq: open.seq };
      const key = await open.work.keyOfRun(runId);
      const entry = key === undefined ? undefined : await sessionEntry(store, { key });
      const runs = entry === undefined ? [] : runsOf(JSON.parse(entry.text) as never);
      const run = runs.find((one) => one.runId === runId && one.state !== 'over');
      if (run !== undefined && key !== undefined) return GetRunResponse.create({ ...head, run: openRunState(run, runs, key) });
      const ended = readEndedRun(await store.storedResult(runEndKey(runId)));
      return GetRunResponse.create({ ...head, run: ended === undefined ? undefined : await endedRunState(ended, open.spool) });
    },
    () => GetRunResponse.create({}),
  );
}
