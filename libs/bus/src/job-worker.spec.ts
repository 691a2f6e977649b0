import { CompactionJob } from '@sessions/contracts';
import type { Bus } from './bus';
import { ManualClock, until } from './contract-suite/harness';
import { createInProcessBus } from './inproc/create-in-process-bus';
import { createJobWorker, type HandleJob, type JobEnd, type JobWorker } from './job-worker';
import { createSubjects } from './subjects';
import { DEFAULT_TIMING } from './timing';

const subjects = createSubjects();

interface Gate {
  readonly passed: Promise<void>;
  open(): void;
}

function gate(): Gate {
  let open: () => void = () => undefined;
  const passed = new Promise<void>((resolve) => (open = resolve));
  return { passed, open };
}

describe('a worker of jobs', () => {
  let clock: ManualClock;
  let bus: Bus;
  let worker: JobWorker;
  let ends: JobEnd<CompactionJob>[];
  beforeEach(() => {
    clock = new ManualClock();
    bus = createInProcessBus({ clock });
    ends = [];
  });
  afterEach(async () => {
    await worker.stop();
    await bus.close();
  });

  async function start(handle: HandleJob<CompactionJob>, concurrency = 2): Promise<void> {
    worker = createJobWorker({ bus, pattern: subjects.jobs('compaction'), codec: CompactionJob, concurrency, inProgressMs: DEFAULT_TIMING.inProgressMs, handle, onEnd: (end) => ends.push(end) });
    await worker.start();
  }
  const publish = (operationId: string): Promise<unknown> =>
    bus.jobs.publish(subjects.job('compaction', 'main'), CompactionJob, CompactionJob.create({ agentId: 'main', operationId, attempt: 1 }), operationId);
  const outcomes = (): string[] => ends.map(({ outcome, value }) => `${value.operationId} ${outcome}`);

  it('does so many at a time, and acknowledges what is done', async () => {
    const gates = [gate(), gate(), gate()];
    let begun = 0;
    await start(async () => {
      await gates[begun++]?.passed;
      return { done: true };
    });
    for (const id of ['a', 'b', 'c']) await publish(id);
    await until(() => worker.running === 2);
    expect(begun).toBe(2);
    gates[0]?.open();
    await until(() => begun === 3);
    for (const one of gates) one.open();
    await until(() => ends.length === 3);
    expect(outcomes().sort()).toEqual(['a done', 'b done', 'c done']);
    await clock.advance(DEFAULT_TIMING.ackWaitMs * 2);
    expect(begun).toBe(3);
  });

  it('reports a long job as in progress, so that it stays its own', async () => {
    const work = gate();
    let begun = 0;
    await start(async () => {
      begun += 1;
      await work.passed;
      return { done: true };
    });
    await publish('long');
    await until(() => begun === 1);
    for (let turn = 0; turn < 10; turn += 1) await clock.advance(DEFAULT_TIMING.inProgressMs);
    expect(begun).toBe(1);
    work.open();
    await until(() => ends.length === 1);
    expect(outcomes()).toEqual(['long done']);
  });

  it('gives back what it cannot do now, and what failed; neither is lost', async () => {
    const answers: (() => Promise<{ done: true } | { retry: string; afterMs?: number }>)[] = [
      async () => ({ retry: 'not-yet', afterMs: 500 }),
      () => Promise.reject(new Error('no')),
      async () => ({ done: true }),
    ];
    await start(() => (answers.shift() as (typeof answers)[number])());
    await publish('x');
    await until(() => ends.length === 1);
    await clock.advance(499);
    expect(ends).toHaveLength(1);
    await clock.advance(1);
    await until(() => ends.length === 2);
    await clock.advance(60_000);
    await until(() => ends.length === 3);
    expect(ends.map(({ outcome, reason, delivery }) => [outcome, reason, delivery])).toEqual([['retry', 'not-yet', 1], ['failed', undefined, 2], ['done', undefined, 3]]);
  });

  it('drains: begins nothing more, finishes what is under way, and gives the rest back untouched', async () => {
    const work = gate();
    const begun: string[] = [];
    await start(async ({ operationId }) => {
      begun.push(operationId);
      await work.passed;
      return { done: true };
    }, 1);
    await publish('first');
    await publish('second');
    await until(() => begun.length === 1);
    const drained = worker.drain();
    work.open();
    await drained;
    expect(outcomes()).toEqual(['first done']);
    expect(begun).toEqual(['first']);
    const taken: number[] = [];
    await bus.jobs.consume(subjects.jobs('compaction'), CompactionJob, async (job) => {
      taken.push(job.delivery);
      await job.ack();
    });
    await clock.advance(1);
    await until(() => taken.length === 1);
  });

  it('gives back what does not end in time, and tells it', async () => {
    let aborted = false;
    await start(
      (_job, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            aborted = true;
            reject(new Error('told'));
          });
        }),
    );
    await publish('stuck');
    await until(() => worker.running === 1);
    void worker.drain();
    await worker.stop();
    await until(() => ends.length === 1);
    expect(aborted).toBe(true);
    expect(outcomes()).toEqual(['stuck taken-back']);
  });
});
