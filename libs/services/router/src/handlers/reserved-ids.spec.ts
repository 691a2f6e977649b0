/** Ids that the system gives are given to no client, at whichever door. */
import path from 'node:path';
import { Metadata, credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import type { Client, ServiceError } from '@grpc/grpc-js';
import { Envelope, RouterServiceService, SendMessageRequest, SteerSessionRequest, SubmitMessageRequest } from '@sessions/contracts';
import { errorFromHeaders } from '@sessions/bus';
import { TOKEN, startRouter } from '../testing/router-harness';
import type { RunningRouter, TestClient } from '../testing/router-harness';
import { runIdOf } from './minted-id';

const PROTO_DIR = path.resolve(__dirname, '../../../../../proto');
const RouterClient = makeGenericClientConstructor(RouterServiceService, 'RouterService');
const HOOK_TOKEN = 'for-hooks';
const LAB = 'agent:main:lab';
const FOLLOWING = runIdOf('a spawn', 'main');
/** Of runs: those that follow one, and one that the system mints. */
const RUN_IDS = [`${FOLLOWING}.result`, `${FOLLOWING}.announce`, `${FOLLOWING}.reply.3`, 'any.result', FOLLOWING];
const KEYS = [`run-end:${FOLLOWING}`, `hand-over:${'0'.repeat(32)}`, 'delivery-end:1', 'child-fork:x', 'run-tool:a:b:0'];

let running: RunningRouter;
let client: TestClient;
let grpc: Client & Record<string, (...args: unknown[]) => unknown>;
beforeEach(async () => {
  running = await startRouter({ hooks: { enabled: true, token: HOOK_TOKEN } }, { grpcListen: { host: '127.0.0.1', port: 0 }, protoDir: PROTO_DIR });
  running.stores.runs.takes = true;
  running.stores.put('main', LAB, { sessionId: '11111111-1111-4111-8111-111111111111', updatedAt: 1 });
  client = await running.client();
  grpc = new RouterClient(`127.0.0.1:${String(running.router.grpcAddress()?.port)}`, credentials.createInsecure()) as unknown as typeof grpc;
});
afterEach(async () => {
  grpc.close();
  await running.stop();
});

/** What a door says to a key: its refusal, or `taken`. */
type Door = (key: string) => Promise<string>;

const overSocket = (method: string, params: object): Door => async (idempotencyKey) => {
  const answer = await client.request(method, { ...params, idempotencyKey });
  return answer.ok ? 'taken' : `${answer.error.code} ${answer.error.message}`;
};
const overHttp = (route: string, body: object, place: 'body' | 'header', token = TOKEN): Door => async (key) => {
  const answer = await fetch(running.url + route, { method: 'POST', headers: { authorization: `Bearer ${token}`, ...(place === 'header' && { 'idempotency-key': key }) }, body: JSON.stringify({ ...body, ...(place === 'body' && { idempotencyKey: key }) }) });
  return answer.ok ? 'taken' : `INVALID_REQUEST ${(await answer.text())}`;
};
const overGrpc = (method: string, request: object): Door => (key) => {
  const meta = new Metadata();
  meta.set('authorization', `Bearer ${TOKEN}`);
  meta.set('sess-idempotency-key', key);
  return new Promise((resolve) => {
    grpc[method]?.(request, meta, (error: ServiceError | null) => resolve(error === null ? 'taken' : `INVALID_REQUEST ${errorFromHeaders({ 'Grpc-Status': String(error.code), 'Grpc-Message': encodeURIComponent(error.details) })?.message ?? ''}`));
  });
};
const ENVELOPE = { channel: 'telegram', messageId: '1', chatType: 'direct', sender: { id: '5' }, text: 'x' };
const NAMING: Readonly<Record<string, Door>> = {
  'chat.send': overSocket('chat.send', { sessionKey: 'lab', message: 'x' }),
  'sessions.send': overSocket('sessions.send', { key: 'lab', message: 'x' }),
  'sessions.steer': overSocket('sessions.steer', { key: 'lab', message: 'x' }),
  agent: overSocket('agent', { sessionKey: 'lab', message: 'x' }),
  'gRPC SendMessage': overGrpc('sendMessage', SendMessageRequest.create({ key: LAB, message: 'x' })),
  'gRPC SteerSession': overGrpc('steerSession', SteerSessionRequest.create({ key: LAB, message: 'x' })),
};
const OTHERS: Readonly<Record<string, Door>> = {
  'POST /v1/messages': overHttp('/v1/messages', ENVELOPE, 'header'),
  'POST /v1/messages, in the envelope': overHttp('/v1/messages', ENVELOPE, 'body'),
  'POST /hooks/agent': overHttp('/hooks/agent', { message: 'x' }, 'body', HOOK_TOKEN),
  'gRPC SubmitMessage': overGrpc('submitMessage', SubmitMessageRequest.create({ envelope: Envelope.create({ ...ENVELOPE, sender: { id: '5', name: undefined, username: undefined, authority: undefined } }) })),
};

it.each(Object.entries(NAMING))('%s does not name its run after one of them', async (_door, ask) => {
  for (const id of RUN_IDS) expect(await ask(id)).toMatch(/^INVALID_REQUEST .*idempotencyKey: (ids that end in "\.|it is the id of a run)/);
  expect(running.stores.delivered).toEqual([]);
  expect(await ask(runIdOf('a spawn', 'another').replace(/.$/, (end) => (end === '0' ? '1' : '0')))).toBe('taken');
});

it.each(Object.entries({ ...NAMING, ...OTHERS }))('%s does not take a key of the system', async (_door, ask) => {
  for (const key of KEYS) expect(await ask(key)).toMatch(/^INVALID_REQUEST .*idempotency(?:K|_k)ey: keys that begin with \\?"/);
  expect(running.stores.delivered).toEqual([]);
  expect(await ask('my-own')).toBe('taken');
});

it.each(Object.entries(OTHERS))('%s takes a key that ends like one: its run has an id of the system', async (_door, ask) => {
  expect(await ask('build-8812.result')).toBe('taken');
  expect(running.stores.delivered[0]?.run?.runId).toMatch(/^[0-9a-f-]{36}$/);
});
