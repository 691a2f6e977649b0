/** The maintenance-scheduler as a process of its own. */
import { connectNatsBus, traceBus } from '@sessions/bus';
import { runAppHere } from '@sessions/host';
import { createMaintenanceScheduler } from '@sessions/maintenance-scheduler';
import { ABOUT } from './config';

runAppHere({
  ...ABOUT,
  connectBus: connectNatsBus,
  createServices: ({ bus, tracer, ...parts }) => [createMaintenanceScheduler({ ...parts, bus: traceBus(bus, tracer) })],
});
