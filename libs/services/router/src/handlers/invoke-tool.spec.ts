/** What a tool is told of its caller's run: by services on the bus; of clients it takes their rights only. */
import { Metadata, credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { InvokeToolRequest, RouterServiceService } from '@sessions/contracts';
import type { InvokeToolResponse } from '@sessions/contracts';
import { memoryRun } from '../testing/memory-operations';
import { callAsAgent } from '../testing/tool-doors';
import { TOKEN, startRouter } from '../testing/router-harness';
import type { RunningRouter } from '../testing/router-harness';

const MAIN = 'agent:main:main';
const LAB = 'agent:main:lab';
const DESK = 'agent:main:desk';
const RouterClient = makeGenericClientConstructor(RouterServiceService, 'RouterService');

let running: RunningRouter;
beforeEach(async () => {
  running = await startRouter({ tools: { sessions: { visibility: 'agent' }, agentToAgent: { maxCostUsd: 1 } } }, { grpcListen: { host: '127.0.0.1', port: 0 } });
  running.stores.runs.takes = true;
  running.stores.put('main', MAIN, { sessionId: '0190aaaa-0000-7000-8000-000000000001', updatedAt: 1 });
  running.stores.put('main', LAB, { sessionId: '0190aaaa-0000-7000-8000-000000000002', updatedAt: 1 });
});
afterEach(() => running.stop());

const SEND = { sessionKey: LAB, message: 'hello', timeoutSeconds: 0 };
const OF_RUN = { runId: 'made-up', hops: 8, costUsd: 5, traceId: 'made-up', replyRoute: { channel: 'telegram', to: 'somebody', accountId: undefined, threadId: undefined } };

async function asClient(name: string, args: object, more: object, headers: Readonly<Record<string, string>> = {}): Promise<Record<string, unknown>> {
  const grpc = new RouterClient(`127.0.0.1:${String(running.router.grpcAddress()?.port)}`, credentials.createInsecure());
  const meta = new Metadata();
  for (const [header, value] of Object.entries({ authorization: `Bearer ${TOKEN}`, 'sess-caller': `agent:${LAB}`, 'sess-hops': '8', ...headers })) meta.set(header, value);
  const call = (grpc as unknown as Record<string, (...args: unknown[]) => void>).invokeTool;
  const answer = await new Promise<InvokeToolResponse>((resolve, reject) =>
    call?.call(grpc, InvokeToolRequest.create({ name, argumentsJson: Buffer.from(JSON.stringify(args)), sessionKey: MAIN, ...more }), meta, (error: ServiceError | null, got: InvokeToolResponse) => (error === null ? resolve(got) : reject(error))));
  grpc.close();
  return JSON.parse(Buffer.from(answer.resultJson).toString('utf8')) as Record<string, unknown>;
}

it('is not taken from a client', async () => {
  expect(await asClient('sessions_send', SEND, OF_RUN)).toMatchObject({ status: 'accepted' });
  const sent = running.stores.delivered.at(-1);
  expect(sent?.interSession).toMatchObject({ sourceSessionKey: MAIN, hops: 1, runId: undefined, costUsd: undefined });
  expect(sent?.interSession?.traceId).not.toBe('made-up');
  expect(await asClient('sessions_send', { ...SEND, message: 'again' }, { hops: -5 })).toMatchObject({ status: 'accepted' });
  expect(running.stores.delivered.at(-1)?.interSession?.hops).toBe(1);
});

it('is taken from a run', async () => {
  expect(await callAsAgent(running, 'sessions_send', SEND, MAIN, { hops: 8 })).toMatchObject({ status: 'forbidden', error: expect.stringContaining('reached its end') });
  expect(await callAsAgent(running, 'sessions_send', SEND, MAIN, { costUsd: 5 })).toMatchObject({ status: 'forbidden', error: expect.stringContaining('cost limit') });
});

it('leaves out what the run may not use, though its runner asks', async () => {
  running.stores.aside('main').runs.set('r-1', memoryRun({ runId: 'r-1', sessionKey: MAIN, deniedTools: ['sessions_send', 'sessions_s*'] }));
  expect(await callAsAgent(running, 'sessions_send', SEND, MAIN, { runId: 'r-1' })).toMatchObject({ status: 'error', error: 'Tool not available: sessions_send' });
  expect(await callAsAgent(running, 'sessions_list', {}, MAIN, { runId: 'r-1' })).toMatchObject({ count: 2 });
  expect(await callAsAgent(running, 'sessions_send', SEND, MAIN, { runId: 'another' })).toMatchObject({ status: 'accepted' });
});

it('keeps the calls of two sessions apart whose clients gave them the same idempotency key', async () => {
  const key = { 'sess-idempotency-key': 'request-1' };
  const first = await asClient('sessions_send', SEND, {}, key);
  const other = await asClient('sessions_send', SEND, { sessionKey: DESK }, key);
  expect([first, other]).toMatchObject([{ status: 'accepted' }, { status: 'accepted' }]);
  expect(other['runId']).not.toBe(first['runId']);
  expect(await asClient('sessions_send', SEND, {}, key)).toMatchObject({ status: 'accepted', runId: first['runId'] });
  expect(running.stores.delivered.at(-1)?.interSession?.sourceSessionKey).toBe(MAIN);
});
