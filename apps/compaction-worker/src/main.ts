/** The compaction-worker as a process of its own. */
import { connectNatsBus, traceBus } from '@sessions/bus';
import { createCompactionWorker } from '@sessions/compaction-worker';
import { runAppHere } from '@sessions/host';
import { ABOUT } from './config';

runAppHere({
  ...ABOUT,
  connectBus: connectNatsBus,
  createServices: ({ bus, tracer, ...parts }) => [createCompactionWorker({ ...parts, bus: traceBus(bus, tracer) })],
});
