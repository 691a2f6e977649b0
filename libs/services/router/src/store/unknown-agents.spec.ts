/** Keys that clients make up become no directories: an agent that is neither configured nor on disk has no store made. */
import { TOKEN, startRouter } from '../testing/router-harness';
import type { RunningRouter, TestClient } from '../testing/router-harness';
import { UNCONFIGURED_STORES_MAX } from './store-calls';

const GHOST = 'agent:ghost:main';
const ID = '0190aaaa-0000-7000-8000-000000000001';

let running: RunningRouter;
let client: TestClient;
beforeEach(async () => {
  running = await startRouter({ gateway: { tools: { allow: ['sessions_send', 'sessions_spawn'] } } });
  running.stores.put('main', 'agent:main:main', { sessionId: ID, updatedAt: 1 });
  client = await running.client();
});
afterEach(() => running.stop());

const claims = (): string[] => running.stores.calls.filter((call) => call.startsWith('claimStore') && call !== 'claimStore main');

async function http(path: string, body?: unknown): Promise<number> {
  const response = await fetch(running.url + path, { method: body === undefined ? 'GET' : 'POST', headers: { authorization: `Bearer ${TOKEN}` }, ...(body !== undefined && { body: JSON.stringify(body) }) });
  await response.text();
  return response.status;
}

describe('an agent that nobody knows', () => {
  it.each([
    ['chat.send', { sessionKey: GHOST, message: 'x', idempotencyKey: 'k' }],
    ['chat.send', { sessionKey: GHOST, message: '/reset', idempotencyKey: 'k' }],
    ['agent', { sessionKey: GHOST, message: 'x', idempotencyKey: 'k' }],
    ['sessions.patch', { key: GHOST, label: 'x' }],
    ['sessions.reset', { key: GHOST }],
    ['sessions.import', { agentId: 'ghost', uploadId: 'u' }],
    ['sessions.import.chunk', { agentId: 'ghost', uploadId: 'u', index: 0, data: 'eA==', last: true }],
  ])('is refused by %s', async (method, params) => {
    expect((await client.request(method, params)).error).toMatchObject({ code: 'INVALID_REQUEST', message: 'Unknown agent id "ghost"', details: { reason: 'AGENT_UNKNOWN' } });
    expect(claims()).toEqual([]);
  });

  it('is refused over HTTP, and by the tools', async () => {
    expect(await http('/v1/messages', { origin: { kind: 'webchat' }, sessionKey: GHOST, text: 'x' })).toBe(404);
    expect(await http('/sessions/agent:ghost:main/history')).toBe(404);
    for (const [tool, args] of [['sessions_spawn', { task: 't' }], ['sessions_send', { sessionKey: 'agent:main:main', message: 'm' }], ['session_status', { model: 'm' }], ['sessions_list', {}]] as const) {
      await http('/tools/invoke', { tool, args, sessionKey: GHOST });
    }
    await client.request('tools.invoke', { tool: 'sessions_spawn', args: { task: 't', agentId: 'ghost' }, sessionKey: 'agent:main:main' });
    await client.request('tools.invoke', { tool: 'sessions_send', args: { sessionKey: GHOST, message: 'm' }, sessionKey: 'agent:main:main' });
    expect(claims()).toEqual([]);
  });

  it('is nothing to read', async () => {
    for (const [method, params] of [
      ['sessions.get', { key: GHOST }], ['sessions.describe', { key: GHOST }], ['sessions.preview', { keys: [GHOST] }], ['chat.history', { sessionKey: GHOST }], ['sessions.delete', { key: 'agent:ghost:x' }],
      ['sessions.usage', { key: GHOST }], ['sessions.usage.logs', { key: GHOST }], ['sessions.list', { agentId: 'ghost' }], ['sessions.resolve', { key: GHOST }], ['sessions.abort', { key: GHOST }],
      ['sessions.compaction.list', { key: GHOST }], ['sessions.archives.list', { key: GHOST }], ['sessions.search', { query: 'x', agentId: 'ghost' }], ['sessions.messages.subscribe', { key: GHOST }],
      ['sessions.restore', { key: GHOST }], ['sessions.compact', { key: GHOST }], ['sessions.send', { key: GHOST, message: 'x' }], ['sessions.steer', { key: GHOST, message: 'x' }], ['chat.inject', { sessionKey: GHOST, message: 'x' }],
    ] as const) {
      await client.request(method, params);
      expect([method, claims()]).toEqual([method, []]);
    }
  });

  it('is made by sessions.create, which means to, and so often only', async () => {
    expect((await client.request('sessions.create', { key: GHOST })).ok).toBe(true);
    expect(claims()).toEqual(['claimStore ghost']);
    expect((await client.request('chat.send', { sessionKey: GHOST, message: 'x', idempotencyKey: 'k' })).ok).toBe(true);
    for (let made = 1; made < UNCONFIGURED_STORES_MAX; made += 1) expect((await client.request('sessions.create', { agentId: `ghost-${made}` })).ok).toBe(true);
    expect((await client.request('sessions.create', { agentId: 'one-more' })).error).toMatchObject({ details: { reason: 'AGENT_UNKNOWN' }, message: expect.stringContaining('100 agents') });
    expect((await client.request('sessions.create', { key: 'agent:ghost:again' })).ok).toBe(true);
    expect((await client.request('sessions.create', { agentId: 'main' })).ok).toBe(true);
  });
});
