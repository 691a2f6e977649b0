/** What becomes of calls, streams, events, jobs and leases when the server goes away, or its data. */
import { setTimeout as wait } from 'node:timers/promises';
import { Event, TurnJob, GetEntryResponse } from '@sessions/contracts';
import { reasonOf, refusal } from '../contract-suite/harness';
import { MAX_DELIVERIES } from '../limits';
import { until } from '../testing';
import { NatsBench, TIMING, again, clientOf, holder, internals, item, request, serve, streamRequest, subjects } from '../testing/nats-bench';
import { provisionNats } from './connect-nats-bus';
import type { NatsBusOptions } from './options';

jest.setTimeout(30_000);

let bench: NatsBench;
beforeEach(async () => (bench = await NatsBench.open()));
afterEach(() => bench.close());

const answering = (key: string) => ({ getEntry: async () => GetEntryResponse.create({ key }) });

describe('a server that is restarted', () => {
  it('is found again: calls work, followers are told of the gap, all of it is reported', async () => {
    const [writer, router] = [await bench.connect('store-writer'), await bench.connect('router')];
    await serve(writer, answering('k'));
    const seen: number[] = [];
    let gaps = 0;
    let reconnects = 0;
    router.onReconnect(() => (reconnects += 1));
    await router.events.subscribe(subjects.events(), Event, ({ seq }) => void seen.push(seq), { onGap: () => (gaps += 1) });
    await bench.server.kill();
    await until(() => !router.connected && !writer.connected);
    await bench.server.restart();
    await until(() => router.connected && writer.connected);
    // The server's side may be back a moment later than ours: nobody is there until then.
    expect((await again(() => clientOf(router).getEntry(request))).key).toBe('k');
    await until(() => gaps === 1 && reconnects === 1);
    writer.events.publish(subjects.event('main', 'changed', 'k'), Event, Event.create({ agentId: 'main', seq: 7 }));
    await until(() => seen.includes(7));
    expect(bench.kinds()).toEqual(expect.arrayContaining(['connected', 'disconnected', 'reconnected']));
  });

  it('gets the events that were published while the publisher\'s connection was away', async () => {
    const [writer, router] = [await bench.connect('store-writer'), await bench.connect('router')];
    const seen: number[] = [];
    await router.events.subscribe(subjects.events(), Event, ({ seq }) => void seen.push(seq));
    void internals(writer).nc.reconnect();
    await until(() => !writer.connected);
    for (const seq of [1, 2, 3]) writer.events.publish(subjects.event('main', 'changed', 'k'), Event, Event.create({ agentId: 'main', seq }));
    await until(() => seen.length === 3);
    expect(seen).toEqual([1, 2, 3]);
  });

  it('makes calls wait for it a moment, then say that nobody can be asked', async () => {
    const router = await bench.connect('router');
    await bench.server.kill();
    await until(() => !router.connected);
    const error = await refusal(clientOf(router).getEntry(request));
    expect(error.reason).toBe('NO_OWNER');
    expect(error.facts).toMatchObject({ disconnected: true });
  });

  it('leaves a mutation with an unknown outcome, a read and a stream to be asked again', async () => {
    const [writer, router] = [await bench.connect('store-writer'), await bench.connect('router')];
    let begun = 0;
    const hang = (): Promise<never> => {
      begun += 1;
      return new Promise(() => undefined);
    };
    await serve(writer, { getEntry: hang, putChunk: hang, readTrajectory: async function* () {
      begun += 1;
      yield item(1);
      await hang();
    } });
    const read = reasonOf(clientOf(router).getEntry(request, { timeoutMs: 3_000 }));
    const mutation = reasonOf(clientOf(router).putChunk({ agentId: 'main', uploadId: 'u', index: 0, data: Buffer.alloc(1), last: true }, { timeoutMs: 3_000 }));
    const stream = clientOf(router).readTrajectory(streamRequest)[Symbol.asyncIterator]();
    await stream.next();
    const next = refusal(stream.next());
    await until(() => begun >= 3);
    await bench.server.kill();
    expect(await read).toBe('NO_OWNER');
    expect(await mutation).toBe('OUTCOME_UNKNOWN');
    expect(await next).toMatchObject({ reason: 'NO_OWNER', facts: { gap: true } });
    await bench.server.restart();
  });

  it('delivers jobs and keeps leases and dead letters as before', async () => {
    const bus = await bench.connect('agent-runner');
    const lease = await bus.leases.acquire('store.main', holder(1));
    if (lease === undefined) throw new Error('the lease is held');
    await bus.jobs.consume(subjects.jobs('delivery'), TurnJob, () => Promise.reject(new TypeError('private')));
    await bus.jobs.publish(subjects.job('delivery', 'main'), TurnJob, TurnJob.create({ runId: 'd' }), 'delivery:main:d:1');
    await until(() => bench.kinds().includes('dead-letter'));
    const done: string[] = [];
    await bus.jobs.consume(subjects.jobs('turn'), TurnJob, async (job) => {
      done.push(job.value.runId);
      await job.ack();
    });
    await bench.server.restart();
    await until(() => bus.connected);
    const renewed = await again(() => bus.leases.renew(lease));
    expect(renewed.fence).toBe(lease.fence);
    await again(() => bus.jobs.publish(subjects.job('turn', 'main'), TurnJob, TurnJob.create({ runId: 'r' }), 'turn:main:r:1'));
    await until(() => done.length === 1);
    const dead = await bus.jobs.listDead(subjects.jobs('delivery'));
    expect(dead).toMatchObject([{ messageId: 'delivery:main:d:1', deliveries: MAX_DELIVERIES, problem: 'TypeError' }]);
    expect(JSON.stringify(bench.reports)).not.toContain('private');
  });
});

