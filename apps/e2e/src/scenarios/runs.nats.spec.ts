/**
 * Runs through the doors of every deployment, with a model that speaks a provider's protocol on
 * loopback: streamed, stopped, steered, waited for from elsewhere and over a restart, killed.
 */
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { startModelServer } from '@sessions/llm/testing';
import type { AskedModel, ModelServer, ScriptedAnswer } from '@sessions/llm/testing';
import { LAUNCHER, environmentOf, runCommand } from '../support/command';
import { connectSocket } from '../support/gateway-socket';
import type { Frame, GatewaySocket } from '../support/gateway-socket';
import { useScene } from '../support/scene';
import { waitUntil } from '../support/wait-until';
import type { Deployment } from './deployment';
import { createSplit } from './split';
import { createStandalone } from './standalone';

const DEPLOYMENTS = [['standalone', createStandalone], ['split', createSplit]] as const;
/** More than a loaded machine needs for one start of every process, or for a claim to end. */
const LONG_MS = 180_000;

/** What the model says, by the last word that it was told. */
const SCRIPTS: Readonly<Record<string, ScriptedAnswer>> = {
  hello: { chunks: ['Good ', 'day'] },
  slowly: { chunks: ['at ', 'last'], delayMs: 2_000 },
  endless: { chunks: ['Half'], hangs: 'after-chunks' },
};
const scriptOf = ({ text }: AskedModel): ScriptedAnswer => SCRIPTS[/(\w+)\s*$/.exec(text)?.[1] ?? ''] ?? { chunks: ['What?'] };

