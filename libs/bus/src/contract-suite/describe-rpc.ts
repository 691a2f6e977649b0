/** Calls and answers: what holds on every transport. */
import { GetEntryResponse, StoreServiceService } from '@sessions/contracts';
import { GRPC_STATUS, SessionError } from '@sessions/domain';
import { createClient, serveService } from '../bind-service';
import type { Handlers } from '../bind-service';
import type { CallContext } from '../bus';
import { metaFromClient } from '../call-meta';
import { MAX_PAYLOAD_BYTES } from '../limits';
import { createSubjects } from '../subjects';
import type { BusHarness, CreateHarness } from './harness';
import { deferred, meta, reasonOf, refusal, until } from './harness';

const subjects = createSubjects('suite');
const subjectFor = (method: string) => subjects.store('main', method);
type StoreHandlers = Partial<Handlers<typeof StoreServiceService>>;
const entryRequest = { agentId: 'main', by: { $case: 'key' as const, value: 'agent:main:main' }, includeFacts: false };

export function describeRpc(create: CreateHarness): void {
  describe('calls', () => {
    let harness: BusHarness;
    beforeEach(async () => (harness = await create()));
    afterEach(() => harness.close());

    const serve = (handlers: StoreHandlers, queueGroup?: string) =>
      serveService(harness.bus, StoreServiceService, handlers, {
        subjectFor,
        ...(queueGroup === undefined ? {} : { queueGroup }),
      });
    const client = () =>
      createClient(harness.bus, StoreServiceService, { subject: subjectFor, caller: 'service:test/1' });

    it('answers a request with what the handler made of it', async () => {
      await serve({
        getEntry: async (request) =>
          GetEntryResponse.create({ found: true, key: request.by?.value ?? '', entryJson: Buffer.from('{"a":1}'), epoch: 7 }),
      });
      const answer = await client().getEntry(entryRequest);
      expect(answer.key).toBe('agent:main:main');
      expect(Buffer.from(answer.entryJson).toString()).toBe('{"a":1}');
      expect(answer.epoch).toBe(7);
      expect(answer.facts).toBeUndefined();
    });

    it('gives the caller the reason, the facts and the hint of a refusal', async () => {
      await serve({
        getEntry: () =>
          Promise.reject(
            new SessionError('LABEL_IN_USE', 'label already in use: „Лаборатория“ 100%', {
              facts: { label: 'x', count: 2, exact: true, other: null },
              hint: 'openclaw sessions list',
              retryAfterMs: 250,
            }),
          ),
      });
      const error = await refusal(client().getEntry(entryRequest));
      expect(error.reason).toBe('LABEL_IN_USE');
      expect(error.code).toBe(GRPC_STATUS.ALREADY_EXISTS);
      expect(error.message).toBe('label already in use: „Лаборатория“ 100%');
      expect(error.facts).toEqual({ label: 'x', count: 2, exact: true, other: null });
      expect(error.hint).toBe('openclaw sessions list');
      expect(error.retryAfterMs).toBe(250);
    });

    it('tells nothing of a fault that is not a refusal', async () => {
      await serve({ getEntry: () => Promise.reject(new Error('the secret text')) });
      const error = await refusal(client().getEntry(entryRequest));
      expect(error.reason).toBe('INTERNAL');
      expect(error.message).not.toContain('secret');
    });

    it('answers NO_OWNER, unavailable, when nobody serves the subject', async () => {
      const error = await refusal(client().getEntry(entryRequest));
      expect(error.reason).toBe('NO_OWNER');
      expect(error.code).toBe(GRPC_STATUS.UNAVAILABLE);
    });

    it('answers UNSUPPORTED for a method without handler', async () => {
      await serve({});
      expect(await reasonOf(client().getEntry(entryRequest))).toBe('UNSUPPORTED');
      const rows = client().readTrajectory({ agentId: 'main', by: entryRequest.by, follow: false });
      expect(await reasonOf(rows[Symbol.asyncIterator]().next())).toBe('UNSUPPORTED');
    });

    it('ends with DEADLINE on both sides when the handler takes too long', async () => {
      let context: CallContext | undefined;
      await serve({
        getEntry: (_request, given) => {
          context = given;
          return new Promise(() => undefined);
        },
      });
      const before = harness.bus.clock.nowMs();
      const answer = reasonOf(client().getEntry(entryRequest, { timeoutMs: 200 }));
      await until(() => context !== undefined);
      expect(context?.deadlineAtMs).toBeLessThanOrEqual(before + 200 + 50);
      await harness.advance(250);
      expect(await answer).toBe('DEADLINE');
      await until(() => context?.signal.aborted === true);
    });

    it('cancels the handler when the caller leaves', async () => {
      let context: CallContext | undefined;
      await serve({
        getEntry: (_request, given) => {
          context = given;
          return new Promise(() => undefined);
        },
      });
      const leaving = new AbortController();
      const answer = client().getEntry(entryRequest, { signal: leaving.signal });
      const outcome = answer.catch((error: unknown) => error);
      await until(() => context !== undefined);
      leaving.abort(new Error('left'));
      expect(await outcome).toEqual(new Error('left'));
      await until(() => context?.signal.aborted === true);
    });

    it('does not begin a call whose signal is aborted', async () => {
      let called = false;
      await serve({
        getEntry: async () => {
          called = true;
          return GetEntryResponse.create({});
        },
      });
      await expect(client().getEntry(entryRequest, { signal: AbortSignal.abort(new Error('left')) })).rejects.toThrow('left');
      expect(called).toBe(false);
    });

    it('refuses a request and an answer above the size of a message, by name', async () => {
      await serve({
        getEntry: async () => GetEntryResponse.create({ entryJson: Buffer.alloc(MAX_PAYLOAD_BYTES + 1) }),
        putChunk: async () => ({ epoch: 1, storeSeq: 1, receivedBytes: 0 }),
      });
      const chunk = (bytes: number) =>
        client().putChunk({ agentId: 'main', uploadId: 'u', index: 0, data: Buffer.alloc(bytes), last: true });
      expect(await reasonOf(chunk(MAX_PAYLOAD_BYTES + 1))).toBe('TOO_LARGE');
      expect(await reasonOf(client().getEntry(entryRequest))).toBe('TOO_LARGE');
      expect((await chunk(MAX_PAYLOAD_BYTES - 1024)).epoch).toBe(1);
    });

    it('refuses headers above their size, by name', async () => {
      await serve({ getEntry: async () => GetEntryResponse.create({}) });
      const context = meta({ scopes: [`operator.${'x'.repeat(70 * 1024)}`] });
      expect(await reasonOf(client().getEntry(entryRequest, { context }))).toBe('TOO_LARGE');
    });

    it('carries caller, scopes, request id, key, trace and hops to the handler', async () => {
      let context: CallContext | undefined;
      await serve({
        getEntry: async (_request, given) => {
          context = given;
          return GetEntryResponse.create({});
        },
      });
      const sent = meta({
        caller: 'agent:agent:main:telegram:direct:Zoë',
        scopes: ['operator.read', 'operator.write'],
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        hops: 3,
      });
      await client().getEntry(entryRequest, { context: sent, idempotencyKey: 'k-1' });
      expect(context).toMatchObject({ ...sent, idempotencyKey: 'k-1' });
    });

    it('never takes caller, scopes or hops from a client', async () => {
      let context: CallContext | undefined;
      await serve({
        getEntry: async (_request, given) => {
          context = given;
          return GetEntryResponse.create({});
        },
      });
      const fromClient = metaFromClient(
        { 'sess-caller': 'service:router/1', 'Sess-Scopes': 'operator.admin', 'SESS-HOPS': '0', 'sess-idempotency-key': 'own' },
        { caller: 'client:c1', scopes: ['operator.read'] },
      );
      await client().getEntry(entryRequest, { context: fromClient, idempotencyKey: fromClient.idempotencyKey });
      expect(context).toMatchObject({ caller: 'client:c1', scopes: ['operator.read'], hops: 0, idempotencyKey: 'own' });
    });

    it('gives a call made while serving another no more time than that one has', async () => {
      const left = deferred<number>();
      await serve({
        getEntry: async (_request, context) => {
          left.resolve(context.deadlineAtMs);
          return GetEntryResponse.create({});
        },
      });
      const deadlineAtMs = harness.bus.clock.nowMs() + 1_000;
      const outer: CallContext = { ...meta(), signal: new AbortController().signal, deadlineAtMs };
      await client().getEntry(entryRequest, { context: outer, timeoutMs: 60_000 });
      expect(await left.promise).toBeLessThanOrEqual(deadlineAtMs + 50);
    });

    it('shares the calls of a queue group between its members', async () => {
      const served = [0, 0];
      for (const place of [0, 1]) {
        await serve(
          {
            getEntry: async () => {
              served[place] = (served[place] ?? 0) + 1;
              return GetEntryResponse.create({});
            },
          },
          'group',
        );
      }
      await Promise.all(Array.from({ length: 64 }, () => client().getEntry(entryRequest)));
      expect((served[0] ?? 0) + (served[1] ?? 0)).toBe(64);
      expect(Math.min(...served)).toBeGreaterThan(0);
    });

    it('takes no call after stop, and answers those under way', async () => {
      const gate = deferred();
      let begun = false;
      const served = await serve({
        getEntry: async () => {
          begun = true;
          await gate.promise;
          return GetEntryResponse.create({ key: 'late' });
        },
      });
      const answer = client().getEntry(entryRequest);
      await until(() => begun);
      let stopped = false;
      const stopping = served.stop().then(() => (stopped = true));
      expect(await reasonOf(client().getEntry(entryRequest))).toBe('NO_OWNER');
      await harness.settle();
      expect(stopped).toBe(false);
      gate.resolve();
      expect((await answer).key).toBe('late');
      await stopping;
    });

    it('refuses calls once it is closed', async () => {
      await harness.bus.close();
      expect(await reasonOf(client().getEntry(entryRequest))).toBe('SHUTTING_DOWN');
    });
  });
}
