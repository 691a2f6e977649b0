/**
 * For spec files: the contract that every transport passes, a clock that stands still, and a server.
 *
 *     describeBus('in one process', async () => ({ bus, timing, advance, loseStreamMessage, close }));
 */
import { describeEvents } from './contract-suite/describe-events';
import { describeJobs } from './contract-suite/describe-jobs';
import { describeLeases } from './contract-suite/describe-leases';
import { describeRpc } from './contract-suite/describe-rpc';
import { describeStreams } from './contract-suite/describe-streams';
import type { CreateHarness } from './contract-suite/harness';

export { ManualClock, settle, until } from './contract-suite/harness';
export type { BusHarness, CreateHarness } from './contract-suite/harness';
export { startNatsServer } from './testing/nats-server';
export type { NatsServer, NatsServerOptions } from './testing/nats-server';

/** Declares the whole contract for one transport; each test gets a harness of its own. */
export function describeBus(name: string, createBus: CreateHarness): void {
  describe(`the bus ${name}`, () => {
    describeRpc(createBus);
    describeStreams(createBus);
    describeEvents(createBus);
    describeJobs(createBus);
    describeLeases(createBus);
  });
}
