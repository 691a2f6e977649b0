/** The session tools for MCP clients over HTTP, with the official client. */
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { SESSION_TOOL_NAMES } from '@sessions/domain';
import { systemClock } from '@sessions/host';
import { TOKEN, startRouter } from '../testing/router-harness';
import type { RunningRouter } from '../testing/router-harness';
import { CALLS_MAX } from './mcp-server';
import { MESSAGE_BYTES_MAX, McpSessions } from './mcp-sessions';

const MAIN = 'agent:main:main';
const CONFIG = {
  agents: { list: [{ id: 'main', default: true }, { id: 'work' }] },
  tools: { sessions: { visibility: 'agent' } },
  gateway: { auth: { tokens: [{ name: 'reader', token: 'reader-token', scopes: ['operator.read'] }, { name: 'writer', token: 'writer-token', scopes: ['operator.write'] }, { name: 'writer', token: 'other-writer-token', scopes: ['operator.write'] }] } },
};

let running: RunningRouter;
const clients: Client[] = [];
beforeEach(async () => {
  running = await startRouter(CONFIG);
  running.stores.put('main', MAIN, { sessionId: '11111111-1111-4111-8111-111111111111', updatedAt: 2 }, [{ role: 'user', text: 'one' }]);
  running.stores.put('main', 'agent:main:lab', { sessionId: '22222222-2222-4222-8222-222222222222', updatedAt: 1 }, [{ role: 'user', text: 'in the lab' }]);
  running.stores.put('work', 'agent:work:main', { sessionId: '33333333-3333-4333-8333-333333333333', updatedAt: 1 });
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  await running.stop();
});

