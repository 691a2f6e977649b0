/** `openclaw agent` against a gateway that answers as told: text that grows, ends, breaks and interruptions. */
import { HELLO, recordingIo, reply, serveGateway } from '../testing';
import type { Frame, RecordingIo, ToldGateway } from '../testing';
import type { WebSocket } from 'ws';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runAgent } from './agent';
import { runGatewayCall } from './gateway-call';

type Answer = (frame: Frame, socket: WebSocket, nth: number) => void;

let gateway: ToldGateway;
afterEach(() => gateway.close());

const event = (socket: WebSocket, runId: unknown, data: Frame, stream = 'assistant'): void => socket.send(JSON.stringify({ type: 'event', event: 'agent', payload: { runId, stream, data }, seq: 1 }));
const runIdOf = (frame: Frame): unknown => (frame['params'] as Frame)['idempotencyKey'];
const accepted = (socket: WebSocket, frame: Frame): void => reply(socket, frame, { ok: true, payload: { runId: runIdOf(frame), status: 'accepted' } });
const ended = (socket: WebSocket, frame: Frame, text: string): void => reply(socket, frame, { ok: true, payload: { runId: runIdOf(frame), status: 'ok', summary: 'completed', result: { payloads: [{ text }], meta: {} } } });

async function say(answer: Answer, { columns, json, until, more = {} }: { columns?: number; json?: boolean; until?: Promise<void>; more?: object } = {}): Promise<{ code: number; io: RecordingIo }> {
  let asked = 0;
  gateway = await serveGateway((frame, socket) => {
    if (frame['method'] === 'connect') return reply(socket, frame, HELLO);
    answer(frame, socket, (asked += 1));
  });
  const io = recordingIo({ ...(columns !== undefined && { columns }) });
  const code = await runAgent(io, { message: 'hi', url: gateway.url, token: 't', json: json === true, ...more }, until);
  return { code, io };
}
const calls = () => gateway.frames.filter(({ method }) => method !== 'connect');

describe('the reply', () => {
  const grows: Answer = (frame, socket) => {
    accepted(socket, frame);
    const runId = runIdOf(frame);
    event(socket, 'another run', { text: 'no', delta: 'no' });
    event(socket, runId, { text: 'Let me ', delta: 'Let me ' });
    event(socket, runId, { text: 'Let me look', delta: 'look' });
    event(socket, runId, { name: 'read' }, 'tool');
    event(socket, runId, { delta: '.' });
    event(socket, runId, { text: 'It \u001b[31mis', delta: 'It is' });
    ended(socket, frame, 'It \u001b[31mis there.\nDone');
  };

  it('grows on a terminal, each word once and none obeyed', async () => {
    const { code, io } = await say(grows, { columns: 80 });
    expect([code, io.stdout(), io.stderr()]).toEqual([0, 'Let me look.\nIt \\u001b[31mis there.\nDone\n', '']);
  });

  it('comes whole where nobody watches, and as a document when it is asked for', async () => {
    expect((await say(grows)).io.stdout()).toBe('It \\u001b[31mis there.\nDone\n');
    await gateway.close();
    const { io } = await say(grows, { columns: 80, json: true });
    expect(JSON.parse(io.stdout())).toMatchObject({ status: 'ok', result: { payloads: [{ text: expect.stringContaining('there') }] } });
  });

  it('is asked for as the flags say', async () => {
    await say((frame, socket) => ended(socket, frame, 'ok'), { more: { agent: 'work', sessionId: 's', to: '+1', model: 'a/b', thinking: 'low', deliver: true, channel: 'slack', replyTo: 'C1', replyChannel: 'telegram', replyAccount: 'w', timeout: '7' } });
    expect(calls()[0]).toMatchObject({ method: 'agent', params: { message: 'hi', agentId: 'work', sessionId: 's', to: '+1', model: 'a/b', thinking: 'low', deliver: true, channel: 'slack', replyTo: 'C1', replyChannel: 'telegram', replyAccountId: 'w', timeout: 7 } });
  });
});

