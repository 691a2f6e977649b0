/** What happens to calls, streams, events, jobs and leases when the server or a peer goes away. */
import { setTimeout as wait } from 'node:timers/promises';
import { Event, GetEntryResponse, StoreServiceService, TurnJob } from '@sessions/contracts';
import type { ReadTrajectoryResponse } from '@sessions/contracts';
import type { Handlers } from '../bind-service';
import { createClient, serveService } from '../bind-service';
import type { CallContext, LeaseHolder } from '../bus';
import { meta, reasonOf, refusal } from '../contract-suite/harness';
import { MAX_DELIVERIES, MAX_PAYLOAD_BYTES } from '../limits';
import { createSubjects } from '../subjects';
import type { NatsServer } from '../testing';
import { startNatsServer, until } from '../testing';
import type { BusTiming } from '../timing';
import { connectNatsBus, provisionNats } from './connect-nats-bus';
import type { BusReport, NatsBus, NatsBusOptions } from './options';

jest.setTimeout(30_000);

const TIMING: Partial<BusTiming> = { streamCreditMs: 1_000, streamBeatMs: 300, ackWaitMs: 1_000, redeliveryMs: 10, leaseTtlMs: 4_000 };
const subjects = createSubjects('suite');
const request = { agentId: 'main', by: { $case: 'key' as const, value: 'agent:main:main' }, includeFacts: false };
const streamRequest = { agentId: 'main', by: request.by, follow: true };
const item = (number: number): ReadTrajectoryResponse => ({ file: String(number), lines: [], unreadable: [] });
const holder = (number: number): LeaseHolder => ({ instance: `store-writer/${number}`, epoch: number, host: 'host', pid: number, acquiredAtMs: 0 });

let server: NatsServer;
let opened: NatsBus[] = [];
let reports: BusReport[] = [];

beforeEach(async () => {
  server = await startNatsServer();
  reports = [];
});
afterEach(async () => {
  await Promise.all(opened.map((bus) => bus.close()));
  opened = [];
  await server.stop();
});

async function connect(service: string, more: Partial<NatsBusOptions> = {}): Promise<NatsBus> {
  const bus = await connectNatsBus({
    servers: [server.url],
    service,
    instance: '1',
    subjectPrefix: 'suite',
    timing: TIMING,
    provision: true,
    onReport: (report) => reports.push(report),
    ...more,
  });
  opened.push(bus);
  return bus;
}

const serve = (bus: NatsBus, handlers: Partial<Handlers<typeof StoreServiceService>>, queueGroup?: string, agentId = 'main') =>
  serveService(bus, StoreServiceService, handlers, {
    subjectFor: (method) => subjects.store(agentId, method),
    ...(queueGroup !== undefined && { queueGroup }),
  });
const clientOf = (bus: NatsBus) =>
  createClient(bus, StoreServiceService, { subject: (method) => subjects.store('main', method), caller: 'service:test/1' });
const answering = (key: string) => ({ getEntry: async () => GetEntryResponse.create({ key }) });
const kinds = (): string[] => reports.map(({ kind }) => kind);