describe('a server whose data was deleted', () => {
  it('gets streams and bucket again; a valid lease goes on with its fence, jobs are delivered', async () => {
    const bus = await bench.connect('store-writer');
    const lease = await bus.leases.acquire('store.main', holder(1));
    if (lease === undefined) throw new Error('the lease is held');
    const done: string[] = [];
    await bus.jobs.consume(subjects.jobs('turn'), TurnJob, async (job) => {
      done.push(job.value.runId);
      await job.ack();
    });
    await bench.server.wipe();
    await until(() => bus.connected);
    const renewed = await again(() => bus.leases.renew(lease));
    expect(renewed.fence).toBe(lease.fence);
    expect((await bus.leases.read('store.main'))?.holder).toEqual(holder(1));
    await again(() => bus.jobs.publish(subjects.job('turn', 'main'), TurnJob, TurnJob.create({ runId: 'r' }), 'turn:main:r:1'));
    await until(() => done.length === 1);
    expect(await bus.jobs.listDead(subjects.jobs('turn'))).toEqual([]);
  });

  it('is told plainly where nothing may be made', async () => {
    const bus = await bench.connect('router', { provision: false });
    const publish = () => bus.jobs.publish(subjects.job('turn', 'main'), TurnJob, TurnJob.create({}), 'turn:main:r:1');
    const error = await refusal(publish());
    expect(error).toMatchObject({ reason: 'NO_OWNER', facts: { jetstreamAway: true } });
    expect(error.hint).toContain('set-up step');
    expect(bench.kinds()).toContain('jetstream-away');
    // What an operator sees of it; the stream's subjects have no listener, the consumer's are refused by name.
    await bus.jobs.consume(subjects.jobs('turn'), TurnJob, async (job) => void (await job.ack()));
    await until(() => bench.reports.some(({ kind, message }) => kind === 'jetstream-away' && message.includes('openclaw gateway setup-bus')));
    const setUp: NatsBusOptions = { servers: [bench.server.url], service: 'setup', instance: '1', subjectPrefix: 'suite', timing: TIMING };
    await provisionNats(setUp);
    await provisionNats({ ...setUp, timing: { ...TIMING, leaseTtlMs: 5_000 } });
    expect(await publish()).toEqual({ duplicate: false });
  });
});

