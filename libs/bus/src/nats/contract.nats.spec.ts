/** The contract of every transport, on a real server and in real time with shortened spans. */
import { setTimeout as wait } from 'node:timers/promises';
import type { BusHarness, NatsServer } from '../testing';
import { describeBus, startNatsServer } from '../testing';
import type { BusTiming } from '../timing';
import { connectNatsBus } from './connect-nats-bus';

jest.setTimeout(30_000);

/** Long enough for a busy machine to keep them, short enough for a test to wait for them. */
const TIMING: BusTiming = {
  streamCreditMs: 300,
  streamBeatMs: 1_000,
  ackWaitMs: 1_000,
  inProgressMs: 300,
  redeliveryMs: 60,
  duplicateWindowMs: 500,
  leaseTtlMs: 1_000,
  leaseRenewMs: 250,
  leaseTrustMs: 700,
};
const SLACK_MS = 60;
const SETTLE_MS = 40;

let server: NatsServer;
beforeAll(async () => (server = await startNatsServer()));
afterAll(() => server?.stop());

let runs = 0;

describeBus('over NATS', async (): Promise<BusHarness> => {
  let lost: number | undefined;
  runs += 1;
  const bus = await connectNatsBus({
    servers: [server.url],
    service: 'suite',
    instance: String(runs),
    subjectPrefix: 'suite',
    timing: TIMING,
    provision: true,
    losesStreamMessage: (_subject, seq) => seq === lost,
  });
  return {
    bus,
    timing: TIMING,
    slackMs: SLACK_MS,
    settle: () => wait(SETTLE_MS),
    advance: (ms) => wait(ms),
    loseStreamMessage: (seq) => (lost = seq),
    async close() {
      await bus.close();
      await emptyJetStream(server);
    },
  };
});

/** Each test begins with an empty server. */
async function emptyJetStream({ url }: NatsServer): Promise<void> {
  const { connect } = await import('nats');
  const nc = await connect({ servers: url });
  const manager = await nc.jetstreamManager();
  for await (const stream of manager.streams.list()) await manager.streams.delete(stream.config.name);
  await nc.close();
}
