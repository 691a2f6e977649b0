/** `openclaw mcp`: the official client on its stdin and stdout, a router behind it. */
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { TOKEN, startRouter } from '@sessions/router/testing';
import type { RunningRouter } from '@sessions/router/testing';
import { PassThrough } from 'node:stream';
import { recordingIo } from '../testing';
import { runMcp } from './mcp';

let running: RunningRouter;
beforeEach(async () => {
  running = await startRouter();
  running.stores.put('main', 'agent:main:main', { sessionId: '11111111-1111-4111-8111-111111111111', updatedAt: 1 }, [{ role: 'user', text: 'one' }]);
});
afterEach(() => running.stop());

/** The client's and the server's ends of two pipes; both sides of stdio speak alike. */
async function connect(more: object = {}): Promise<{ client: Client; code: Promise<number>; leave: () => void }> {
  const [toServer, toClient] = [new PassThrough(), new PassThrough()];
  const code = runMcp(recordingIo(), { url: running.wsUrl, token: TOKEN, ...more }, { stdin: toServer, stdout: toClient });
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(new StdioServerTransport(toClient, toServer));
  return { client, code, leave: () => toServer.end() };
}

describe('openclaw mcp', () => {
  it('passes tools, calls and their outcomes on, and ends with its client', async () => {
    const { client, code, leave } = await connect();
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toContain('sessions_list');
    expect(await client.callTool({ name: 'sessions_list', arguments: {} })).toMatchObject({ structuredContent: { count: 1 } });
    expect(await client.callTool({ name: 'sessions_list', arguments: { limit: 'x' } })).toMatchObject({ isError: true });
    await expect(client.callTool({ name: 'rm', arguments: {} })).rejects.toMatchObject({ code: -32602, message: 'MCP error -32602: Tool not available: rm' });
    leave();
    expect(await code).toBe(0);
  });

  it('acts for the session it is told', async () => {
    const { client, code, leave } = await connect({ sessionKey: 'agent:work:lab' });
    running.stores.put('work', 'agent:work:lab', { sessionId: '22222222-2222-4222-8222-222222222222', updatedAt: 1 });
    expect(await client.callTool({ name: 'session_status', arguments: {} })).toMatchObject({ structuredContent: { sessionKey: 'agent:work:lab' } });
    leave();
    await code;
  });

  it('has several calls under way, and passes a cancellation on', async () => {
    running.stores.runs.takes = true;
    running.stores.put('main', 'agent:main:subagent:11111111-1111-4111-8111-111111111112', { sessionId: '33333333-3333-4333-8333-333333333333', updatedAt: 1, spawnedBy: 'agent:main:main' });
    const { client, code, leave } = await connect();
    const giveUp = new AbortController();
    const send = client.callTool({ name: 'sessions_send', arguments: { sessionKey: 'agent:main:subagent:11111111-1111-4111-8111-111111111112', message: 'hi', timeoutSeconds: 600 } }, undefined, { signal: giveUp.signal });
    while (running.stores.delivered.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await client.callTool({ name: 'sessions_list', arguments: {} })).toMatchObject({ structuredContent: { count: expect.any(Number) } });
    giveUp.abort('enough');
    await expect(send).rejects.toThrow('enough');
    leave();
    expect(await code).toBe(0);
  });

  it('says that a call is too large, and goes on', async () => {
    const { client, code, leave } = await connect();
    expect(await client.callTool({ name: 'sessions_list', arguments: { search: 'x'.repeat(9 * 1024 * 1024) } })).toMatchObject({ isError: true, content: [{ text: expect.stringContaining('larger than the gateway') }] });
    expect(await client.callTool({ name: 'sessions_list', arguments: {} })).toMatchObject({ structuredContent: { count: 1 } });
    leave();
    expect(await code).toBe(0);
  }, 60_000);

  it('says at once that nobody listens, or that the credentials are not good', async () => {
    const ask = (flags: object) => runMcp(recordingIo(), { url: running.wsUrl, token: TOKEN, ...flags }, { stdin: new PassThrough(), stdout: new PassThrough() });
    await expect(ask({ token: 'wrong' })).rejects.toMatchObject({ reason: 'UNAUTHENTICATED' });
    await expect(ask({ url: 'ws://127.0.0.1:9' })).rejects.toMatchObject({ reason: 'NO_OWNER', message: expect.stringContaining('No gateway answers at ws://127.0.0.1:9') });
  });
});