describe('the set-up', () => {
  const setUp = (): NatsBusOptions => ({ servers: [bench.server.url], service: 'setup', instance: '1', subjectPrefix: 'late', timing: TIMING });
  const api = async (subject: string, question: unknown): Promise<void> => {
    const { nc } = internals(await bench.connect('router'));
    const answer = (await nc.request(`$JS.API.${subject}`, JSON.stringify(question), { timeout: 5_000 })).json<{ readonly error?: unknown }>();
    expect(answer.error).toBeUndefined();
  };

  it('waits for subjects that somebody has for a moment', async () => {
    await api('STREAM.CREATE.other', { name: 'other', subjects: ['late.jobs.>'] });
    const made = provisionNats(setUp());
    await wait(200);
    await api('STREAM.DELETE.other', {});
    await made;
  });

  it('is refused where another stream keeps its subjects', async () => {
    await api('STREAM.CREATE.other', { name: 'other', subjects: ['late.jobs.>'] });
    const error = await refusal(provisionNats(setUp()));
    expect(error).toMatchObject({ reason: 'CONFIG_INVALID' });
    expect(error.message).toContain('overlap');
  });
});

describe('leases', () => {
  it('of two processes go to one; the other gets it when it is given back or left', async () => {
    const [first, second] = [await bench.connect('a', { timing: { ...TIMING, leaseTtlMs: 800 } }), await bench.connect('b', { timing: { ...TIMING, leaseTtlMs: 800 } })];
    const lease = await first.leases.acquire('store.main', holder(1));
    if (lease === undefined) throw new Error('the lease is held');
    expect(await second.leases.acquire('store.main', holder(2))).toBeUndefined();
    await first.leases.release(lease);
    const taken = await second.leases.acquire('store.main', holder(2));
    expect(taken?.fence).toBeGreaterThan(lease.fence);
    expect(await reasonOf(first.leases.renew(lease))).toBe('EPOCH_SUPERSEDED');
    const beganAtMs = Date.now();
    let left = await first.leases.acquire('store.main', holder(3));
    while (left === undefined) {
      await wait(20);
      left = await first.leases.acquire('store.main', holder(3));
    }
    expect(Date.now() - beganAtMs).toBeLessThan(2_500);
    expect(left.fence).toBeGreaterThan(taken?.fence ?? Infinity);
  });

  it('that cannot be renewed because the server is away are not lost for that', async () => {
    const bus = await bench.connect('store-writer');
    const lease = await bus.leases.acquire('store.main', holder(1));
    if (lease === undefined) throw new Error('the lease is held');
    bench.server.pause();
    await wait(50);
    expect(await reasonOf(bus.leases.renew(lease))).toBe('NO_OWNER');
    bench.server.resume();
    // The renewal may have arrived, its answer did not: the next one still knows it for its own.
    expect((await again(() => bus.leases.renew(lease))).fence).toBe(lease.fence);
  });
});

describe('a job that silences its workers', () => {
  it('is a dead letter after the last delivery, though nobody could say so', async () => {
    const bus = await bench.connect('agent-runner', { timing: { ...TIMING, ackWaitMs: 250 } });
    const { nc } = internals(bus);
    const publish = nc.publish.bind(nc);
    // Nothing that a worker says of a job arrives: as if each had been killed at work.
    nc.publish = (subject, ...more) => (subject.startsWith('$JS.ACK.') && more[0] !== '+TERM' ? undefined : publish(subject, ...more));
    const deliveries: number[] = [];
    const work = (job: { readonly delivery: number }): Promise<void> => {
      deliveries.push(job.delivery);
      return new Promise(() => undefined);
    };
    await bus.jobs.consume(subjects.jobs('turn'), TurnJob, work, { concurrency: 10 });
    await bus.jobs.publish(subjects.job('turn', 'main'), TurnJob, TurnJob.create({ runId: 'r' }), 'turn:main:r:1');
    await until(() => bench.kinds().includes('dead-letter'));
    expect(deliveries).toEqual([1, 2, 3, 4, 5]);
    expect(await bus.jobs.listDead(subjects.jobs('turn'))).toMatchObject([{ messageId: 'turn:main:r:1', deliveries: MAX_DELIVERIES }]);
    await wait(600);
    expect(deliveries).toHaveLength(MAX_DELIVERIES);
  });
});
