/** What clients see of runs, with a real model server behind: states, times, images, children, tools, over restarts and reloads. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startModelServer } from '@sessions/llm/testing';
import type { AskedModel, ModelServer, ScriptedAnswer } from '@sessions/llm/testing';
import type { Gateway } from '../support/gateway';
import type { Frame, GatewaySocket } from '../support/gateway-socket';
import { configWith, sessionsDir, useScene } from '../support/scene';
import { waitUntil } from '../support/wait-until';

const scene = useScene('all');
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

let model: ModelServer;
let stateDir: string;
let gateway: Gateway;
let socket: GatewaySocket;

const lastText = ({ body }: AskedModel): string => JSON.stringify((body['messages'] as unknown[]).at(-1));
/** `slow …` takes a while, `hang` never ends, `spawn …` starts a sub-agent. */
function answerTo(asked: AskedModel): ScriptedAnswer {
  const text = lastText(asked);
  const usage = { input: 10, output: 2 };
  if (text.includes('hang')) return { hangs: 'before' };
  if (text.includes('spawn one') && !text.includes('tool_call_id')) return { toolCalls: [{ id: `c${String(asked.number)}`, name: 'sessions_spawn', arguments: { task: 'a small task' } }], usage };
  return { chunks: ['answer', ' of the model'], chunkDelayMs: text.includes('slow') ? 1_500 : 0, usage };
}

const configOf = (more: object = {}): Record<string, unknown> =>
  configWith({
    models: { providers: { local: { baseUrl: model.baseUrl, api: 'openai-completions', apiKey: 'k', models: [{ id: 'small', contextWindow: 32_768, maxTokens: 512, cost: { input: 1, output: 1 } }] } } },
    agents: { defaults: { model: 'local/small' } },
    // Nobody knows it: kept, and warned about.
    session: { unknownHere: 1 },
    ...more,
  });

beforeAll(async () => {
  model = await startModelServer(answerTo);
  scene.onEnd(() => model.close());
  stateDir = scene.stateDir(configOf());
  gateway = await scene.gateway(stateDir);
  socket = await follower();
});

async function follower(): Promise<GatewaySocket> {
  const opened = await scene.socket(gateway);
  await opened.call('sessions.subscribe', {});
  return opened;
}

const rowOf = async (key: string): Promise<Record<string, unknown>> => (await socket.call('sessions.describe', { key }))['session'] as Record<string, unknown>;
const run = async (sessionKey: string, message: string, more: object = {}): Promise<Record<string, unknown>> => {
  const idempotencyKey = `${sessionKey}-${message}`.replaceAll(' ', '-');
  await socket.call('chat.send', { sessionKey, message, idempotencyKey, ...more });
  return socket.call('agent.wait', { runId: idempotencyKey, timeoutMs: 60_000 });
};
const phase = (key: string, wanted: string): Promise<Frame> => socket.next(({ event, payload }) => event === 'sessions.changed' && payload?.['sessionKey'] === key && payload['phase'] === wanted);

describe('a session whose run is over', () => {
  it('becomes active again with the next message, and terminal again, and everybody hears of both', async () => {
    const key = 'agent:main:again';
    for (const message of ['first', 'second']) {
      expect(await run(key, message)).toMatchObject({ status: 'ok' });
      expect((await phase(key, 'start')).payload).toMatchObject({ status: 'running', hasActiveRun: true });
      const { payload } = await phase(key, 'end');
      expect(payload).toMatchObject({ status: 'done', hasActiveRun: false, session: { status: 'done', startedAt: expect.any(Number) as number, endedAt: expect.any(Number) as number, runtimeMs: expect.any(Number) as number } });
    }
  });

  it('shows messages of both sides with their numbers, and what the answer used', async () => {
    const key = 'agent:main:usage';
    await run(key, 'count');
    const heard = async (role: string): Promise<Record<string, unknown>> =>
      (await socket.next(({ event, payload }) => event === 'session.message' && payload?.['sessionKey'] === key && (payload['message'] as { role?: string }).role === role)).payload ?? {};
    expect(await heard('user')).toMatchObject({ messageSeq: 1, message: { __openclaw: { seq: 1 } } });
    expect(await heard('assistant')).toMatchObject({ messageSeq: 2, message: { usage: { input: 10, output: 2 } } });
    for (const seq of [1, 2]) expect((await socket.next(({ event, payload }) => event === 'sessions.changed' && payload?.['sessionKey'] === key && payload['phase'] === 'message')).payload).toMatchObject({ messageCount: seq });
  });
});