async function connect({ token = TOKEN, query = '', headers = {} }: { token?: string; query?: string; headers?: Record<string, string> } = {}): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(new StreamableHTTPClientTransport(new URL(`${running.url}/mcp${query}`), { requestInit: { headers: { authorization: `Bearer ${token}`, ...headers } } }));
  clients.push(client);
  return client;
}
const post = (body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${running.url}/mcp`, { method: 'POST', headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers }, body: typeof body === 'string' ? body : JSON.stringify(body) });
const INITIALIZE = { jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 't', version: '1' } } };

describe('an MCP client over HTTP', () => {
  it('finds the tools, with what they take and whether they change anything', async () => {
    const { tools } = await (await connect()).listTools();
    expect(tools.map(({ name }) => name).sort()).toEqual([...SESSION_TOOL_NAMES].sort());
    for (const { description, inputSchema } of tools) expect([typeof description, inputSchema.type, inputSchema.additionalProperties]).toEqual(['string', 'object', false]);
    expect(tools.find(({ name }) => name === 'sessions_list')?.annotations).toMatchObject({ readOnlyHint: true });
    expect(tools.find(({ name }) => name === 'sessions_send')?.annotations).toMatchObject({ readOnlyHint: false });
  });

  it('calls them, and reads what came of it as text and as a document', async () => {
    const client = await connect();
    const listed = await client.callTool({ name: 'sessions_list', arguments: {} });
    expect(listed).toMatchObject({ structuredContent: { count: 2, sessions: expect.any(Array) }, content: [{ type: 'text', text: expect.stringContaining('agent:main:lab') }] });
    expect(listed).not.toHaveProperty('isError');
    expect(await client.callTool({ name: 'sessions_history', arguments: { sessionKey: 'agent:main:lab' } })).toMatchObject({ structuredContent: { sessionKey: 'agent:main:lab' }, content: [{ text: expect.stringContaining('in the lab') }] });
  });

  it('is told what is wrong in a form that a model can read', async () => {
    const client = await connect();
    expect(await client.callTool({ name: 'sessions_history', arguments: { nope: 1 } })).toMatchObject({ isError: true, content: [{ text: expect.stringContaining('nope') }] });
    await expect(client.callTool({ name: 'rm', arguments: {} })).rejects.toMatchObject({ code: -32602, message: 'MCP error -32602: Tool not available: rm' });
  });

  it('sees what the session sees that it acts for', async () => {
    const hidden = { name: 'sessions_history', arguments: { sessionKey: 'agent:work:main' } };
    expect(await (await connect()).callTool(hidden)).toMatchObject({ isError: true, structuredContent: { status: 'forbidden' } });
    expect(await (await connect({ query: '?sessionKey=agent:work:main' })).callTool(hidden)).not.toHaveProperty('isError');
    expect(await (await connect({ headers: { 'x-openclaw-session-key': 'agent:work:main' } })).callTool(hidden)).not.toHaveProperty('isError');
  });

  it('sends a message and has the answer, and cancels a wait for one', async () => {
    running.stores.runs.takes = true;
    const client = await connect();
    const answer = client.callTool({ name: 'sessions_send', arguments: { sessionKey: 'agent:main:lab', message: 'hello', timeoutSeconds: 60 } });
    while (running.stores.delivered.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    running.stores.runs.end('main', running.stores.delivered[0]?.run?.runId ?? '', { text: 'hi' });
    expect(await answer).toMatchObject({ structuredContent: { status: 'ok', reply: 'hi' } });
    const giveUp = new AbortController();
    const waiting = client.callTool({ name: 'sessions_send', arguments: { sessionKey: 'agent:main:lab', message: 'again', timeoutSeconds: 600 } }, undefined, { signal: giveUp.signal });
    while (running.stores.delivered.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    giveUp.abort('enough');
    await expect(waiting).rejects.toThrow('enough');
    // The call is over at the router too: so many more fit in as before.
    const others = Array.from({ length: CALLS_MAX }, () => client.callTool({ name: 'sessions_list', arguments: {} }));
    for (const other of await Promise.all(others)) expect(other).not.toHaveProperty('isError');
  });

  it('may hand over as much as a spawn takes: of more the tool says so, and not the door', async () => {
    const content = Buffer.alloc(1024 * 1024 + 1, 7).toString('base64');
    const attachments = Array.from({ length: 5 }, (_, at) => ({ name: `${at}.bin`, content, encoding: 'base64' }));
    expect(await (await connect()).callTool({ name: 'sessions_spawn', arguments: { task: 'look at these', attachments } })).toMatchObject({ isError: true, content: [{ text: expect.stringContaining('attachments[4].content: must have at most 1048576 bytes') }] });
  });

  it('is told in codes of its own protocol that the session it acts for is none', async () => {
    const client = await connect({ query: '?sessionKey=unknown' });
    await expect(client.listTools()).rejects.toMatchObject({ code: -32602, message: expect.stringContaining('not addressable') });
  });

  it('makes a call once that it repeats under its key', async () => {
    const call = { name: 'sessions_send', arguments: { sessionKey: 'agent:main:lab', message: 'once', timeoutSeconds: 0 }, _meta: { 'openclaw/idempotencyKey': 'same' } };
    for (const client of [await connect(), await connect()]) await client.callTool(call);
    expect(running.stores.texts('main', 'agent:main:lab').filter((text) => text.includes('once'))).toHaveLength(1);
  });

  it('gives a send and a spawn under one key runs of their own', async () => {
    running.stores.runs.takes = true;
    const client = await connect();
    const named = { _meta: { 'openclaw/idempotencyKey': 'same' } };
    const sent = await client.callTool({ name: 'sessions_send', arguments: { sessionKey: 'agent:main:lab', message: 'm', timeoutSeconds: 0 }, ...named });
    const spawned = await client.callTool({ name: 'sessions_spawn', arguments: { task: 't' }, ...named });
    const [one, other] = [sent, spawned].map(({ structuredContent }) => structuredContent as { status: string; runId: string });
    expect([one?.status, other?.status]).toEqual(['accepted', 'accepted']);
    expect(one?.runId).not.toBe(other?.runId);
  });
});

describe('the door of /mcp', () => {
  it('wants the gateway\'s own credentials, with the right to write', async () => {
    expect((await post(INITIALIZE, { authorization: 'Bearer wrong' })).status).toBe(401);
    expect((await post(INITIALIZE, { authorization: 'Bearer reader-token' })).status).toBe(403);
    await expect(connect({ token: 'wrong' })).rejects.toMatchObject({ code: 401 });
  });

  it('is closed to pages of other sites', async () => {
    const { host } = new URL(running.url);
    expect((await post(INITIALIZE, { origin: 'https://evil.example' })).status).toBe(403);
    expect((await post(INITIALIZE, { origin: `http://${host}` })).status).toBe(200);
  });

  it('gives a session to nobody else, and says in words of the protocol that one is gone', async () => {
    const begun = await post(INITIALIZE);
    const id = begun.headers.get('mcp-session-id') ?? '';
    await begun.text();
    const LIST = { jsonrpc: '2.0', id: 2, method: 'tools/list' };
    for (const [headers, status] of [[{}, 200], [{ authorization: 'Bearer writer-token' }, 404], [{ 'mcp-session-id': 'x' }, 404]] as const) {
      const answer = await post(LIST, { 'mcp-session-id': id, ...headers });
      expect(answer.status).toBe(status);
      if (status === 404) expect(await answer.json()).toMatchObject({ jsonrpc: '2.0', error: { message: 'Session not found' } });
    }
    expect((await fetch(`${running.url}/mcp`, { method: 'DELETE', headers: { authorization: `Bearer ${TOKEN}`, 'mcp-session-id': id } })).status).toBe(200);
    expect((await post(LIST, { 'mcp-session-id': id })).status).toBe(404);
  });

  it('is bound to whose secret it was begun with, though another has the same name and rights', async () => {
    const begun = await post(INITIALIZE, { authorization: 'Bearer writer-token' });
    const id = begun.headers.get('mcp-session-id') ?? '';
    await begun.text();
    const statuses: number[] = [];
    for (const token of ['other-writer-token', TOKEN, 'writer-token']) {
      const answer = await post({ jsonrpc: '2.0', id: 2, method: 'tools/list' }, { 'mcp-session-id': id, authorization: `Bearer ${token}`, 'x-openclaw-scopes': 'operator.write' });
      await answer.text();
      statuses.push(answer.status);
    }
    expect(statuses).toEqual([404, 404, 200]);
  });

  it('refuses what is no message, no beginning, or too much', async () => {
    expect((await post('{')).status).toBe(400);
    expect((await post({ jsonrpc: '2.0', id: 1, method: 'tools/list' })).status).toBe(400);
    expect((await post({ ...INITIALIZE, params: { ...INITIALIZE.params, filler: 'x'.repeat(MESSAGE_BYTES_MAX) } })).status).toBe(413);
    const got = await fetch(`${running.url}/mcp`, { headers: { authorization: `Bearer ${TOKEN}` } });
    expect([got.status, got.headers.get('allow')]).toEqual([405, 'POST, DELETE']);
  });
});