describe('a server that is restarted', () => {
  it('is found again: calls work, followers are told of the gap, all of it is reported', async () => {
    const [writer, router] = [await connect('store-writer'), await connect('router')];
    await serve(writer, answering('k'));
    const seen: number[] = [];
    let gaps = 0;
    let reconnects = 0;
    router.onReconnect(() => (reconnects += 1));
    await router.events.subscribe(subjects.events(), Event, ({ seq }) => void seen.push(seq), { onGap: () => (gaps += 1) });
    await server.kill();
    await until(() => !router.connected && !writer.connected);
    await server.restart();
    await until(() => router.connected && writer.connected);
    expect((await clientOf(router).getEntry(request)).key).toBe('k');
    await until(() => gaps === 1 && reconnects === 1);
    writer.events.publish(subjects.event('main', 'changed', 'k'), Event, Event.create({ agentId: 'main', seq: 7 }));
    await until(() => seen.includes(7));
    expect(kinds()).toEqual(expect.arrayContaining(['connected', 'disconnected', 'reconnected']));
  });

  it('gets the events that were published while the publisher\'s connection was away', async () => {
    const [writer, router] = [await connect('store-writer'), await connect('router')];
    const seen: number[] = [];
    await router.events.subscribe(subjects.events(), Event, ({ seq }) => void seen.push(seq));
    void internals(writer).nc.reconnect();
    await until(() => !writer.connected);
    for (const seq of [1, 2, 3]) writer.events.publish(subjects.event('main', 'changed', 'k'), Event, Event.create({ agentId: 'main', seq }));
    await until(() => seen.length === 3);
    expect(seen).toEqual([1, 2, 3]);
  });

  it('makes calls wait for it a moment, then say that nobody can be asked', async () => {
    const router = await connect('router');
    await server.kill();
    await until(() => !router.connected);
    const error = await refusal(clientOf(router).getEntry(request));
    expect(error.reason).toBe('NO_OWNER');
    expect(error.facts).toMatchObject({ disconnected: true });
  });

  it('leaves a mutation with an unknown outcome, a read and a stream to be asked again', async () => {
    const [writer, router] = [await connect('store-writer'), await connect('router')];
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
    await server.kill();
    expect(await read).toBe('NO_OWNER');
    expect(await mutation).toBe('OUTCOME_UNKNOWN');
    expect(await next).toMatchObject({ reason: 'NO_OWNER', facts: { gap: true } });
    await server.restart();
  });

  it('delivers jobs and keeps leases and dead letters as before', async () => {
    const bus = await connect('agent-runner');
    const lease = await bus.leases.acquire('store.main', holder(1));
    if (lease === undefined) throw new Error('the lease is held');
    await bus.jobs.consume(subjects.jobs('delivery'), TurnJob, () => Promise.reject(new TypeError('private')));
    await bus.jobs.publish(subjects.job('delivery', 'main'), TurnJob, TurnJob.create({ runId: 'd' }), 'delivery:main:d:1');
    await until(() => kinds().includes('dead-letter'));
    const done: string[] = [];
    await bus.jobs.consume(subjects.jobs('turn'), TurnJob, async (job) => {
      done.push(job.value.runId);
      await job.ack();
    });
    await server.restart();
    await until(() => bus.connected);
    const renewed = await again(() => bus.leases.renew(lease));
    expect(renewed.fence).toBe(lease.fence);
    await again(() => bus.jobs.publish(subjects.job('turn', 'main'), TurnJob, TurnJob.create({ runId: 'r' }), 'turn:main:r:1'));
    await until(() => done.length === 1);
    const dead = await bus.jobs.listDead(subjects.jobs('delivery'));
    expect(dead).toMatchObject([{ messageId: 'delivery:main:d:1', deliveries: MAX_DELIVERIES, problem: 'TypeError' }]);
    expect(JSON.stringify(reports)).not.toContain('private');
  });
});

