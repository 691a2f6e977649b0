/**
 * The session tools for MCP clients, with the official client: over streamable HTTP and as a program,
 * with a token that is narrowed to the sessions of one agent.
 */
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { SESSION_TOOL_NAMES } from '@sessions/domain';
import { createSplit } from '../scenarios/split';
import { createStandalone } from '../scenarios/standalone';
import { LAUNCHER, environmentOf } from '../support/command';
import { TOKEN, useScene } from '../support/scene';
import { waitUntil } from '../support/wait-until';
import { LONG_MS, openHouse } from './house-of-agents';
import type { HouseOfAgents } from './house-of-agents';

const NARROWED = 'only-for-agent-main';
const READER = 'reads-only';
/** The client gives a request up after a minute by itself, as long as some calls here may wait for an answer. */
const PATIENT = { timeout: LONG_MS };
const WORK = 'agent:work:main';
const LAB = 'agent:main:lab';

describe.each([
  ['standalone', createStandalone],
  ['split', createSplit],
] as const)('MCP clients of the %s deployment', (_name, create) => {
  const scene = useScene('all');
  let house: HouseOfAgents;
  const clients: Client[] = [];

  beforeAll(async () => {
    house = await openHouse(scene, create, {
      otherwise: ({ message }) => ({ chunks: [`heard: ${message.split('\n').at(-1) ?? ''}`] }),
      settings: {
        gateway: {
          auth: {
            mode: 'token',
            token: TOKEN,
            tokens: [
              { name: 'narrowed', token: NARROWED, scopes: ['operator.write'], agents: ['main'] },
              { name: 'reader', token: READER, scopes: ['operator.read'] },
            ],
          },
        },
        agents: { defaults: { model: { primary: 'local/small' }, subagents: { allowAgents: ['*'] } }, list: [{ id: 'main', default: true }, { id: 'work' }] },
        // As far as the agents are concerned each may do everything to each: what is refused below, the token refuses.
        tools: { sessions: { visibility: 'all' }, agentToAgent: { enabled: true, allow: ['*'] } },
      },
    });
    for (const [sessionKey, message] of [[LAB, 'in the lab'], [WORK, 'at work']] as const) {
      const { runId } = await house.call('chat.send', { sessionKey, message, idempotencyKey: `first ${sessionKey}`.replaceAll(' ', '-') });
      expect(await house.end(String(runId))).toMatchObject({ status: 'ok' });
    }
  }, LONG_MS);
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.close();
  });

  const overHttp = async (token: string): Promise<Client> => {
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(new StreamableHTTPClientTransport(new URL(`${house.door(1).url}/mcp`), { requestInit: { headers: { authorization: `Bearer ${token}` } } }), PATIENT);
    clients.push(client);
    return client;
  };
  const asProgram = async (token: string): Promise<Client> => {
    const client = new Client({ name: 'test', version: '1' });
    const { stateDir } = house.deployment;
    await client.connect(new StdioClientTransport({ command: process.execPath, args: [LAUNCHER, 'mcp', '--url', house.door().url.replace('http', 'ws'), '--token', token], env: environmentOf(stateDir) as Record<string, string>, cwd: stateDir, stderr: 'ignore' }), PATIENT);
    clients.push(client);
    return client;
  };

  it.each([
    ['over HTTP', overHttp],
    ['as a program', asProgram],
  ] as const)('%s find the tools and use them inside what their token shows', async (_transport, connect) => {
    const client = await connect(NARROWED);
    expect((await client.listTools(undefined, PATIENT)).tools.map(({ name }) => name).sort()).toEqual([...SESSION_TOOL_NAMES].sort());
    const call = (name: string, args: Record<string, unknown>): ReturnType<Client['callTool']> => client.callTool({ name, arguments: args }, undefined, PATIENT);
    const { structuredContent } = (await call('sessions_list', {})) as unknown as { structuredContent: { sessions: { key: string }[] } };
    const keys = structuredContent.sessions.map(({ key }) => key);
    expect(keys).toContain(LAB);
    expect(keys).not.toContain(WORK);
    expect(await call('sessions_history', { sessionKey: LAB })).toMatchObject({ structuredContent: { sessionKey: LAB }, content: [{ text: expect.stringContaining('in the lab') }] });
    expect(await call('sessions_send', { sessionKey: LAB, message: 'from outside', timeoutSeconds: 60 })).toMatchObject({ structuredContent: { status: 'ok', reply: 'heard: from outside' } });

    const before = await house.messages(WORK);
    expect(await call('sessions_history', { sessionKey: WORK })).toMatchObject({ isError: true, structuredContent: { status: 'forbidden' } });
    expect(await call('session_status', { sessionKey: WORK })).toMatchObject({ isError: true, structuredContent: { status: 'forbidden' } });
    expect(await call('sessions_send', { sessionKey: WORK, message: 'let me in', timeoutSeconds: 0 })).toMatchObject({ isError: true, structuredContent: { status: 'forbidden' } });
    expect(await call('sessions_spawn', { task: 'let me in', agentId: 'work' })).toMatchObject({ isError: true, structuredContent: { status: 'forbidden' } });
    expect(await house.messages(WORK)).toEqual(before);
    await expect(connect(READER)).rejects.toThrow();
  }, LONG_MS);

  it('spawn a sub-agent and are told its result in the session that they act for', async () => {
    const client = await overHttp(NARROWED);
    const spawned = (await client.callTool({ name: 'sessions_spawn', arguments: { task: 'say: done outside' } }, undefined, PATIENT)) as unknown as { structuredContent: { status: string; childSessionKey: string; runId: string } };
    expect(spawned.structuredContent.status).toBe('accepted');
    expect(await house.end(spawned.structuredContent.runId)).toMatchObject({ status: 'ok', reply: 'done outside' });
    const told = await waitUntil('the result arrives', async () => (await house.messages('agent:main:main')).find(({ text }) => text.includes('done outside')), LONG_MS);
    expect(told).toMatchObject({ role: 'user', provenance: { sourceSessionKey: spawned.structuredContent.childSessionKey } });
  }, LONG_MS);
});
