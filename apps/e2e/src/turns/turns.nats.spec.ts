/**
 * A message and its answer through the whole system, in one process and over NATS: in by HTTP, answered
 * by a model that is a real server, told as it comes, kept, delivered, and waited for.
 */
import { startModelServer, type ModelServer } from '@sessions/llm/testing';
import { createSplit } from '../scenarios/split';
import { createStandalone } from '../scenarios/standalone';
import type { Deployment } from '../scenarios/deployment';
import type { Frame } from '../support/gateway-socket';
import { useScene } from '../support/scene';
import { waitUntil } from '../support/wait-until';

const scene = useScene();
const endings: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0)) await end();
});

const KEY = 'agent:main:telegram:direct:123';
const message = (id: string, text: string): Record<string, unknown> => ({ channel: 'telegram', messageId: id, chatType: 'direct', sender: { id: '123', name: 'Ann' }, text });

describe.each([
  ['standalone', createStandalone],
  ['split', createSplit],
] as const)('a turn in the %s deployment', (_name, create) => {
  const all = useScene('all');
  let model: ModelServer;
  let deployment: Deployment;
  beforeAll(async () => {
    model = await startModelServer();
    const providers = { local: { baseUrl: model.baseUrl, api: 'openai-completions', apiKey: 'k', models: [{ id: 'small' }] } };
    deployment = create(all.stateDir(), { session: { dmScope: 'per-channel-peer' }, models: { providers }, agents: { defaults: { model: { primary: 'local/small' } } }, storeWriter: { checkpointDelayMs: 0 } });
    all.onEnd(() => deployment.kill());
    all.onEnd(() => model.close());
    await deployment.start();
  });

  it('is told as it comes, kept, delivered to whom it answers, and can be waited for', async () => {
    model.answer = ({ text }) => ({ chunks: ['You ', 'said ', text.includes('Hello') ? 'hello' : 'something', '.'], chunkDelayMs: 60, usage: { input: 20, output: 4 } });
    const [door] = deployment.doors;
    if (door === undefined) throw new Error('no door');
    const socket = await scene.socket(door);
    const chat: Frame[] = [];
    const accepted = await door.send(message('501', 'Hello there'));
    expect(accepted).toMatchObject({ status: 202, json: { ok: true, status: 'accepted', sessionKey: KEY } });
    const runId = String(accepted?.json?.['runId']);
    for (;;) {
      const frame = await socket.next(({ event, payload }) => event === 'chat' && payload?.['runId'] === runId);
      chat.push(frame);
      if (frame.payload?.['state'] !== 'delta') break;
    }
    expect(chat.at(-1)?.payload).toMatchObject({ state: 'final', sessionKey: KEY, message: { content: [{ text: 'You said hello.' }] } });
    expect(chat.length).toBeGreaterThan(1);
    expect(chat.slice(0, -1).map(({ payload }) => payload?.['deltaText']).join('')).toBe('You said hello.'.slice(0, chat.slice(0, -1).map(({ payload }) => String(payload?.['deltaText'])).join('').length));
    expect(await socket.call('agent.wait', { runId, timeoutMs: 10_000 })).toMatchObject({ runId, status: 'ok' });
    const history = await door.http(`/sessions/${encodeURIComponent(KEY)}/history`);
    expect((history.json?.['messages'] as { role: string }[]).map(({ role }) => role)).toEqual(['user', 'assistant']);
    const delivery = await firstDelivery(door.url, door.token);
    expect(delivery).toMatchObject({ runId, text: 'You said hello.', route: { channel: 'telegram', to: '123' }, inReplyTo: { messageId: '501' } });
    expect(await door.http(`/v1/deliveries/${String(delivery['deliveryId'])}/ack`, { method: 'POST', body: JSON.stringify({ ok: true, channelMessageId: 'm1' }) })).toMatchObject({ status: 200 });
  });

  it('answers messages of one session one after the other, each once', async () => {
    model.answer = ({ text }) => ({ chunks: [`got ${/n\d+(?!.*n\d)/su.exec(text)?.[0] ?? '?'}`], delayMs: 50 });
    const [door] = deployment.doors;
    if (door === undefined) throw new Error('no door');
    const answers = await Promise.all(Array.from({ length: 4 }, (_, at) => door.send({ ...message(`60${String(at)}`, `n${String(at)}`), sender: { id: '777' } })));
    expect(answers.every((answer) => answer?.status === 202)).toBe(true);
    const socket = await scene.socket(door);
    for (const answer of answers) expect(await socket.call('agent.wait', { runId: answer?.json?.['runId'], timeoutMs: 14_000 })).toMatchObject({ status: 'ok' });
    const history = await door.http(`/sessions/${encodeURIComponent('agent:main:telegram:direct:777')}/history`);
    const texts = (history.json?.['messages'] as { role: string; content: { text: string }[] }[]).map(({ role, content }) => `${role}:${content[0]?.text ?? ''}`);
    expect(texts.filter((text) => text.startsWith('user:')).sort()).toEqual(['user:n0', 'user:n1', 'user:n2', 'user:n3']);
    expect(texts.filter((text) => text.startsWith('assistant:')).length).toBeGreaterThan(0);
  });
});

it('a turn in the middle of which everything is killed is answered after the restart, once', async () => {
  const model = await startModelServer(() => ({ hangs: 'before' }));
  endings.push(() => model.close());
  const providers = { local: { baseUrl: model.baseUrl, api: 'anthropic-messages', apiKey: 'k', models: [{ id: 'small' }] } };
  const stateDir = scene.stateDir();
  const deployment = createStandalone(stateDir, { session: { dmScope: 'per-channel-peer' }, models: { providers }, agents: { defaults: { model: { primary: 'local/small' } } } });
  scene.onEnd(() => deployment.kill());
  await deployment.start();
  const accepted = await deployment.doors[0]?.send(message('900', 'Hello'));
  const runId = String(accepted?.json?.['runId']);
  await waitUntil('the model is asked', () => (model.asked.length > 0 ? true : undefined));
  await deployment.kill();
  model.answer = () => ({ chunks: ['after all'], usage: { input: 3, output: 2 } });
  await deployment.start();
  const [door] = deployment.doors;
  if (door === undefined) throw new Error('no door');
  const socket = await scene.socket(door);
  expect(await socket.call('agent.wait', { runId, timeoutMs: 14_000 })).toMatchObject({ status: 'ok' });
  const history = await door.http(`/sessions/${encodeURIComponent(KEY)}/history`);
  expect((history.json?.['messages'] as { role: string }[]).map(({ role }) => role)).toEqual(['user', 'assistant']);
  expect(await firstDelivery(door.url, door.token)).toMatchObject({ runId, text: 'after all', route: { to: '123' } });
});

async function firstDelivery(url: string, token: string): Promise<Record<string, unknown>> {
  const leaving = new AbortController();
  const response = await fetch(`${url}/v1/deliveries?channel=telegram`, { headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' }, signal: leaving.signal });
  let text = '';
  void (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk as Uint8Array, { stream: true });
  })().catch(() => undefined);
  try {
    return await waitUntil('a delivery', () => {
      const data = /event: delivery\n(?:.*\n)*?data: (.*)\n/u.exec(text)?.[1];
      return data === undefined ? undefined : (JSON.parse(data) as Record<string, unknown>);
    });
  } finally {
    leaving.abort();
  }
}
