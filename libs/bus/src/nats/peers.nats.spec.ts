/** Peers that share, hang, die or are not allowed; and what is left behind. */
import { setTimeout as wait } from 'node:timers/promises';
import { Event, GetEntryResponse, StoreServiceService } from '@sessions/contracts';
import type { CallContext } from '../bus';
import { meta, reasonOf, refusal } from '../contract-suite/harness';
import { MAX_PAYLOAD_BYTES } from '../limits';
import { until } from '../testing';
import { NatsBench, clientOf, internals, item, request, serve, streamRequest, subjects } from '../testing/nats-bench';

jest.setTimeout(30_000);

let bench: NatsBench;
beforeEach(async () => (bench = await NatsBench.open()));
afterEach(() => bench.close());

const answering = (key: string) => ({ getEntry: async () => GetEntryResponse.create({ key }) });

describe('peers', () => {
  it('of a queue group share its calls', async () => {
    const router = await bench.connect('router');
    const counts = [0, 0];
    for (const place of [0, 1]) {
      await serve(await bench.connect('store-writer'), { getEntry: async () => {
        counts[place] = (counts[place] ?? 0) + 1;
        return GetEntryResponse.create({});
      } }, 'store-writer');
    }
    await Promise.all(Array.from({ length: 100 }, () => clientOf(router).getEntry(request)));
    expect(Math.min(...counts)).toBeGreaterThan(0);
    expect((counts[0] ?? 0) + (counts[1] ?? 0)).toBe(100);
  });

  it('are found whole or not at all: no method of a service that begins is called unknown', async () => {
    const [writer, router] = [await bench.connect('store-writer'), await bench.connect('router')];
    const client = clientOf(router);
    const outcomes = new Map<string, number>();
    let isServed = false;
    const calling = (async (): Promise<void> => {
      const open: Promise<unknown>[] = [];
      while (!isServed) {
        const outcome = reasonOf(client.putChunk({ agentId: 'main', uploadId: 'u', index: 0, data: Buffer.alloc(0), last: true })).catch(() => 'answered');
        open.push(outcome.then((reason) => outcomes.set(reason, (outcomes.get(reason) ?? 0) + 1)));
        await new Promise((resolve) => setImmediate(resolve));
      }
      await Promise.all(open);
    })();
    await until(() => (outcomes.get('NO_OWNER') ?? 0) > 0);
    for (let round = 0; round < 20; round += 1) {
      const served = await serve(writer, { ...answering('k'), putChunk: async () => ({ epoch: 1, storeSeq: 1, receivedBytes: 0 }) });
      await client.putChunk({ agentId: 'main', uploadId: 'u', index: 0, data: Buffer.alloc(0), last: true });
      await served.stop();
    }
    isServed = true;
    await calling;
    expect(outcomes.get('answered')).toBeGreaterThan(0);
    expect([...outcomes.keys()].filter((outcome) => !['answered', 'NO_OWNER', 'SHUTTING_DOWN'].includes(outcome))).toEqual([]);
  });

  it('free a stream whose reader died', async () => {
    const [writer, router] = [await bench.connect('store-writer'), await bench.connect('router')];
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
    const [writer, router] = [await bench.connect('store-writer'), await bench.connect('router')];
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
    const [writer, router] = [await bench.connect('store-writer'), await bench.connect('router')];
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
    const [older, newer, router] = [await bench.connect('store-writer'), await bench.connect('store-writer'), await bench.connect('router')];
    const { SessionError } = await import('@sessions/domain');
    await serve(older, { getEntry: () => Promise.reject(new SessionError('NOT_OWNER', 'handed over')) });
    expect(await reasonOf(clientOf(router).getEntry(request))).toBe('NOT_OWNER');
    await serve(newer, answering('new'));
    expect((await clientOf(router).getEntry(request)).key).toBe('new');
  });

  it('are answered UNSUPPORTED for a method that the store\'s owner does not know', async () => {
    const [writer, router] = [await bench.connect('store-writer'), await bench.connect('router')];
    const { getEntry } = StoreServiceService;
    await writer.rpc.serve(subjects.store('main', 'GetEntry'), getEntry, async () => GetEntryResponse.create({}));
    const other = router.rpc.call(subjects.store('main', 'Newer'), getEntry, request, { meta: meta(), timeoutMs: 2_000 });
    expect(await reasonOf(other)).toBe('UNSUPPORTED');
  });
});