describe('a server whose data was deleted', () => {
  it('gets streams and bucket again; a valid lease goes on with its fence, jobs are delivered', async () => {
    const bus = await connect('store-writer');
    const lease = await bus.leases.acquire('store.main', holder(1));
    if (lease === undefined) throw new Error('the lease is held');
    const done: string[] = [];
    await bus.jobs.consume(subjects.jobs('turn'), TurnJob, async (job) => {
      done.push(job.value.runId);
      await job.ack();
    });
    await server.wipe();
    await until(() => bus.connected);
    const renewed = await again(() => bus.leases.renew(lease));
    expect(renewed.fence).toBe(lease.fence);
    expect((await bus.leases.read('store.main'))?.holder).toEqual(holder(1));
    await again(() => bus.jobs.publish(subjects.job('turn', 'main'), TurnJob, TurnJob.create({ runId: 'r' }), 'turn:main:r:1'));
    await until(() => done.length === 1);
    expect(await bus.jobs.listDead(subjects.jobs('turn'))).toEqual([]);
  });

  it('is told plainly where nothing may be made', async () => {
    const bus = await connect('router', { provision: false });
    const publish = () => bus.jobs.publish(subjects.job('turn', 'main'), TurnJob, TurnJob.create({}), 'turn:main:r:1');
    const error = await refusal(publish());
    expect(error).toMatchObject({ reason: 'NO_OWNER', facts: { jetstreamAway: true } });
    expect(error.hint).toContain('set-up step');
    expect(kinds()).toContain('jetstream-away');
    const setUp: NatsBusOptions = { servers: [server.url], service: 'setup', instance: '1', subjectPrefix: 'suite', timing: TIMING };
    await provisionNats(setUp);
    await provisionNats({ ...setUp, timing: { ...TIMING, leaseTtlMs: 5_000 } });
    expect(await publish()).toEqual({ duplicate: false });
  });
});

describe('leases', () => {
  it('of two processes go to one; the other gets it when it is given back or left', async () => {
    const [first, second] = [await connect('a', { timing: { ...TIMING, leaseTtlMs: 800 } }), await connect('b', { timing: { ...TIMING, leaseTtlMs: 800 } })];
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
    const bus = await connect('store-writer');
    const lease = await bus.leases.acquire('store.main', holder(1));
    if (lease === undefined) throw new Error('the lease is held');
    server.pause();
    await wait(50);
    expect(await reasonOf(bus.leases.renew(lease))).toBe('NO_OWNER');
    server.resume();
    // The renewal may have arrived, its answer did not: the next one still knows it for its own.
    expect((await again(() => bus.leases.renew(lease))).fence).toBe(lease.fence);
  });
});

describe('peers', () => {
  it('of a queue group share its calls', async () => {
    const router = await connect('router');
    const counts = [0, 0];
    for (const place of [0, 1]) {
      await serve(await connect('store-writer'), { getEntry: async () => {
        counts[place] = (counts[place] ?? 0) + 1;
        return GetEntryResponse.create({});
      } }, 'store-writer');
    }
    await Promise.all(Array.from({ length: 100 }, () => clientOf(router).getEntry(request)));
    expect(Math.min(...counts)).toBeGreaterThan(0);
    expect((counts[0] ?? 0) + (counts[1] ?? 0)).toBe(100);
  });

  it('free a stream whose reader died', async () => {
    const [writer, router] = [await connect('store-writer'), await connect('router')];
    let context: CallContext | undefined;
    await serve(writer, { readTrajectory: async function* (_request, given) {
      context = given;
      yield item(1);
      await new Promise(() => undefined);
    } });
    const reader = clientOf(router).readTrajectory(streamRequest)[Symbol.asyncIterator]();
    await reader.next();
    // As if its process had been killed: no goodbye, no answers to beats.
    const waiting = reader.next().catch(() => undefined);
    await internals(router).nc.close();
    await until(() => context?.signal.aborted === true);
    await waiting;
  });

  it('free a stream whose reader hangs', async () => {
    const [writer, router] = [await connect('store-writer'), await connect('router')];
    let context: CallContext | undefined;
    await serve(writer, { readTrajectory: async function* (_request, given) {
      context = given;
      yield item(1);
      await new Promise(() => undefined);
    } });
    const reader = clientOf(router).readTrajectory(streamRequest)[Symbol.asyncIterator]();
    await reader.next();
    // Its connection stands, but nobody answers: as in a process that is stopped.
    Object.defineProperty(internals(router).nc, 'publish', { value: () => undefined });
    await until(() => context?.signal.aborted === true);
    expect(context?.signal.reason).toMatchObject({ reason: 'OVERLOADED' });
  });

  it('notice that the server of a stream died', async () => {
    const [writer, router] = [await connect('store-writer'), await connect('router')];
    await serve(writer, { readTrajectory: async function* () {
      yield item(1);
      await new Promise(() => undefined);
    } });
    const reader = clientOf(router).readTrajectory(streamRequest)[Symbol.asyncIterator]();
    await reader.next();
    const next = refusal(reader.next());
    // Its connection goes, its process says nothing.
    const { nc } = internals(writer);
    await nc.close();
    expect(await next).toMatchObject({ reason: 'NO_OWNER', facts: { gap: true } });
  });

  it('two that serve one store are heard during a hand-over: the new owner\'s answer counts', async () => {
    const [older, newer, router] = [await connect('store-writer'), await connect('store-writer'), await connect('router')];
    const { SessionError } = await import('@sessions/domain');
    await serve(older, { getEntry: () => Promise.reject(new SessionError('NOT_OWNER', 'handed over')) });
    expect(await reasonOf(clientOf(router).getEntry(request))).toBe('NOT_OWNER');
    await serve(newer, answering('new'));
    expect((await clientOf(router).getEntry(request)).key).toBe('new');
  });

  it('are answered UNSUPPORTED for a method that the store\'s owner does not know', async () => {
    const [writer, router] = [await connect('store-writer'), await connect('router')];
    const { getEntry } = StoreServiceService;
    await writer.rpc.serve(subjects.store('main', 'GetEntry'), getEntry, async () => GetEntryResponse.create({}));
    const other = router.rpc.call(subjects.store('main', 'Newer'), getEntry, request, { meta: meta(), timeoutMs: 2_000 });
    expect(await reasonOf(other)).toBe('UNSUPPORTED');
  });
});

