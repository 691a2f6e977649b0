/** Jobs: what holds on every transport. */
import { TurnJob } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import type { Job } from '../bus';
import { MAX_DELIVERIES, MAX_JOB_BYTES } from '../limits';
import { createSubjects } from '../subjects';
import { redeliveryDelayMs } from '../timing';
import type { BusHarness, CreateHarness } from './harness';
import { deferred, reasonOf, until } from './harness';

const subjects = createSubjects('suite');
const turn = (runId: string) => TurnJob.create({ agentId: 'main', runId, attempt: 1, sessionKey: 'agent:main:main' });

export function describeJobs(create: CreateHarness): void {
  describe('jobs', () => {
    let harness: BusHarness;
    beforeEach(async () => (harness = await create()));
    afterEach(() => harness.close());

    const publish = (runId: string, messageId = `turn:main:${runId}:1`) =>
      harness.bus.jobs.publish(subjects.job('turn', 'main'), TurnJob, turn(runId), messageId);
    const consume = (handler: (job: Job<TurnJob>) => Promise<void>, concurrency = 1) =>
      harness.bus.jobs.consume(subjects.jobs('turn'), TurnJob, handler, { concurrency });

    it('wait for a consumer, and go to one of several once', async () => {
      for (let number = 0; number < 20; number += 1) await publish(`r${number}`);
      const done: string[] = [];
      const take = async (job: Job<TurnJob>) => {
        done.push(job.value.runId);
        await job.ack();
      };
      await consume(take);
      await consume(take);
      await until(() => done.length >= 20);
      await harness.advance(harness.timing.ackWaitMs * 2);
      expect([...done].sort()).toEqual(Array.from({ length: 20 }, (_, number) => `r${number}`).sort());
    });

    it('are taken no more at a time than their consumer says', async () => {
      const gate = deferred();
      let open = 0;
      let most = 0;
      let done = 0;
      await consume(async (job) => {
        open += 1;
        most = Math.max(most, open);
        await gate.promise;
        open -= 1;
        done += 1;
        await job.ack();
      }, 3);
      for (let number = 0; number < 9; number += 1) await publish(`r${number}`);
      await until(() => open === 3);
      await harness.settle();
      gate.resolve();
      await until(() => done === 9);
      expect(most).toBe(3);
    });

    it('that wait are taken as soon as a consumer has a place, none is given back for want of one', async () => {
      const [JOBS, EACH] = [60, 3];
      const held = [new Map<Job<TurnJob>, () => void>(), new Map<Job<TurnJob>, () => void>()];
      const deliveries: number[] = [];
      const done: string[] = [];
      for (const mine of held) {
        await consume(async (job) => {
          deliveries.push(job.delivery);
          const gate = deferred();
          mine.set(job, gate.resolve);
          await gate.promise;
          mine.delete(job);
          done.push(job.value.runId);
          await job.ack();
        }, EACH);
      }
      for (let number = 0; number < JOBS; number += 1) await publish(`r${number}`);
      while (done.length < JOBS) {
        const left = JOBS - done.length;
        // As long as enough wait, every place of each is taken; nobody holds more.
        await until(() => held.reduce((sum, { size }) => sum + size, 0) === Math.min(left, 2 * EACH));
        expect(held.every(({ size }) => size <= EACH)).toBe(true);
        for (const job of held.flatMap((mine) => [...mine.keys()])) await job.inProgress();
        const before = done.length;
        [...(held.find(({ size }) => size > 0)?.values() ?? [])][0]?.();
        await until(() => done.length > before);
      }
      expect(new Set(done).size).toBe(JOBS);
      expect(deliveries).toEqual(Array.from({ length: JOBS }, () => 1));
    });

    it('are taken in the number that is asked for anew at each', async () => {
      let places = 1;
      const ends: (() => void)[] = [];
      await harness.bus.jobs.consume(subjects.jobs('turn'), TurnJob, async (job) => {
        await new Promise<void>((resolve) => ends.push(resolve));
        await job.ack();
      }, { concurrency: () => places });
      for (let number = 0; number < 5; number += 1) await publish(`r${number}`);
      await until(() => ends.length === 1);
      places = 3;
      ends[0]?.();
      await until(() => ends.length === 4);
      await harness.settle();
      expect(ends).toHaveLength(4);
      for (const end of ends.slice(1)) end();
      await until(() => ends.length === 5);
      ends[4]?.();
    });

    it('of one message id are queued once within the window', async () => {
      expect(await publish('r1')).toEqual({ duplicate: false });
      expect(await publish('r1')).toEqual({ duplicate: true });
      expect(await publish('r1', 'turn:main:r1:2')).toEqual({ duplicate: false });
      await harness.advance(harness.timing.duplicateWindowMs + 1 + harness.slackMs);
      expect(await publish('r1')).toEqual({ duplicate: false });
    });

    it('come again, later each time, until they are acknowledged', async () => {
      const deliveries: number[] = [];
      await consume(async (job) => {
        deliveries.push(job.delivery);
        if (job.delivery < 3) throw new SessionError('MODEL_FAILED', 'not now');
        await job.ack();
      });
      await publish('r1');
      await until(() => deliveries.length === 1);
      await harness.advance(redeliveryDelayMs(harness.timing, 1) + 1 + harness.slackMs);
      await until(() => deliveries.length === 2);
      await harness.advance(redeliveryDelayMs(harness.timing, 1) + 1 + harness.slackMs);
      expect(deliveries).toEqual([1, 2]);
      await harness.advance(redeliveryDelayMs(harness.timing, 2) + 1 + harness.slackMs);
      await until(() => deliveries.length === 3);
      await harness.advance(redeliveryDelayMs(harness.timing, 3) + 1 + harness.slackMs);
      expect(deliveries).toEqual([1, 2, 3]);
      expect(await harness.bus.jobs.listDead(subjects.jobs('turn'))).toEqual([]);
    });

    it('come again when a handler ends without acknowledging', async () => {
      let deliveries = 0;
      await consume(async (job) => {
        deliveries += 1;
        if (job.delivery > 1) await job.ack();
      });
      await publish('r1');
      await until(() => deliveries === 1);
      await harness.advance(redeliveryDelayMs(harness.timing, 1) + 1 + harness.slackMs);
      await until(() => deliveries === 2);
    });

    it('come again when their worker falls silent, which learns of it', async () => {
      const jobs: Job<TurnJob>[] = [];
      await consume(async (job) => {
        jobs.push(job);
        if (job.delivery === 1) await new Promise(() => undefined);
        await job.ack();
      }, 2);
      await publish('r1');
      await until(() => jobs.length === 1);
      await harness.advance(harness.timing.ackWaitMs + 1 + harness.slackMs);
      await until(() => jobs[0]?.signal.aborted === true);
      expect(await jobs[0]?.ack()).toBe(false);
      await harness.advance(redeliveryDelayMs(harness.timing, 1) + 1 + harness.slackMs);
      await until(() => jobs.length === 2);
    });

    it('stay with a worker that reports progress', async () => {
      const jobs: Job<TurnJob>[] = [];
      await consume(async (job) => {
        jobs.push(job);
        await new Promise(() => undefined);
      }, 2);
      await publish('r1');
      await until(() => jobs.length === 1);
      for (let beat = 0; beat < 6; beat += 1) {
        await harness.advance(harness.timing.inProgressMs);
        expect(await jobs[0]?.inProgress()).toBe(true);
      }
      expect(jobs).toHaveLength(1);
      expect(await jobs[0]?.ack()).toBe(true);
      await harness.advance(harness.timing.ackWaitMs * 2);
      expect(jobs).toHaveLength(1);
    });

    it('come back when asked to, after the delay that was asked for', async () => {
      const deliveries: number[] = [];
      await consume(async (job) => {
        deliveries.push(job.delivery);
        if (job.delivery === 1) await job.retry(harness.timing.redeliveryMs * 3);
        else await job.ack();
      });
      await publish('r1');
      await until(() => deliveries.length === 1);
      await harness.advance(harness.timing.redeliveryMs * 2);
      expect(deliveries).toEqual([1]);
      await harness.advance(harness.timing.redeliveryMs + 1 + harness.slackMs);
      await until(() => deliveries.length === 2);
    });

    it.each([
      [new SessionError('MODEL_FAILED', 'the private text'), 'MODEL_FAILED'],
      [new TypeError('the private text'), 'TypeError'],
    ])('become dead letters after the last delivery, with the kind of failure and no text', async (failure, problem) => {
      let deliveries = 0;
      await consume(async () => {
        deliveries += 1;
        throw failure;
      });
      await publish('r1');
      for (let delivery = 1; delivery <= MAX_DELIVERIES; delivery += 1) {
        await until(() => deliveries === delivery);
        if (delivery < MAX_DELIVERIES) await harness.advance(redeliveryDelayMs(harness.timing, delivery) + 1 + harness.slackMs);
      }
      await harness.settle();
      await harness.advance(harness.timing.ackWaitMs * 2);
      expect(deliveries).toBe(MAX_DELIVERIES);
      const dead = await harness.bus.jobs.listDead(subjects.jobs('turn'));
      expect(dead).toHaveLength(1);
      expect(dead[0]).toMatchObject({ messageId: 'turn:main:r1:1', deliveries: MAX_DELIVERIES, problem });
      expect(await harness.bus.jobs.listDead(subjects.jobs('delivery'))).toEqual([]);
    });

    it('go to another consumer when theirs stops', async () => {
      let first = 0;
      const consumer = await consume(async () => {
        first += 1;
        await new Promise(() => undefined);
      });
      await publish('r1');
      await until(() => first === 1);
      const second: string[] = [];
      await consume(async (job) => {
        second.push(job.value.runId);
        await job.ack();
      });
      await consumer.stop();
      await harness.advance(harness.timing.ackWaitMs + redeliveryDelayMs(harness.timing, 1));
      await until(() => second.length === 1);
      expect(first).toBe(1);
    });

    it('are refused above their size, by name', async () => {
      expect(await reasonOf(publish('r'.repeat(MAX_JOB_BYTES)))).toBe('TOO_LARGE');
    });
  });
}
