/** The agent-runner as a process of its own. */
import { createAgentRunner } from '@sessions/agent-runner';
import { connectNatsBus, traceBus } from '@sessions/bus';
import { runAppHere } from '@sessions/host';
import { ABOUT } from './config';

runAppHere({
  ...ABOUT,
  connectBus: connectNatsBus,
  createServices: ({ bus, tracer, ...parts }) => [createAgentRunner({ ...parts, trajectory: parts.environment.trajectory, bus: traceBus(bus, tracer) })],
});