describe.each(DEPLOYMENTS)('runs at the doors, %s', (_name, create) => {
  const scene = useScene('all');
  let house: Deployment;
  let model: ModelServer;
  let socket: GatewaySocket;

  const door = (at = 0): Deployment['doors'][number] => {
    const found = house.doors[at % house.doors.length];
    if (found === undefined) throw new Error('the deployment has no door');
    return found;
  };
  const chatOf = (runId: string, state: string) => socket.next(({ event, payload }) => event === 'chat' && payload?.['runId'] === runId && payload['state'] === state);
  const say = (key: string, message: string, idempotencyKey: string): Promise<Record<string, unknown>> => socket.call('chat.send', { sessionKey: key, message, idempotencyKey });
  /** As often as a client would ask whose wait is short. */
  const endOf = (runId: string, at: number): Promise<Record<string, unknown>> =>
    waitUntil(`run ${runId} ends`, async () => {
      const asking = await connectSocket(door(at)).catch(() => undefined);
      try {
        const end = await asking?.call('agent.wait', { runId, timeoutMs: 5_000 });
        return end?.['endedAt'] === undefined ? undefined : end;
      } finally {
        asking?.close();
      }
    }, LONG_MS);

  beforeAll(async () => {
    model = await startModelServer(scriptOf);
    scene.onEnd(() => model.close());
    const provider = { baseUrl: model.baseUrl, api: 'openai-completions', apiKey: 'k', models: [{ id: 'small', contextWindow: 20_000, maxTokens: 1_000 }] };
    house = create(scene.stateDir(), { models: { providers: { local: provider } }, agents: { defaults: { model: { primary: 'local/small' } } }, tools: { sessions: { visibility: 'agent' } } });
    scene.onEnd(() => house.kill());
    await house.start();
    socket = await scene.socket(door());
    await socket.call('sessions.subscribe', {});
  }, LONG_MS);

  it('stream a message that is answered, in the order that clients know', async () => {
    expect(await say('stream', 'say hello', 'r-stream')).toMatchObject({ runId: 'r-stream', status: 'started' });
    const isOfRun = ({ event, payload }: Frame): boolean => ['agent', 'chat', 'sessions.changed'].includes(event ?? '') && payload?.['runId'] === 'r-stream';
    const told: string[] = [];
    for (let last = ''; last !== 'sessions.changed end'; ) {
      const { event = '', payload = {} } = await socket.next(isOfRun);
      last = `${event} ${String(payload['state'] ?? payload['phase'] ?? (payload['data'] as { phase?: string } | undefined)?.phase ?? 'text')}`;
      if (!told.includes(last)) told.push(last);
    }
    const order = ['agent start', 'agent text', 'agent end', 'chat final', 'sessions.changed end'];
    expect(told.filter((one) => order.includes(one))).toEqual(order);
    expect(await socket.call('agent.wait', { runId: 'r-stream', timeoutMs: 1_000 })).toMatchObject({ status: 'ok', reply: 'Good day' });
    expect(await say('stream', 'say hello', 'r-stream')).toMatchObject({ runId: 'r-stream', status: 'ok' });
  });

  it('are stopped, with what was said so far', async () => {
    await say('stop', 'talk endless', 'r-stop');
    await chatOf('r-stop', 'delta');
    expect(await socket.call('chat.abort', { sessionKey: 'stop', runId: 'r-stop' })).toEqual({ ok: true, aborted: true, runIds: ['r-stop'] });
    expect((await chatOf('r-stop', 'aborted')).payload).toMatchObject({ stopReason: 'rpc' });
    expect(await endOf('r-stop', 0)).toMatchObject({ status: 'timeout', stopReason: 'rpc' });
  });

  it('are steered: the active one ends, the next begins', async () => {
    await say('steer', 'talk endless', 'r-before');
    await chatOf('r-before', 'delta');
    expect(await socket.call('sessions.steer', { key: 'steer', message: 'rather hello', idempotencyKey: 'r-after' })).toMatchObject({ runId: 'r-after', status: 'started', interruptedActiveRun: true });
    await chatOf('r-before', 'aborted');
    expect((await chatOf('r-after', 'final')).payload).toMatchObject({ message: { content: [{ text: 'Good day' }] } });
  });

  it('outlive the connection that asked for them', async () => {
    const asking = await connectSocket(door());
    await asking.call('chat.send', { sessionKey: 'away', message: 'answer slowly', idempotencyKey: 'r-away' });
    asking.close();
    expect(await endOf('r-away', 1)).toMatchObject({ status: 'ok', reply: 'at last' });
  });

  it('are answered to a message over HTTP that waits', async () => {
    const response = await fetch(`${door(1).url}/v1/messages?wait=60000`, {
      method: 'POST',
      headers: { authorization: `Bearer ${door(1).token}` },
      body: JSON.stringify({ channel: 'telegram', messageId: 'm-1', chatType: 'direct', sender: { id: '1' }, text: 'say hello' }),
    });
    expect(await response.json()).toMatchObject({ status: 'accepted', outcome: 'ok', text: 'Good day' });
  });

  it('are killed over HTTP', async () => {
    await say('kill', 'talk endless', 'r-kill');
    await chatOf('r-kill', 'delta');
    const kill = await fetch(`${door(1).url}/sessions/${encodeURIComponent('agent:main:kill')}/kill`, { method: 'POST', headers: { authorization: `Bearer ${door(1).token}` } });
    expect(await kill.json()).toEqual({ ok: true, killed: true });
    expect(await endOf('r-kill', 0)).toMatchObject({ status: 'timeout' });
  });

  it('are asked for from the command line, and the tools by an MCP client', async () => {
    expect(await runCommand(house.stateDir, ['agent', '--message', 'say hello', '--session-key', 'cli'])).toEqual({ exitCode: 0, stdout: 'Good day\n', stderr: '' });
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(new StdioClientTransport({ command: process.execPath, args: [LAUNCHER, 'mcp'], env: environmentOf(house.stateDir) as Record<string, string>, cwd: house.stateDir, stderr: 'ignore' }));
    try {
      expect(await client.callTool({ name: 'sessions_history', arguments: { sessionKey: 'agent:main:cli' } })).toMatchObject({ content: [{ text: expect.stringContaining('Good day') }] });
    } finally {
      await client.close();
    }
  });

  it('are found again after a restart of everything', async () => {
    await say('restart', 'answer slowly', 'r-restart');
    await waitUntil('the model is asked', () => (model.asked.at(-1)?.text.endsWith('answer slowly') === true ? true : undefined));
    await house.stop();
    await house.start();
    expect(await endOf('r-restart', 1)).toMatchObject({ status: 'ok', reply: 'at last' });
    expect(await endOf('r-stream', 0)).toMatchObject({ status: 'ok', reply: 'Good day' });
  }, LONG_MS);
});
