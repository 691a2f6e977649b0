/**
 * A runtime of one's own in the built-in runtime's place, a process that knows the contract only: it is
 * given turns, streams, calls a tool, is stopped, and dies in the middle of one.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as path from 'node:path';
import { startNatsServer } from '@sessions/bus/testing';
import { runCommand } from '../support/command';
import { doorAt, type Door } from '../support/door';
import { freePort } from '../support/free-port';
import type { Frame, GatewaySocket } from '../support/gateway-socket';
import { TOKEN, useScene } from '../support/scene';
import { startApp } from '../support/split-app';
import { waitUntil } from '../support/wait-until';
import { writeSettings } from '../scenarios/write-settings';

const LONG_MS = 240_000;
const PROGRAM = path.join(__dirname, 'own-runtime.mjs');

describe('a runtime of one\'s own', () => {
  const scene = useScene('all');
  let natsUrl: string;
  let door: Door;
  let socket: GatewaySocket;
  let number = 0;

  beforeAll(async () => {
    const nats = await startNatsServer();
    scene.onEnd(() => nats.stop());
    natsUrl = nats.url;
    const stateDir = scene.stateDir();
    const port = await freePort();
    writeSettings(stateDir, port, { session: { dmScope: 'per-channel-peer' }, agents: { defaults: { model: { primary: 'own/one' } } }, agentRunner: { runtime: 'external' }, tools: { sessions: { visibility: 'agent' } } });
    expect((await runCommand(stateDir, ['gateway', 'setup-bus', '--bus', natsUrl])).exitCode).toBe(0);
    for (const app of await Promise.all([startApp('store-writer', stateDir, natsUrl), startApp('router', stateDir, natsUrl, { env: { SESS_PORT: String(port) } }), startApp('agent-runner', stateDir, natsUrl)])) scene.onEnd(() => app.kill());
    door = doorAt({ url: `http://127.0.0.1:${String(port)}`, grpc: undefined, token: TOKEN });
    socket = await scene.socket(door);
  }, LONG_MS);

  const start = async (name: string): Promise<ChildProcess> => {
    const child = spawn(process.execPath, [PROGRAM], { env: { ...process.env, NATS_URL: natsUrl, OWN_NAME: name }, stdio: ['ignore', 'pipe', 'inherit'] });
    scene.onEnd(() => end(child));
    await once(child.stdout as NodeJS.ReadableStream, 'data');
    return child;
  };
  const end = async (child: ChildProcess): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  const say = async (text: string, sender: string): Promise<string> => {
    const accepted = await door.send({ channel: 'telegram', messageId: String((number += 1)), chatType: 'direct', sender: { id: sender }, text });
    expect(accepted?.status).toBe(202);
    return String(accepted?.json?.['runId']);
  };
  const ended = (runId: string): Promise<Record<string, unknown>> =>
    waitUntil(`run ${runId} ends`, async () => {
      const answer = await socket.call('agent.wait', { runId, timeoutMs: 5_000 });
      return answer['endedAt'] === undefined ? undefined : answer;
    }, LONG_MS);
  const messages = async (sender: string): Promise<{ role: string; text: string }[]> => {
    const { json } = await door.http(`/sessions/${encodeURIComponent(keyOf(sender))}/history?includeTools=1`);
    return (json?.['messages'] as { role: string; content: unknown }[]).map(({ role, content }) => ({ role, text: typeof content === 'string' ? content : (content as { text?: string }[]).map(({ text = '' }) => text).join('') }));
  };
  const chatOf = (runId: string): Promise<Frame> => socket.next(({ event, payload }) => event === 'chat' && payload?.['runId'] === runId);

  it('is given turns, streams, and calls a tool when the call is durable', async () => {
    const one = await start('one');
    const said = await say('say good day', '1');
    const first = await chatOf(said);
    expect(first.payload).toMatchObject({ state: 'delta' });
    expect(await ended(said)).toMatchObject({ status: 'ok' });
    expect(await messages('1')).toEqual([{ role: 'user', text: expect.stringContaining('say good day') as string }, { role: 'assistant', text: 'one good day' }]);
    expect(await ended(await say('list', '1'))).toMatchObject({ status: 'ok' });
    expect((await messages('1')).slice(2).map(({ role }) => role)).toEqual(['user', 'assistant', 'toolResult', 'assistant']);
    expect((await messages('1')).at(-1)?.text).toBe('one sees 1 session');
    await end(one);
  }, LONG_MS);

  it('is stopped, and its last words are kept', async () => {
    const two = await start('two');
    const runId = await say('wait', '2');
    expect((await chatOf(runId)).payload).toMatchObject({ state: 'delta', deltaText: 'two ' });
    expect(await socket.call('sessions.abort', { key: keyOf('2'), runId })).toMatchObject({ ok: true });
    expect((await ended(runId))['stopReason']).toBe('rpc');
    expect((await messages('2')).at(-1)).toEqual({ role: 'assistant', text: 'two stopped' });
    await end(two);
  }, LONG_MS);

  it('dies in the middle of a turn: a copy of it takes the turn up, and the message is answered once', async () => {
    await start('three');
    const runId = await say('die not four', '3');
    expect((await chatOf(runId)).payload).toMatchObject({ deltaText: 'three ' });
    const four = await start('four');
    expect(await ended(runId)).toMatchObject({ status: 'ok' });
    expect(await messages('3')).toEqual([{ role: 'user', text: expect.stringContaining('die not four') as string }, { role: 'assistant', text: 'four not four' }]);
    await end(four);
  }, LONG_MS);

  it('dies in the middle of a turn and nobody takes its place: the run ends with a stated outcome, and the next message is answered', async () => {
    await start('five');
    const runId = await say('die', '4');
    expect(await ended(runId)).toMatchObject({ status: 'error', error: 'the runtime broke off the turn' });
    await start('six');
    expect(await ended(await say('say again', '4'))).toMatchObject({ status: 'ok' });
    expect((await messages('4')).at(-1)?.text).toBe('six again');
  }, LONG_MS);
});

const keyOf = (sender: string): string => `agent:main:telegram:direct:${sender}`;