it('a run that outlasts its time ends as timeout, which is a status of its own', async () => {
  const key = 'agent:main:late';
  await socket.call('chat.send', { sessionKey: key, message: 'hang', idempotencyKey: 'late', timeoutMs: 1_000 });
  expect((await phase(key, 'start')).payload).toMatchObject({ status: 'running' });
  const row = await waitUntil('the run is over', async () => ((await rowOf(key))['status'] === 'running' ? undefined : rowOf(key)));
  expect(row).toMatchObject({ status: 'timeout', hasActiveRun: false });
});

it('a run that is killed over HTTP shows it, and a second kill finds nothing', async () => {
  const key = 'agent:main:killed';
  await socket.call('chat.send', { sessionKey: key, message: 'hang on', idempotencyKey: 'killed' });
  await phase(key, 'start');
  const kill = (): Promise<{ json: unknown }> => gateway.http(`/sessions/${encodeURIComponent(key)}/kill`, { method: 'POST', body: '{}' });
  expect((await kill()).json).toEqual({ ok: true, killed: true });
  await waitUntil('it is over', async () => ((await rowOf(key))['status'] === 'killed' ? true : undefined));
  expect((await kill()).json).toEqual({ ok: true, killed: false });
});

/** What a follower hears of one session until a run is over, in order and each once in a row. */
async function heardUntilEnd(follower: GatewaySocket, key: string, runId: string): Promise<string[]> {
  const heard: string[] = [];
  for (let isOver = false; !isOver; ) {
    const { event = '', payload = {} } = await follower.next(({ payload: told }) => told?.['sessionKey'] === key);
    const data = payload['data'] as { readonly phase?: string; readonly stopReason?: string } | undefined;
    const what = [event, payload['state'] ?? payload['reason'] ?? payload['phase'] ?? data?.phase ?? payload['stream'] ?? (payload['message'] as { role?: string } | undefined)?.role, payload['stopReason'] ?? data?.stopReason].filter((word) => word !== undefined).join(' ');
    if (heard.at(-1) !== what) heard.push(what);
    isOver = event === 'sessions.changed' && payload['phase'] === 'end' && payload['runId'] === runId;
  }
  return heard;
}

it.each(['sessions.send', 'agent'])('%s: the order in which a run is told of', async (method) => {
  const key = `agent:main:order-${method.replace('.', '-')}`;
  await socket.call('sessions.create', { key });
  const listener = await follower();
  await socket.request(method, { ...(method === 'agent' ? { sessionKey: key } : { key }), message: 'go', idempotencyKey: `order-${method}` });
  const heard = await heardUntilEnd(listener, key, `order-${method}`);
  const steps = heard.filter((one) => !one.endsWith(' message') && one !== 'agent assistant' && one !== 'chat delta');
  expect(steps.filter((one) => one !== 'agent start' && one !== 'sessions.changed start')).toEqual(['sessions.changed send', 'session.message user', 'session.message assistant', 'agent finishing stop', 'agent end stop', 'chat final stop', 'sessions.changed end']);
  expect(steps.slice(2, 4).sort()).toEqual(['agent start', 'sessions.changed start']);
  listener.close();
});

it('runs that are aborted by their session all end with the one word that clients know, begun or not', async () => {
  const key = 'agent:main:aborted';
  const listener = await follower();
  await socket.call('chat.send', { sessionKey: key, message: 'hang there', idempotencyKey: 'aborted-1' });
  await phase(key, 'start');
  await socket.call('chat.send', { sessionKey: key, message: 'and wait', idempotencyKey: 'aborted-2' });
  expect(await socket.call('chat.abort', { sessionKey: key })).toEqual({ ok: true, aborted: true, runIds: ['aborted-1', 'aborted-2'] });
  for (const runId of ['aborted-1', 'aborted-2']) {
    const { payload } = await listener.next(({ event, payload: told }) => event === 'chat' && told?.['runId'] === runId && told['state'] !== 'delta');
    expect(payload).toMatchObject({ state: 'aborted', stopReason: 'rpc' });
    expect(await socket.call('agent.wait', { runId, timeoutMs: 60_000 })).toMatchObject({ status: 'timeout', stopReason: 'rpc' });
  }
  // Steered away from before it began, and while it ran.
  await socket.call('chat.send', { sessionKey: key, message: 'hang again', idempotencyKey: 'steered-1' });
  await phase(key, 'start');
  await socket.call('sessions.steer', { key, message: 'rather this', idempotencyKey: 'steered-2' });
  expect((await listener.next(({ event, payload: told }) => event === 'sessions.changed' && told?.['sessionKey'] === key && told['reason'] === 'steer')).payload).toMatchObject({ sessionKey: key });
  expect((await listener.next(({ event, payload: told }) => event === 'chat' && told?.['runId'] === 'steered-1' && told['state'] !== 'delta')).payload).toMatchObject({ state: 'aborted', stopReason: 'rpc' });
  expect(await socket.call('agent.wait', { runId: 'steered-2', timeoutMs: 60_000 })).toMatchObject({ status: 'ok' });
  listener.close();
});

