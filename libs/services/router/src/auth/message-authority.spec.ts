/** A message commands no more than the connection that brings it may do by other means, at every door. */
import { Metadata, credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import type { Client, ServiceError } from '@grpc/grpc-js';
import { RouterServiceService, SendMessageRequest, SubmitMessageRequest } from '@sessions/contracts';
import { startRouter } from '../testing/router-harness';
import type { RunningRouter } from '../testing/router-harness';
import { narrowScopes, vouchesForSenders } from './scopes';

const tokens = [
  { name: 'writer', token: 'writer', scopes: ['operator.write'] },
  { name: 'adapter', token: 'adapter', scopes: ['operator.write', 'operator.adapter'] },
  { name: 'admin', token: 'admin', scopes: ['operator.admin'] },
];
const MAIN = 'agent:main:main';
const TAKES_ADMIN = ['/reset', '/NEW', '/new gpt-5', '/reset: go on', '/fresh', '/clear', '/model gpt-5', '/model default', '/activation always', '/send off', '/compact', '/compact briefly', '/export-trajectory', '/think high', '/queue: collect', '/focus x', '/session idle 1h'];
const TAKES_WRITE = ['/status', '/context list', '/model', '/think', '/send perhaps'];
const RouterClient = makeGenericClientConstructor(RouterServiceService, 'RouterService');

let running: RunningRouter;
let grpc: Client;
let sent = 0;
beforeEach(async () => {
  running = await startRouter({ session: { resetTriggers: ['/new', '/reset', '/fresh'] }, gateway: { auth: { tokens } } }, { grpcListen: { host: '127.0.0.1', port: 0 } });
  grpc = new RouterClient(`127.0.0.1:${String(running.router.grpcAddress()?.port)}`, credentials.createInsecure());
  running.stores.put('main', MAIN, { sessionId: '0190aaaa-0000-7000-8000-000000000001', updatedAt: 1 }, [{ role: 'user', text: 'kept' }]);
});
afterEach(async () => {
  grpc.close();
  await running.stop();
});

const key = (): string => `k${(sent += 1)}`;
const lastAuthority = (): string | undefined => running.stores.delivered.at(-1)?.message?.sender?.authority;

function rpc(method: 'sendMessage' | 'steerSession' | 'submitMessage', request: unknown, token: string, headers: Record<string, string> = {}): Promise<ServiceError | null> {
  const meta = new Metadata();
  for (const [name, value] of Object.entries({ authorization: `Bearer ${token}`, ...headers })) meta.set(name, value);
  const call = (grpc as unknown as Record<string, (...args: unknown[]) => void>)[method];
  return new Promise((resolve) => call?.call(grpc, request, meta, (error: ServiceError | null) => resolve(error)));
}

const envelope = (text: string, authority?: string) => ({ channel: 'telegram', messageId: key(), chatType: 'direct', sender: { id: '1', ...(authority !== undefined && { authority }) }, text });

async function post(body: unknown, token: string, headers: Record<string, string> = {}): Promise<number> {
  const response = await fetch(`${running.url}/v1/messages`, { method: 'POST', headers: { authorization: `Bearer ${token}`, ...headers }, body: JSON.stringify(body) });
  await response.text();
  return response.status;
}

describe('an operator\'s own words', () => {
  it.each(TAKES_ADMIN)('take operator.admin for %j, on every method that says something', async (text) => {
    const writer = await running.client(['operator.write'], 'writer');
    for (const [method, params] of [
      ['chat.send', { sessionKey: MAIN, message: text, idempotencyKey: key() }],
      ['sessions.send', { key: MAIN, message: text, idempotencyKey: key() }],
      ['sessions.steer', { key: MAIN, message: text, idempotencyKey: key() }],
      ['sessions.create', { key: MAIN, message: text }],
    ] as const) {
      expect([method, (await writer.request(method, params)).error]).toMatchObject([method, { message: 'missing scope: operator.admin', details: { reason: 'SCOPE_MISSING' } }]);
    }
    expect((await rpc('sendMessage', SendMessageRequest.create({ key: MAIN, message: text }), 'writer'))?.details).toBe('missing scope: operator.admin');
    expect((await rpc('sendMessage', SendMessageRequest.create({ key: MAIN, message: text }), 'admin', { 'x-openclaw-scopes': 'operator.write' }))?.details).toBe('missing scope: operator.admin');
    expect(running.stores.delivered).toEqual([]);
  });

  it('are the owner\'s of an administrator, and of nobody else', async () => {
    const [admin, writer] = [await running.client(['operator.admin'], 'admin'), await running.client(['operator.write'], 'writer')];
    expect((await admin.request('chat.send', { sessionKey: MAIN, message: '/reset', idempotencyKey: key() })).ok).toBe(true);
    expect(lastAuthority()).toBeUndefined();
    for (const text of TAKES_WRITE) {
      expect([text, (await writer.request('chat.send', { sessionKey: MAIN, message: text, idempotencyKey: key() })).ok]).toEqual([text, true]);
      expect([text, lastAuthority()]).toEqual([text, 'allowed']);
    }
    await writer.request('chat.send', { sessionKey: MAIN, message: 'what does /reset do?', idempotencyKey: key() });
    expect(lastAuthority()).toBe('turns');
    // A device or a header that asks for less has less.
    const asksLess = await running.client(['operator.write'], 'admin');
    expect((await asksLess.request('chat.send', { sessionKey: MAIN, message: '/reset', idempotencyKey: key() })).error.message).toBe('missing scope: operator.admin');
  });
});

describe('what an adapter says of a sender', () => {
  it.each(TAKES_ADMIN)('counts for %j only with the right to vouch', async (text) => {
    const claims = ['owner', 'allowed', undefined];
    for (const claimed of claims) {
      expect(await post(envelope(text, claimed), 'writer')).toBeLessThan(300);
      expect([claimed, lastAuthority()]).toEqual([claimed, 'other']);
      expect(await post(envelope(text, claimed), 'admin', { 'x-openclaw-scopes': 'operator.write' })).toBeLessThan(300);
      expect([claimed, lastAuthority()]).toEqual([claimed, 'other']);
      for (const token of ['adapter', 'admin']) {
        await post(envelope(text, claimed), token);
        expect([claimed, lastAuthority()]).toEqual([claimed, claimed ?? 'allowed']);
      }
    }
    await rpc('submitMessage', SubmitMessageRequest.fromPartial({ envelope: envelope(text, 'owner') as object }), 'writer');
    expect(lastAuthority()).toBe('other');
  });

  it('is never raised, and a page that posts as a web chat is no owner by that', async () => {
    await post(envelope('/status', 'other'), 'writer');
    expect(lastAuthority()).toBe('other');
    await post(envelope('/status', 'owner'), 'writer');
    expect(lastAuthority()).toBe('allowed');
    await post(envelope('how is it /status going', 'other'), 'writer');
    expect(lastAuthority()).toBe('other');
    await post(envelope('how is it /status going', 'owner'), 'writer');
    expect(lastAuthority()).toBe('turns');
    await post({ origin: { kind: 'webchat' }, text: '/reset' }, 'writer');
    expect(lastAuthority()).toBe('other');
    await post({ origin: { kind: 'webchat' }, text: '/reset' }, 'admin');
    expect(lastAuthority()).toBeUndefined();
  });

  it('is a right that administrators hold and that nobody gives himself', () => {
    expect(narrowScopes(['operator.write', 'operator.adapter'], ['operator.admin'])).toEqual(['operator.write', 'operator.adapter']);
    expect(narrowScopes(['operator.write', 'operator.adapter'], ['operator.write'])).toEqual(['operator.write']);
    expect([vouchesForSenders(['operator.write']), vouchesForSenders(['operator.adapter']), vouchesForSenders(['operator.admin'])]).toEqual([false, true, true]);
  });
});