describe('a run without a whole answer', () => {
  it('fails with what was said of it', async () => {
    const { code, io } = await say((frame, socket) => {
      accepted(socket, frame);
      reply(socket, frame, { ok: false, payload: { status: 'error' }, error: { code: 'UNAVAILABLE', message: 'no such model' } });
    });
    expect([code, io.stdout(), io.stderr()]).toEqual([1, '', 'no such model\n']);
  });

  it('is no success when it was stopped, and what there is of it is printed', async () => {
    const { code, io } = await say((frame, socket) => reply(socket, frame, { ok: true, payload: { runId: 'r', status: 'timeout', summary: 'aborted', stopReason: 'rpc', result: { payloads: [{ text: 'Half' }] } } }));
    expect([code, io.stdout(), io.stderr()]).toEqual([1, 'Half\n', 'The run did not finish: aborted.\n']);
  });

  it('is ended when the person stops waiting', async () => {
    let stop: () => void = () => undefined;
    const until = new Promise<void>((resolve) => (stop = resolve));
    const { code } = await say(
      (frame, socket) => {
        if (frame['method'] === 'sessions.abort') return reply(socket, frame, { ok: true, payload: { ok: true } });
        accepted(socket, frame);
        stop();
      },
      { until },
    );
    expect(code).toBe(130);
    expect(calls().at(-1)).toMatchObject({ method: 'sessions.abort', params: { runId: runIdOf(calls()[0] ?? {}) } });
  });
});

describe('a gateway that goes away', () => {
  it('is found again, and the run is taken up under its key', async () => {
    const { code, io } = await say((frame, socket, nth) => {
      if (nth === 1) {
        accepted(socket, frame);
        return socket.close(1012, 'service restart');
      }
      if (frame['method'] === 'agent') return reply(socket, frame, { ok: true, payload: { runId: runIdOf(frame), status: 'in_flight' } });
      reply(socket, frame, { ok: true, payload: { runId: 'r', status: 'ok', endedAt: 5, reply: 'after all' } });
    });
    expect([code, io.stdout()]).toEqual([0, 'after all\n']);
    expect(calls().map(({ method }) => method)).toEqual(['agent', 'agent', 'agent.wait']);
    expect(runIdOf(calls()[1] ?? {})).toBe(runIdOf(calls()[0] ?? {}));
  });

  it('is not asked again when it means it', async () => {
    const { code, io } = await say((_frame, socket) => socket.close(1008, 'slow consumer'));
    expect([code, calls().length]).toEqual([1, 1]);
    expect(io.stderr()).toContain('slow consumer');
  });
});

it('names the flag and the key of the configuration where the gateway asks for a credential', async () => {
  for (const [reason, token, told] of [['device identity required', undefined, 'No token was sent. Pass --token'], ['unauthorized: gateway token mismatch', 't', 'does not take the token']] as const) {
    gateway = await serveGateway((_frame, socket) => socket.close(1008, reason));
    const directory = mkdtempSync(join(tmpdir(), 'cli-agent-'));
    writeFileSync(join(directory, 'openclaw.json'), `{ gateway: { port: ${String(gateway.port)} } }`);
    const io = recordingIo({ env: { HOME: directory, OPENCLAW_STATE_DIR: directory } });
    expect(await runAgent(io, { message: 'hi', token })).toBe(1);
    expect(io.stderr()).toContain(told);
    for (const way of ['--token', 'OPENCLAW_GATEWAY_TOKEN', `gateway.auth.token in ${join(directory, 'openclaw.json')}`]) expect(io.stderr()).toContain(way);
    const call = recordingIo({ env: { HOME: directory, OPENCLAW_STATE_DIR: directory } });
    expect(await runGatewayCall(call, { method: 'health', token })).toBe(1);
    expect(call.stderr()).toContain(told);
    rmSync(directory, { recursive: true });
    await gateway.close();
  }
  gateway = await serveGateway(() => undefined);
});

it('says what to do where no gateway listens', async () => {
  gateway = await serveGateway(() => undefined);
  const { url } = gateway;
  await gateway.close();
  const io = recordingIo();
  expect(await runAgent(io, { message: 'hi', url, token: 't' })).toBe(1);
  expect(io.stderr()).toContain('openclaw gateway run');
});