it('an image that is sent is kept and shown to the model', async () => {
  const key = 'agent:main:picture';
  await socket.call('sessions.create', { key });
  await socket.call('sessions.send', { key, message: 'what is this', idempotencyKey: 'picture', attachments: [{ type: 'image', mimeType: 'image/png', fileName: 'a.png', content: PNG }] });
  expect(await socket.call('agent.wait', { runId: 'picture', timeoutMs: 60_000 })).toMatchObject({ status: 'ok' });
  expect(model.asked.some((asked) => lastText(asked).includes(PNG))).toBe(true);
  const { messages } = await socket.call('sessions.get', { key });
  expect(JSON.stringify((messages as unknown[])[0])).toContain(PNG);
});

it('a sub-agent is told of under its own key, on the socket and on the stream, and its parent names it', async () => {
  const parent = 'agent:main:parent';
  const stream = await openStream();
  await socket.call('sessions.create', { key: parent });
  await run(parent, 'spawn one');
  const created = await socket.next(({ event, payload }) => event === 'sessions.changed' && payload?.['reason'] === 'create' && String(payload['sessionKey']).includes(':subagent:'));
  const child = String(created.payload?.['sessionKey']);
  const tool = await socket.next(({ event, payload }) => event === 'session.tool' && payload?.['sessionKey'] === parent && payload['phase'] === 'result');
  expect(tool.payload).toMatchObject({ name: 'sessions_spawn', toolCallId: expect.any(String) as string, runId: expect.any(String) as string });
  const said = await socket.next(({ event, payload }) => event === 'session.message' && payload?.['sessionKey'] === child);
  expect(said.payload).toMatchObject({ agentId: 'main', session: { key: child, spawnedBy: parent } });
  await waitUntil('the child is done', async () => ((await rowOf(child))['status'] === 'done' ? true : undefined));
  const { sessions } = (await socket.call('sessions.list', { limit: 100 })) as { sessions: Record<string, unknown>[] };
  expect(sessions.find(({ key }) => key === parent)).toMatchObject({ childSessions: [child] });
  expect(sessions.find(({ key }) => key === child)).toMatchObject({ spawnedBy: parent, status: 'done', startedAt: expect.any(Number) as number, endedAt: expect.any(Number) as number, runtimeMs: expect.any(Number) as number });
  await waitUntil('the stream has told it', () => Promise.resolve(stream().includes('event: sessions.changed') ? true : undefined));
});

/** A live view of the parent. @returns all that has come so far */
async function openStream(): Promise<() => string> {
  await socket.call('sessions.create', { key: 'agent:main:parent' });
  const leaving = new AbortController();
  scene.onEnd(() => leaving.abort());
  const response = await fetch(`${gateway.url}/sessions/agent:main:parent/history?follow=1`, { headers: { authorization: `Bearer ${gateway.token}` }, signal: leaving.signal });
  let text = '';
  void (async () => {
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) text += Buffer.from(chunk).toString();
  })().catch(() => undefined);
  return () => text;
}

it('an injected time before a text is hidden in views, and stays in what is stored', async () => {
  const key = 'agent:main:timed';
  const text = '[Wed 2026-03-11 23:51 PDT] what time is it';
  await socket.call('chat.send', { sessionKey: key, message: text, idempotencyKey: 'timed' });
  await waitUntil('it is answered', async () => ((await rowOf(key))['status'] === 'done' ? true : undefined));
  const { session } = await socket.call('sessions.describe', { key, includeDerivedTitles: true });
  expect(session).toMatchObject({ derivedTitle: 'what time is it' });
  const { messages } = await socket.call('chat.history', { sessionKey: key });
  expect(JSON.stringify((messages as unknown[])[0])).not.toContain('23:51');
  const { sessionId } = await rowOf(key);
  expect(readFileSync(join(sessionsDir(stateDir), `${String(sessionId)}.jsonl`), 'utf8')).toContain(text);
});

