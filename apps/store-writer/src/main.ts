/** The store-writer as a process of its own. */
import { connectNatsBus, traceBus } from '@sessions/bus';
import { createModelPrices, runAppHere } from '@sessions/host';
import { createStoreWriter } from '@sessions/store-writer';
import { ABOUT, POOL_THREADS } from './config';

// Read by the pool when it starts, which is at the first use of a file.
process.env['UV_THREADPOOL_SIZE'] ??= POOL_THREADS;

runAppHere({
  ...ABOUT,
  connectBus: connectNatsBus,
  createServices: ({ bus, tracer, ...parts }) => {
    const prices = createModelPrices({ ...parts, stateDir: parts.places.stateDir });
    return [
      prices,
      createStoreWriter({ ...parts, trajectory: parts.environment.trajectory, bus: traceBus(bus, tracer), prices: () => prices.prices(), transport: 'split', subjectPrefix: parts.config().bus.subjectPrefix }),
    ];
  },
});
