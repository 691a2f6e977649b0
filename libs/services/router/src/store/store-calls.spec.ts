import { GetEntryRequest, ListEntriesRequest, ReadHistoryRequest, StoreServiceService } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import { createInProcessBus, createSubjects, serveService } from '@sessions/bus';
import type { Bus, CallContext } from '@sessions/bus';
import { serveMemoryStores } from '../testing/memory-store';
import type { MemoryStores } from '../testing/memory-store';
import { COME_AGAIN_MS, createStoreCalls } from './store-calls';
import type { StoreCalls } from './store-calls';

const ID = '0190aaaa-0000-7000-8000-000000000001';

let bus: Bus;
let stores: MemoryStores;
let calls: StoreCalls;

beforeEach(async () => {
  bus = createInProcessBus();
  stores = await serveMemoryStores(bus);
  calls = createStoreCalls({ bus, subjects: createSubjects(), instance: 't', random: () => 0.5, isConfigured: (agentId) => agentId === 'main' });
  stores.put('main', 'agent:main:main', { sessionId: ID, updatedAt: 1 }, [{ role: 'user', text: 'a' }]);
});
afterEach(async () => {
  await stores.stop();
  await bus.close();
});

const context = (more: Partial<CallContext> = {}): CallContext => ({
  caller: 'client:t', scopes: [], requestId: 'r', idempotencyKey: undefined, traceparent: undefined, tracestate: undefined, hops: 0,
  signal: new AbortController().signal, deadlineAtMs: Date.now() + 10_000, ...more,
});
const list = ListEntriesRequest.create({ agentId: 'main' });

describe('calls to a store', () => {
  it('has a store claimed that nobody serves, once for all who ask', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => calls.read('listEntries', list, context())));
    expect(answers.every(({ totalCount }) => totalCount === 1)).toBe(true);
    expect(stores.calls.filter((call) => call === 'claimStore main')).toHaveLength(1);
  });

  it('tries again with the same key when an owner gives way in the middle', async () => {
    await calls.read('listEntries', list, context());
    const keys: (string | undefined)[] = [];
    let refusals = 1;
    const served = await serveService(
      bus,
      StoreServiceService,
      {
        getEntry: async (_request, { idempotencyKey }) => {
          keys.push(idempotencyKey);
          if ((refusals -= 1) >= 0) throw new SessionError('NOT_OWNER', 'not the owner');
          return { epoch: 2, storeSeq: 0, found: false, key: '', entryJson: Buffer.alloc(0), entryBytes: 0, facts: undefined, encodedRow: undefined };
        },
      },
      { subjectFor: (method) => (method === 'GetEntry' ? createSubjects().store('main', method) : undefined) },
    );
    const request = GetEntryRequest.create({ agentId: 'main' });
    expect(await calls.mutate('getEntry', request, context({ idempotencyKey: 'k' }))).toMatchObject({ epoch: 2 });
    expect(keys).toEqual(['k', 'k']);
    await served.stop();
  });

  it('does not repeat what cannot pass', async () => {
    stores.refuse('main', new SessionError('STORE_UNREADABLE', 'no'));
    await expect(calls.read('listEntries', list, context())).rejects.toMatchObject({ reason: 'STORE_UNREADABLE' });
    expect(stores.calls.filter((call) => call === 'listEntries main')).toHaveLength(1);
  });

  it('stays within the deadline of its caller', async () => {
    const asked = context({ deadlineAtMs: Date.now() + 50 });
    stores.refuse('main', new SessionError('SESSION_LOCKED', 'busy'));
    await expect(calls.read('listEntries', list, asked)).rejects.toMatchObject({ reason: 'SESSION_LOCKED' });
    expect(stores.calls.filter((call) => call === 'listEntries main')).toHaveLength(1);
  });

  it('begins a stream again while nothing was read', async () => {
    await stores.loseOwner('main');
    const request = ReadHistoryRequest.create({ agentId: 'main', by: { $case: 'key', value: 'agent:main:main' } });
    const cases: (string | undefined)[] = [];
    for await (const { item } of calls.readHistory(request, context())) cases.push(item?.$case);
    expect(cases).toEqual(['head', 'records', 'pageEnd']);
  });

  it('says that nobody can own the store when that is so', async () => {
    await stores.stop();
    const asked = context({ deadlineAtMs: Date.now() + 300 });
    await expect(calls.read('listEntries', list, asked)).rejects.toMatchObject({ reason: 'NO_OWNER' });
  });

  it('claims anew from a writer that shuts down, with the same key', async () => {
    await calls.read('listEntries', list, context());
    stores.refuse('main', new SessionError('SHUTTING_DOWN', 'bye'));
    setTimeout(() => stores.refuse('main', undefined), 30);
    expect(await calls.read('listEntries', list, context())).toMatchObject({ totalCount: 1 });
    expect(stores.calls.filter((call) => call === 'claimStore main').length).toBeGreaterThan(1);
  });

  it('says whom it waits for when the owner that was named does not answer, and when to come again', async () => {
    await stores.stop();
    const pool = await serveService(bus, StoreServiceService, { claimStore: async () => ({ epoch: 7, owner: 'store-writer/dead', storeSeq: 0 }) }, { subjectFor: (method) => (method === 'ClaimStore' ? createSubjects().storePool(method) : undefined) });
    await expect(calls.read('listEntries', list, context({ deadlineAtMs: Date.now() + 300 }))).rejects.toMatchObject({
      reason: 'NO_OWNER', facts: { owner: 'store-writer/dead', epoch: 7 }, retryAfterMs: COME_AGAIN_MS,
    });
    await pool.stop();
  });

  it('lets a claim outlast the call that asked for it, and asks only once', async () => {
    await stores.stop();
    let claims = 0;
    let end = (): void => undefined;
    const held = new Promise<void>((resolve) => (end = resolve));
    const slow = async (): Promise<{ epoch: number; owner: string; storeSeq: number }> => {
      claims += 1;
      await held;
      return { epoch: 7, owner: 'store-writer/slow', storeSeq: 0 };
    };
    const pool = await serveService(bus, StoreServiceService, { claimStore: slow }, { subjectFor: (method) => (method === 'ClaimStore' ? createSubjects().storePool(method) : undefined) });
    for (let call = 0; call < 2; call += 1) {
      await expect(calls.read('listEntries', list, context({ deadlineAtMs: Date.now() + 50 }))).rejects.toMatchObject({ reason: 'NO_OWNER', retryAfterMs: COME_AGAIN_MS });
    }
    expect(claims).toBe(1);
    end();
    await pool.stop();
  });
});