it('a message that waits is answered after the configuration was read again', async () => {
  const key = 'agent:main:queued';
  await socket.call('chat.send', { sessionKey: key, message: 'slow one', idempotencyKey: 'slow-1' });
  await phase(key, 'start');
  await socket.call('chat.send', { sessionKey: key, message: 'queued one', idempotencyKey: 'queued-1' });
  writeFileSync(join(stateDir, 'openclaw.json'), JSON.stringify(configOf({ messages: { queue: { mode: 'followup' } } })));
  await readAgain(1);
  expect(await rowOf(key)).toMatchObject({ status: 'running' });
  for (const runId of ['slow-1', 'queued-1']) expect(await socket.call('agent.wait', { runId, timeoutMs: 60_000 })).toMatchObject({ status: 'ok' });
  const { messages } = await socket.call('sessions.get', { key });
  expect((messages as { role: string }[]).map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'assistant']);
});

it('a warning about the configuration is logged once, however often it is read', async () => {
  writeFileSync(join(stateDir, 'openclaw.json'), JSON.stringify(configOf()));
  await readAgain(2);
  expect(gateway.printed().split('\n').filter((line) => line.includes('unknownHere'))).toHaveLength(1);
});

const readAgain = (times: number): Promise<true> =>
  waitUntil('the configuration is read again', () => Promise.resolve(gateway.printed().split('the configuration was read again').length > times ? true : undefined));

it('states and times are the same after a kill', async () => {
  const keys = ['agent:main:again', 'agent:main:late', 'agent:main:killed'];
  const timing = async (key: string): Promise<unknown[]> => {
    const { status, startedAt, endedAt, runtimeMs } = await rowOf(key);
    return [status, startedAt, endedAt, runtimeMs];
  };
  const before = await Promise.all(keys.map(timing));
  expect(before.flat().every((value) => value !== undefined)).toBe(true);
  await gateway.kill();
  gateway = await scene.gateway(stateDir);
  socket = await follower();
  expect(await Promise.all(keys.map(timing))).toEqual(before);
});

describe('an idempotency key', () => {
  it('is for one session: repeated there it names the first run, for another session it is refused and nothing is kept', async () => {
    const [first, other] = ['agent:main:key-first', 'agent:main:key-other'];
    await run(first, 'made');
    await run(other, 'made too');
    const messagesOf = async (key: string): Promise<number> => ((await socket.call('sessions.get', { key }))['messages'] as unknown[]).length;
    const before = await messagesOf(other);
    const asked = {
      'chat.send': (sessionKey: string, idempotencyKey: string) => ({ sessionKey, message: 'by chat.send', idempotencyKey }),
      agent: (sessionKey: string, idempotencyKey: string) => ({ sessionKey, message: 'by agent', idempotencyKey }),
      'sessions.send': (key: string, idempotencyKey: string) => ({ key, message: 'by sessions.send', idempotencyKey }),
      'sessions.steer': (key: string, idempotencyKey: string) => ({ key, message: 'by sessions.steer', idempotencyKey }),
    };
    for (const [method, params] of Object.entries(asked)) {
      const key = `one-${method}`;
      expect(await socket.call(method, params(first, key))).toMatchObject({ runId: key });
      expect(await socket.call('agent.wait', { runId: key, sessionKey: first, timeoutMs: 60_000 })).toMatchObject({ status: 'ok' });
      expect(await socket.call(method, params(first, key))).toMatchObject({ runId: key, status: 'ok' });
      expect(await socket.request(method, params(other, key))).toMatchObject({ ok: false, error: { code: 'INVALID_REQUEST', details: { reason: 'IDEMPOTENCY_MISMATCH' } } });
      expect(await socket.call('agent.wait', { runId: key, sessionKey: other, timeoutMs: 0 })).toMatchObject({ status: 'timeout', timeoutPhase: 'queue' });
    }
    expect(await messagesOf(other)).toBe(before);
  });
});