describe('what is left behind', () => {
  it('is nothing, once calls and streams are over', async () => {
    const [writer, router] = [await bench.connect('store-writer'), await bench.connect('router')];
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

describe('permissions and sizes', () => {
  it('that the server refuses are reported and named, not waited for', async () => {
    await bench.close();
    bench = await NatsBench.open(`authorization { users: [
        { user: admin, password: secret-word },
        { user: router, password: secret-word, permissions: { publish: ["suite.rpc.router.>", "$SRV.>"], subscribe: ["_INBOX_router.>"] } } ] }`);
    const url = bench.server.url.replace('nats://', 'nats://router:secret-word@');
    const router = await bench.connect('router', { servers: [url], provision: false });
    const error = await refusal(clientOf(router).getEntry(request, { timeoutMs: 5_000 }));
    expect(error).toMatchObject({ reason: 'CONFIG_INVALID', facts: { subject: subjects.store('main', 'GetEntry') } });
    await expect(router.events.subscribe(subjects.events(), Event, () => undefined)).rejects.toMatchObject({ reason: 'CONFIG_INVALID' });
    await expect(serve(router, answering('k'))).rejects.toMatchObject({ reason: 'CONFIG_INVALID' });
    expect(bench.reports).toContainEqual(expect.objectContaining({ kind: 'permission', operation: 'publish', subject: subjects.store('main', 'GetEntry') }));
    const wrong = bench.server.url.replace('nats://', 'nats://router:wrong-word@');
    const refused = await refusal(bench.connect('router', { servers: [wrong] }));
    expect(refused.reason).toBe('UNAUTHENTICATED');
    expect(`${refused.message} ${JSON.stringify(refused.facts)} ${JSON.stringify(bench.reports)}`).not.toMatch(/-word/);
  });

  it('of one message leave room for its headers: the largest of both passes', async () => {
    const [writer, router] = [await bench.connect('store-writer'), await bench.connect('router')];
    await serve(writer, { putChunk: async () => ({ epoch: 1, storeSeq: 1, receivedBytes: 0 }) });
    const context = meta({ scopes: ['x'.repeat(60 * 1024)] });
    const chunk = (bytes: number) =>
      clientOf(router).putChunk({ agentId: 'main', uploadId: 'u', index: 0, data: Buffer.alloc(bytes), last: true }, { context });
    expect((await chunk(MAX_PAYLOAD_BYTES - 64)).epoch).toBe(1);
    expect(await reasonOf(chunk(MAX_PAYLOAD_BYTES))).toBe('TOO_LARGE');
  });

  it('say where no server is', async () => {
    const { url } = bench.server;
    await bench.server.kill();
    const error = await refusal(bench.connect('router', { servers: [url], connectTimeoutMs: 600 }));
    expect(error.reason).toBe('NO_OWNER');
    expect(error.message).toContain(new URL(url).host);
    expect(error.hint).toContain('nats-server');
  });
});

describe('the service interface', () => {
  it('tells name, endpoints and counts to the tools of NATS', async () => {
    const [writer, router] = [await bench.connect('store-writer', { instance: 'w1' }), await bench.connect('router')];
    for (const agentId of ['main', 'support']) await serve(writer, answering('k'), undefined, agentId);
    await clientOf(router).getEntry(request);
    const { connect: connectNats } = await import('nats');
    const nc = await connectNats({ servers: bench.server.url });
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
