/** However many mutations ask while a checkpoint is running, one follows it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { JOURNAL_BYTES_MAX } from './checkpoint';
import { CheckpointSchedule } from './checkpoint-schedule';

/** A store whose checkpoints end when they are told to. */
function storeWith(keptBytes: number) {
  const journal = { syncedSeq: 1, keptBytes };
  const ends: ((error?: Error) => void)[] = [];
  const failures: unknown[] = [];
  const schedule = new CheckpointSchedule({
    delayMs: 0,
    monotonicMs: () => performance.now(),
    journal,
    mayRun: () => true,
    run: () =>
      new Promise<void>((resolve, reject) => {
        ends.push((error) => {
          schedule.ended(error === undefined ? { durationMs: 0, bytes: 0 } : undefined);
          if (error === undefined) resolve();
          else reject(error);
        });
      }),
    onFailure: (error) => failures.push(error),
  });
  return { schedule, journal, ends, failures };
}

const turns = async (count: number, each: () => void): Promise<void> => {
  for (let turn = 0; turn < count; turn += 1) {
    each();
    await sleep(1);
  }
};

it.each([{ soon: false }, { soon: true }])('runs one behind the one that is running, however often it is asked for ($soon)', async ({ soon }) => {
  const { schedule, journal, ends } = storeWith(JOURNAL_BYTES_MAX + 1);
  await turns(20, () => {
    journal.syncedSeq += 1;
    schedule.ask(soon);
  });
  expect(ends).toHaveLength(1);
  ends[0]?.();
  await sleep(20);
  expect(ends).toHaveLength(2);
  ends[1]?.();
  await sleep(20);
  expect(ends).toHaveLength(2);
});

it('runs none behind one that has everything, unless one is asked for at once', async () => {
  const { schedule, ends } = storeWith(0);
  schedule.ask();
  await sleep(5);
  ends[0]?.();
  await sleep(20);
  expect(ends).toHaveLength(1);
  schedule.ask();
  await sleep(5);
  schedule.ask(true);
  ends[1]?.();
  await sleep(20);
  expect(ends).toHaveLength(3);
});

it('says that one failed, and tries again later', async () => {
  const { schedule, ends, failures } = storeWith(0);
  schedule.ask();
  await sleep(5);
  ends[0]?.(new Error('no room'));
  await sleep(20);
  expect(failures).toEqual([new Error('no room')]);
  expect(ends).toHaveLength(1);
  schedule.cancel();
});
