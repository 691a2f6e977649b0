/**
 * Messages in quick succession while a turn runs: the next turn waits until the session has been quiet and
 * answers them together; whatever dies in the wait, nothing of it is lost and nothing is answered twice.
 */
import { startModelServer, type AskedModel, type ModelServer } from '@sessions/llm/testing';
import type { Deployment } from '../scenarios/deployment';
import { createSplit } from '../scenarios/split';
import { createStandalone } from '../scenarios/standalone';
import { useScene } from '../support/scene';
import { waitUntil } from '../support/wait-until';

const LONG_MS = 180_000;
const QUIET_MS = 5_000;

describe.each([
  ['standalone', createStandalone],
  ['split', createSplit],
] as const)('quick messages in the %s deployment', (_name, create) => {
  const scene = useScene('all');
  let model: ModelServer;
  let house: Deployment;
  /** Lets the model answer what it was asked first. */
  let letGo = (): void => undefined;

  const door = (): Deployment['doors'][number] => {
    const [first] = house.doors;
    if (first === undefined) throw new Error('the deployment has no door');
    return first;
  };
  const keyOf = (peer: string): string => `agent:main:telegram:direct:${peer}`;
  const say = async (peer: string, text: string): Promise<Record<string, unknown>> => {
    const sender = { id: peer, authority: 'owner' };
    return (await door().send({ channel: 'telegram', messageId: `${peer}-${text}`, chatType: 'direct', sender, text }))?.json ?? {};
  };
  const askedOf = (peer: string): AskedModel[] => model.asked.filter(({ text }) => text.includes(`${peer} one`));
  /** What the model was told by the person, in order. */
  const toldIn = ({ body }: AskedModel): string[] => (body['messages'] as { role: string; content: unknown }[]).filter(({ role }) => role === 'user').map(({ content }) => JSON.stringify(content));
  const endOf = async (runId: unknown): Promise<Record<string, unknown>> => {
    const socket = await scene.socket(door());
    return waitUntil('the run ends', async () => {
      const end = await socket.call('agent.wait', { runId, timeoutMs: 5_000 });
      return end['endedAt'] === undefined ? undefined : end;
    }, LONG_MS);
  };
  const historyOf = async (peer: string): Promise<string[]> => {
    const page = await door().http(`/sessions/${encodeURIComponent(keyOf(peer))}/history`);
    expect(page.status).toBe(200);
    return (page.json?.['messages'] as { role: string; content: { text: string }[] }[]).map(({ role, content }) => `${role}: ${content[0]?.text ?? ''}`);
  };
  /** A turn is under way whose answer is held back; two more messages wait behind it. */
  const threeMessages = async (peer: string): Promise<readonly unknown[]> => {
    const gate = new Promise<void>((resolve) => (letGo = resolve));
    model.answer = ({ text }) => (text.includes(`${peer} two`) ? { chunks: ['to all'] } : { chunks: ['to one'], after: gate });
    const first = await say(peer, `${peer} one`);
    await waitUntil('the model is asked', () => askedOf(peer)[0], LONG_MS);
    const others = [await say(peer, `${peer} two`), await say(peer, `${peer} three`)];
    expect(others).toMatchObject([{ queued: true }, { queued: true }]);
    return [first, ...others].map(({ runId }) => runId);
  };

  beforeAll(async () => {
    model = await startModelServer();
    scene.onEnd(() => model.close());
    const providers = { local: { baseUrl: model.baseUrl, api: 'openai-completions', apiKey: 'k', models: [{ id: 'small' }] } };
    const queue = { mode: 'collect', debounceMs: QUIET_MS };
    house = create(scene.stateDir(), { session: { dmScope: 'per-channel-peer' }, messages: { queue }, models: { providers }, agents: { defaults: { model: { primary: 'local/small' } } } });
    scene.onEnd(() => house.kill());
    await house.start();
  }, LONG_MS);

  it('are answered by one turn, with those that come in the quiet', async () => {
    const [one, two, three] = await threeMessages('301');
    letGo();
    expect(await endOf(one)).toMatchObject({ status: 'ok', reply: 'to one' });
    const { runId: four } = await say('301', '301 four');
    const sentAtMs = Date.now();
    await waitUntil('the next turn', () => askedOf('301')[1], LONG_MS);
    // Not before its time: the message was accepted before it was answered, at most this long ago.
    expect(Date.now() - sentAtMs).toBeGreaterThan(QUIET_MS / 2);
    for (const runId of [two, three, four]) expect(await endOf(runId)).toMatchObject({ status: 'ok', reply: 'to all' });
    expect(askedOf('301')).toHaveLength(2);
    const told = toldIn(askedOf('301')[1] as AskedModel).join('\n');
    for (const word of ['two', 'three', 'four']) expect(told).toContain(`301 ${word}`);
    expect(await historyOf('301')).toEqual(['user: 301 one', 'assistant: to one', 'user: 301 two', 'user: 301 three', 'user: 301 four', 'assistant: to all']);
  }, LONG_MS);

  it('are not lost when everything is killed while they wait, and answered once', async () => {
    const [one, two, three] = await threeMessages('302');
    letGo();
    expect(await endOf(one)).toMatchObject({ status: 'ok' });
    await house.kill();
    expect(askedOf('302')).toHaveLength(1);
    await house.start();
    for (const runId of [two, three]) expect(await endOf(runId)).toMatchObject({ status: 'ok', reply: 'to all' });
    expect(askedOf('302')).toHaveLength(2);
    expect(await historyOf('302')).toEqual(['user: 302 one', 'assistant: to one', 'user: 302 two', 'user: 302 three', 'assistant: to all']);
  }, LONG_MS);

  it('are kept without an answer when they are stopped, or the session is reset, while they wait', async () => {
    expect(await say('303', '/queue debounce:10m')).toMatchObject({ status: 'handled', reply: 'queue: collect, debounce 600000 ms, cap 20, drop summarize' });
    const [one, two] = await threeMessages('303');
    letGo();
    await endOf(one);
    expect(await say('303', '/stop')).toMatchObject({ status: 'handled', reply: 'Stopped 2 runs.' });
    expect(await endOf(two)).toMatchObject({ status: 'timeout' });
    expect(await historyOf('303')).toEqual(['user: 303 one', 'assistant: to one', 'user: 303 two', 'user: 303 three']);
    await say('304', '/queue debounce:10m');
    const [first, second] = await threeMessages('304');
    letGo();
    await endOf(first);
    expect(await say('304', '/reset')).toMatchObject({ status: 'handled', reply: 'Session reset.', reset: { reason: 'reset' } });
    expect(await endOf(second)).toMatchObject({ status: 'timeout' });
    expect(await historyOf('304')).toEqual([]);
    expect([askedOf('303'), askedOf('304')].map(({ length }) => length)).toEqual([1, 1]);
  }, LONG_MS);
});
