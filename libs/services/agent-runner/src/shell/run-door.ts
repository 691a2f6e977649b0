/**
 * Where a run is reached while it is worked on here, whichever runtime executes it: `<p>.rpc.run.<token>`.
 * It is there before the run is claimed and as long as the claim is kept: where nobody answers, nobody
 * works on the run, and its owner gives it to the next attempt.
 */
import { AgentRuntimeService, CancelTurnResponse, DescribeResponse, SteerTurnResponse, type SteerTurnRequest } from '@sessions/contracts';
import { serveService, type Bus, type Served, type Subjects } from '@sessions/bus';

export interface RunDoor {
  readonly steer: (request: SteerTurnRequest) => Promise<boolean>;
  readonly cancel: (reason: string) => void;
}

/** @param runnerId `<name>/<instance>`, told to whoever asks who is there */
export function serveRunDoor(bus: Bus, subjects: Subjects, { runId, runnerId }: { readonly runId: string; readonly runnerId: string }, door: RunDoor): Promise<Served> {
  return serveService(
    bus,
    AgentRuntimeService,
    {
      describe: () => Promise.resolve(DescribeResponse.create({ runtimeId: runnerId })),
      steerTurn: async (request) => {
        if (request.runId !== runId) return SteerTurnResponse.create({ steered: false });
        return SteerTurnResponse.create({ steered: await door.steer(request) });
      },
      cancelTurn: ({ runId: wanted, reason }) => {
        if (wanted !== runId) return Promise.resolve(CancelTurnResponse.create({ state: 'idle' }));
        door.cancel(reason);
        return Promise.resolve(CancelTurnResponse.create({ state: 'stopping' }));
      },
    },
    { subjectFor: (method) => (method === 'Describe' || method === 'SteerTurn' || method === 'CancelTurn' ? subjects.run(runId, method) : undefined) },
  );
}
