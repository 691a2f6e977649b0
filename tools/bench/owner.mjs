/** A store-writer on a bus of its own, for measurements of what only its service does. */
import { createClient, createInProcessBus, createSubjects } from '@sessions/bus';
import { StoreServiceService } from '@sessions/contracts';
import { createMetrics, silentLogger, systemClock } from '@sessions/host';
import { createStoreWriter } from '@sessions/store-writer';

/** Far longer than any measurement. */
const DEADLINE_MS = 600_000;

export async function startOwner(stateDir, config) {
  const bus = createInProcessBus();
  const subjects = createSubjects();
  const metrics = createMetrics({ service: 'bench' });
  const shared = { bus, clock: systemClock, logger: silentLogger, metrics, config: () => config, instance: 'bench' };
  const writer = createStoreWriter({ ...shared, places: { stateDir, homeDir: stateDir } });
  await writer.start();
  return {
    shared,
    subjects,
    store: createClient(bus, StoreServiceService, { caller: 'client:bench', subject: (method) => subjects.store('main', method), deadlineMs: DEADLINE_MS }),
    async close() {
      await writer.drain();
      await writer.stop();
      metrics.close();
      await bus.close();
    },
  };
}