describe('what is left behind', () => {
  it('is nothing, once calls and streams are over', async () => {
    const [writer, router] = [await connect('store-writer'), await connect('router')];
    const before = internals(writer).nc.protocol.subscriptions.size();
    const served = await serve(writer, {
      getEntry: async () => {
        await wait(40);
        return GetEntryResponse.create({});
      },
      readTrajectory: async function* () {
        for (let number = 1; ; number += 1) yield item(number);
      },
    });
    // One subscription for the thirty methods of a store.
    expect(internals(writer).nc.protocol.subscriptions.size()).toBe(before + 1);
    await Promise.all(Array.from({ length: 20 }, () => clientOf(router).getEntry(request)));
    for await (const { file } of clientOf(router).readTrajectory(streamRequest)) if (file === '50') break;
    await reasonOf(clientOf(router).getEntry(request, { timeoutMs: 10 }));
    await until(() => internals(writer).open === 0 && internals(router).open === 0);
    await served.stop();
    await until(() => internals(writer).nc.protocol.subscriptions.size() === before);
  });
});

describe('a job that silences its workers', () => {
  it('is a dead letter after the last delivery, though nobody could say so', async () => {
    const bus = await connect('agent-runner', { timing: { ...TIMING, ackWaitMs: 250 } });
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
    await until(() => kinds().includes('dead-letter'));
    expect(deliveries).toEqual([1, 2, 3, 4, 5]);
    expect(await bus.jobs.listDead(subjects.jobs('turn'))).toMatchObject([{ messageId: 'turn:main:r:1', deliveries: MAX_DELIVERIES }]);
    await wait(600);
    expect(deliveries).toHaveLength(MAX_DELIVERIES);
  });
});

