/** What is found of a store that was opened, while mutations go on beside it. */
import { createInProcessBus, createSubjects } from '@sessions/bus';
import { silentLogger } from '@sessions/host';
import { createManualClock } from '@sessions/host/testing';
import type { AgentStore, Effect } from '@sessions/store';
import { OpenWork, type OpenWorkDeps } from './open-work';

const KEY = 'agent:main:telegram:direct:1';
const RUN = { runId: 'r', state: 'running', acceptedAt: 1_000_000, sessionId: 's', attempt: 1, runnerId: 'runner/a', request: { runId: 'r' }, mode: 'collect' };
const delivery = (deliveryId: string) => ({ deliveryId, createdAt: 1_000_000, channel: 'telegram', message: {} });

/** A store with one entry, which is read when `read` is called. */
function scene(stored: object) {
  const clock = createManualClock(1_000_000);
  const bus = createInProcessBus({ copy: true });
  const nothing = () => undefined;
  const parts = { compactions: { asked: nothing }, approvals: { found: nothing }, events: { publish: nothing }, spool: {}, expire: () => Promise.resolve() } as unknown as OpenWorkDeps;
  const work = new OpenWork({ ...parts, bus, subjects: createSubjects(), agentId: 'main', owner: 'store-writer/test', clock, logger: silentLogger });
  let read = nothing as () => void;
  const isRead = new Promise<void>((resolve) => (read = resolve));
  const openWork = async function* () {
    await isRead;
    yield { key: KEY, text: JSON.stringify({ sessionId: 's', updatedAt: 1, ...stored }), sessionId: 's' };
  };
  work.find({ facts: { openWork } } as unknown as AgentStore);
  const note = (set: object, seq: number, clear: readonly string[] = []): void => work.note([{ kind: 'putEntry', key: KEY, set, clear } as unknown as Effect], seq);
  const end = async (): Promise<void> => {
    work.close();
    await bus.close();
  };
  return { work, read, note, end };
}

it('finds the deliveries of an entry in which a message was queued meanwhile', async () => {
  const { work, read, note, end } = scene({ openDeliveries: [delivery('d')] });
  note({ openRuns: [{ ...RUN, state: 'queued', runnerId: undefined }] }, 7);
  read();
  expect(await work.keyOfDelivery('d')).toBe(KEY);
  expect([await work.keyOfRun('r'), work.counts]).toEqual([KEY, { runs: 1, deliveries: 1 }]);
  await end();
});

it('finds the run of an entry in which a command was answered meanwhile, and who has it', async () => {
  const { work, read, note, end } = scene({ openRuns: [RUN] });
  note({ openDeliveries: [delivery('reply')] }, 7);
  read();
  await work.found();
  expect(work.claimOf('r')).toMatchObject({ attempt: 1, runnerId: 'runner/a' });
  expect([await work.keyOfRun('r'), await work.keyOfDelivery('reply')]).toEqual([KEY, KEY]);
  await end();
});

it('takes up nothing that ended meanwhile, as an older reading has it', async () => {
  const { work, read, note, end } = scene({ openRuns: [RUN], openDeliveries: [delivery('d')] });
  note({}, 7, ['openRuns']);
  note({}, 8, ['openDeliveries']);
  read();
  await work.found();
  expect([work.isBusy, work.counts, work.keys()]).toEqual([false, { runs: 0, deliveries: 0 }, []]);
  await end();
});

it('takes up nothing of an entry that was removed meanwhile', async () => {
  const { work, read, end } = scene({ openRuns: [RUN] });
  work.note([{ kind: 'removeEntry', key: KEY }], 7);
  read();
  await work.found();
  expect(work.counts).toEqual({ runs: 0, deliveries: 0 });
  await end();
});