describe('sessions', () => {
  it('are bounded: the one that was unused longest makes room', async () => {
    await running.stop();
    const { createServer } = await import('node:http');
    const sessions = new McpSessions({ clock: systemClock, version: '1', sessionsMax: 2, toolsFor: () => ({ list: async () => [], call: async () => ({ kind: 'failed' }) }) });
    const owner = { principalId: 'nobody', scopes: [], sessionKey: undefined };
    const server = createServer((request, response) => void sessions.handle({ request, response, owner, extra: {} }));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as { port: number }).port}/mcp`;
    const ask = (body: unknown, id?: string): Promise<Response> =>
      fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...(id !== undefined && { 'mcp-session-id': id }) }, body: JSON.stringify(body) });
    const ids: string[] = [];
    for (let count = 0; count < 3; count += 1) {
      const begun = await ask(INITIALIZE);
      await begun.text();
      ids.push(begun.headers.get('mcp-session-id') ?? '');
    }
    expect(sessions.size).toBe(2);
    const statuses = await Promise.all(ids.map(async (id) => (await ask({ jsonrpc: '2.0', id: 2, method: 'ping' }, id)).status));
    expect(statuses).toEqual([404, 200, 200]);
    await sessions.close();
    await new Promise((resolve) => server.close(resolve));
    running = await startRouter(CONFIG);
  });
});
