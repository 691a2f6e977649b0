/** Where a run is reached while it is worked on here, whichever runtime executes it: `<p>.rpc.run.<token>`. */
import { AgentRuntimeService, CancelTurnResponse, SteerTurnResponse, type SteerTurnRequest } from '@sessions/contracts';
import { serveService, type Bus, type Served, type Subjects } from '@sessions/bus';

export interface RunDoor {
  readonly steer: (request: SteerTurnRequest) => Promise<boolean>;
  readonly cancel: (reason: string) => void;
}

export function serveRunDoor(bus: Bus, subjects: Subjects, runId: string, door: RunDoor): Promise<Served> {
  return serveService(
    bus,
    AgentRuntimeService,
    {
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
    { subjectFor: (method) => (method === 'SteerTurn' || method === 'CancelTurn' ? subjects.run(runId, method) : undefined) },
  );
}