describe('permissions and sizes', () => {
  it('that the server refuses are reported and named, not waited for', async () => {
    await server.stop();
    server = await startNatsServer({
      config: `authorization { users: [
        { user: admin, password: secret-word },
        { user: router, password: secret-word, permissions: { publish: ["suite.rpc.router.>", "$SRV.>"], subscribe: ["_INBOX_router.>"] } } ] }`,
    });
    const url = server.url.replace('nats://', 'nats://router:secret-word@');
    const router = await connect('router', { servers: [url], provision: false });
    const error = await refusal(clientOf(router).getEntry(request, { timeoutMs: 5_000 }));
    expect(error).toMatchObject({ reason: 'CONFIG_INVALID', facts: { subject: subjects.store('main', 'GetEntry') } });
    await expect(router.events.subscribe(subjects.events(), Event, () => undefined)).rejects.toMatchObject({ reason: 'CONFIG_INVALID' });
    await expect(serve(router, answering('k'))).rejects.toMatchObject({ reason: 'CONFIG_INVALID' });
    expect(reports).toContainEqual(expect.objectContaining({ kind: 'permission', operation: 'publish', subject: subjects.store('main', 'GetEntry') }));
    const wrong = server.url.replace('nats://', 'nats://router:wrong-word@');
    const refused = await refusal(connect('router', { servers: [wrong] }));
    expect(refused.reason).toBe('UNAUTHENTICATED');
    expect(`${refused.message} ${JSON.stringify(refused.facts)} ${JSON.stringify(reports)}`).not.toMatch(/-word/);
  });

  it('of one message leave room for its headers: the largest of both passes', async () => {
    const [writer, router] = [await connect('store-writer'), await connect('router')];
    await serve(writer, { putChunk: async () => ({ epoch: 1, storeSeq: 1, receivedBytes: 0 }) });
    const context = meta({ scopes: ['x'.repeat(60 * 1024)] });
    const chunk = (bytes: number) =>
      clientOf(router).putChunk({ agentId: 'main', uploadId: 'u', index: 0, data: Buffer.alloc(bytes), last: true }, { context });
    expect((await chunk(MAX_PAYLOAD_BYTES - 64)).epoch).toBe(1);
    expect(await reasonOf(chunk(MAX_PAYLOAD_BYTES))).toBe('TOO_LARGE');
  });

  it('say where no server is', async () => {
    const { url } = server;
    await server.kill();
    const error = await refusal(connect('router', { servers: [url], connectTimeoutMs: 600 }));
    expect(error.reason).toBe('NO_OWNER');
    expect(error.message).toContain(new URL(url).host);
    expect(error.hint).toContain('nats-server');
  });
});

describe('the service interface', () => {
  it('tells name, endpoints and counts to the tools of NATS', async () => {
    const [writer, router] = [await connect('store-writer', { instance: 'w1' }), await connect('router')];
    for (const agentId of ['main', 'support']) await serve(writer, answering('k'), undefined, agentId);
    await clientOf(router).getEntry(request);
    const { connect: connectNats } = await import('nats');
    const nc = await connectNats({ servers: server.url });
    const client = nc.services.client();
    const found = [];
    for await (const stats of await client.stats('store-writer')) found.push(stats);
    expect(found).toMatchObject([{ name: 'store-writer', metadata: { instance: 'w1', prefixes: '2' } }]);
    const endpoint = found[0]?.endpoints?.find(({ name }) => name === 'store-GetEntry');
    expect(endpoint).toMatchObject({ subject: 'suite.rpc.store.*.GetEntry', num_requests: 1, num_errors: 0 });
    const infos = [];
    for await (const info of await client.info('store-writer')) infos.push(info);
    expect(infos[0]?.endpoints).toHaveLength(Object.keys(StoreServiceService).length);
    await nc.close();
  });
});

/** As callers do: what may pass is tried again for a while. */
async function again<T>(act: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await act();
    } catch (error) {
      if (tried >= 20) throw error;
      await wait(100);
    }
  }
}

interface Internals {
  readonly nc: {
    close(): Promise<void>;
    publish(subject: string, ...more: unknown[]): void;
    reconnect(): Promise<void>;
    readonly protocol: { readonly subscriptions: { size(): number } };
  };
  readonly open: number;
}

/** The connection behind a bus. */
function internals(bus: NatsBus): Internals {
  return (bus as unknown as { readonly internals: Internals }).internals;
}
