import { GetEntryResponse, StoreServiceService } from '@sessions/contracts';
import type { GetEntryRequest } from '@sessions/contracts';
import { createClient, serveService } from '../bind-service';
import { MAX_CALLS_IN_FLIGHT } from '../limits';
import { createSubjects } from '../subjects';
import type { BusHarness } from '../testing';
import { ManualClock, describeBus, settle } from '../testing';
import { DEFAULT_TIMING } from '../timing';
import { createInProcessBus } from './create-in-process-bus';

async function createHarness(copy: boolean): Promise<BusHarness> {
  const clock = new ManualClock();
  let lost: number | undefined;
  const bus = createInProcessBus({ clock, copy, losesStreamMessage: (_subject, seq) => seq === lost });
  return {
    bus,
    timing: DEFAULT_TIMING,
    slackMs: 0,
    settle,
    advance: (ms) => clock.advance(ms),
    loseStreamMessage: (seq) => (lost = seq),
    close: () => bus.close(),
  };
}

describeBus('within one process', () => createHarness(false));
describeBus('within one process, encoding every message', () => createHarness(true));

describe('the bus within one process', () => {
  const subjects = createSubjects();
  const subject = (method: string) => subjects.store('main', method);
  const request: GetEntryRequest = { agentId: 'main', by: { $case: 'key', value: 'k' }, includeFacts: false };

  function start(clock = new ManualClock()) {
    const bus = createInProcessBus({ clock });
    const client = createClient(bus, StoreServiceService, { subject, caller: 'service:test/1' });
    return { bus, client, clock };
  }

  it('hands requests and answers over without encoding them', async () => {
    const { bus, client } = start();
    const answer = GetEntryResponse.create({ found: true, entryJson: Buffer.from('{}') });
    let seen: GetEntryRequest | undefined;
    const getEntry = async (given: GetEntryRequest) => {
      seen = given;
      return answer;
    };
    await serveService(bus, StoreServiceService, { getEntry }, { subjectFor: subject });
    expect(await client.getEntry(request)).toBe(answer);
    expect(seen).toBe(request);
    await bus.close();
  });

  it('lets the newest server of a subject have the calls, and the older one after it stopped', async () => {
    const { bus, client } = start();
    const serve = (key: string) =>
      serveService(bus, StoreServiceService, { getEntry: async () => GetEntryResponse.create({ key }) }, { subjectFor: subject });
    await serve('old');
    const newer = await serve('new');
    expect((await client.getEntry(request)).key).toBe('new');
    await newer.stop();
    expect((await client.getEntry(request)).key).toBe('old');
    await bus.close();
  });

  it('refuses a call beyond the bound of those under way', async () => {
    const { bus, client, clock } = start();
    const getEntry = () => new Promise<GetEntryResponse>(() => undefined);
    await serveService(bus, StoreServiceService, { getEntry }, { subjectFor: subject });
    const open = Array.from({ length: MAX_CALLS_IN_FLIGHT }, () => client.getEntry(request).catch(() => 'ended'));
    await settle();
    await expect(client.getEntry(request)).rejects.toMatchObject({ reason: 'OVERLOADED' });
    await clock.advance(60_000);
    expect(new Set(await Promise.all(open))).toEqual(new Set(['ended']));
    await bus.close();
  });

  it('leaves no timer behind once calls, streams and jobs are over', async () => {
    const { bus, client, clock } = start();
    await serveService(
      bus,
      StoreServiceService,
      {
        getEntry: async () => GetEntryResponse.create({}),
        readTrajectory: async function* () {
          for (let number = 0; number < 100; number += 1) yield { file: '', lines: [], unreadable: [] };
        },
      },
      { subjectFor: subject },
    );
    await client.getEntry(request);
    for await (const { lines } of client.readTrajectory({ agentId: 'main', by: request.by, follow: false })) {
      expect(lines).toEqual([]);
    }
    for await (const { lines } of client.readTrajectory({ agentId: 'main', by: request.by, follow: false })) {
      expect(lines).toEqual([]);
      break;
    }
    await settle();
    expect(clock.waiting).toBe(0);
    await bus.close();
  });
});
