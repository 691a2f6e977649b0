/** The methods that start, wait for and end runs, against an owner that takes turns. */
import { startRouter, routerOn, TestClient, connectParams, TOKEN } from '../testing/router-harness';
import type { Answer, RunningRouter } from '../testing/router-harness';

const LAB = 'agent:main:lab';
let running: RunningRouter;
let client: TestClient;

beforeEach(async () => {
  running = await startRouter({ hooks: { enabled: true, token: 'hook-token' } });
  running.stores.runs.takes = true;
  running.stores.put('main', LAB, { sessionId: '11111111-1111-4111-8111-111111111111', updatedAt: 1 }, [{ role: 'user', text: 'one' }]);
  client = await running.client();
});
afterEach(() => running.stop());

const payloadOf = async (method: string, params: unknown): Promise<Record<string, unknown>> => {
  const answer = await client.request(method, params);
  if (!answer.ok) throw new Error(JSON.stringify(answer.error));
  return answer.payload;
};
const chatEnds = (runId: string) => client.until(() => client.events('chat').find(({ payload }) => payload.runId === runId && payload.state !== 'delta'));
const say = (message: string, idempotencyKey: string) => payloadOf('chat.send', { sessionKey: 'lab', message, idempotencyKey });
/** The two answers to a request, or one where `count` says so. */
const answersTo = (id: string, count = 2): Promise<Answer[]> =>
  client.until(() => {
    const found = client.frames.filter((frame): frame is Answer => frame.type === 'res' && frame.id === id);
    return found.length >= count ? found : undefined;
  });
const calls = (name: string): number => running.stores.calls.filter((call) => call === `${name} main`).length;

describe('chat.send', () => {
  it('starts a run whose text streams and ends', async () => {
    await payloadOf('sessions.subscribe', {});
    expect(await say('hello', 'k-1')).toEqual({ runId: 'k-1', status: 'started', messageSeq: 2 });
    running.stores.runs.say('main', 'k-1', { text: 'Hi', delta: 'Hi' });
    running.stores.runs.end('main', 'k-1', { text: 'Hi there' });
    expect((await chatEnds('k-1')).payload).toMatchObject({ state: 'final', stopReason: 'stop', message: { content: [{ text: 'Hi there' }] } });
    await client.until(() => client.events('sessions.changed').find(({ payload }) => payload.phase === 'end'));
    const phases = client.frames.flatMap((frame) => (frame.type === 'event' && ['agent', 'chat'].includes(frame.event) ? [`${frame.event} ${String(frame.payload.state ?? (frame.payload.data as { phase?: string }).phase ?? 'text')}`] : []));
    expect(phases).toEqual(['agent start', 'agent text', 'chat delta', 'agent end', 'chat final']);
  });

  it.each(['chat.send', 'sessions.send', 'sessions.steer', 'agent'])('is answered before anything of its turn is told: %s', async (method) => {
    await payloadOf('sessions.subscribe', {});
    const { runId } = await payloadOf(method, { [method === 'chat.send' || method === 'agent' ? 'sessionKey' : 'key']: LAB, message: 'hello', idempotencyKey: 'k-1' });
    expect(runId).toBe('k-1');
    running.stores.runs.end('main', 'k-1', { text: 'Hi' });
    await chatEnds('k-1');
    const asked = client.frames.findLastIndex((frame) => frame.type === 'res' && frame.ok && frame.payload.runId === 'k-1' && frame.payload.status !== 'ok');
    const told = client.frames.findIndex((frame) => frame.type === 'event' && ['session.message', 'sessions.changed', 'agent', 'chat'].includes(frame.event));
    expect(asked).toBeGreaterThan(-1);
    expect(told).toBeGreaterThan(asked);
  });

  it('knows a key, and the words of an active run, again', async () => {
    await say('hello', 'k-1');
    expect(await say('hello', 'k-1')).toMatchObject({ runId: 'k-1', status: 'in_flight' });
    expect(await say('hello', 'k-2')).toEqual({ runId: 'k-1', status: 'in_flight' });
    expect(await say('other', 'k-3')).toMatchObject({ runId: 'k-3', status: 'started' });
    expect(await say('/context', 'k-4')).toMatchObject({ runId: 'k-4' });
    running.stores.runs.end('main', 'k-1', { text: 'done' });
    expect(await say('hello', 'k-1')).toMatchObject({ runId: 'k-1', status: 'ok' });
    expect(await say('hello', 'k-5')).toMatchObject({ runId: 'k-5', status: 'started' });
  });

  it('ends all of a session on /stop, and everybody hears the end of what never began', async () => {
    await say('one', 'k-1');
    await say('two', 'k-2');
    expect(await say('/stop', 'k-3')).toEqual({ ok: true, aborted: true, runIds: ['k-1', 'k-2'] });
    expect((await chatEnds('k-1')).payload).toMatchObject({ state: 'aborted', stopReason: 'rpc' });
    expect((await chatEnds('k-2')).payload).toMatchObject({ state: 'aborted', stopReason: 'rpc', sessionKey: LAB });
  });
});

describe('sessions.steer and sessions.send', () => {
  it('interrupt, or wait their turn', async () => {
    expect(await payloadOf('sessions.send', { key: 'lab', message: 'first', idempotencyKey: 'k-1' })).toMatchObject({ runId: 'k-1', status: 'started' });
    expect(await payloadOf('sessions.send', { key: 'lab', message: 'first', idempotencyKey: 'k-1' })).toMatchObject({ runId: 'k-1', status: 'in_flight' });
    expect(await payloadOf('sessions.steer', { key: 'lab', message: 'rather this', idempotencyKey: 'k-2' })).toMatchObject({ runId: 'k-2', status: 'started', interruptedActiveRun: true });
    expect((await chatEnds('k-1')).payload).toMatchObject({ state: 'aborted' });
    running.stores.runs.end('main', 'k-2', { text: 'fine' });
    expect((await chatEnds('k-2')).payload).toMatchObject({ state: 'final' });
    expect(await payloadOf('sessions.steer', { key: 'lab', message: 'idle', idempotencyKey: 'k-3' })).toEqual({ runId: 'k-3', status: 'started', messageSeq: expect.any(Number) });
  });

  it('begin with a session', async () => {
    const created = await payloadOf('sessions.create', { key: 'fresh', message: 'go' });
    expect(created).toMatchObject({ ok: true, created: true, runStarted: true, status: 'started', runId: expect.any(String) });
  });
});

describe('agent', () => {
  it('answers with what the run said, and once for a key that was seen', async () => {
    client.send({ type: 'req', id: 'a', method: 'agent', params: { message: 'hi', idempotencyKey: 'k-1', sessionKey: 'lab' } });
    expect((await answersTo('a', 1))[0]).toMatchObject({ ok: true, payload: { runId: 'k-1', status: 'accepted' } });
    expect(await payloadOf('agent', { message: 'hi', idempotencyKey: 'k-1', sessionKey: 'lab' })).toEqual({ runId: 'k-1', status: 'in_flight', sessionKey: LAB });
    running.stores.runs.end('main', 'k-1', { text: 'hello' });
    const end = { runId: 'k-1', status: 'ok', summary: 'completed', result: { payloads: [{ text: 'hello', mediaUrl: null }] } };
    expect((await answersTo('a'))[1]).toMatchObject({ ok: true, payload: end });
    expect(await payloadOf('agent', { message: 'hi', idempotencyKey: 'k-1', sessionKey: 'lab' })).toMatchObject(end);
  });

  it('says why a run failed, and that it was stopped', async () => {
    client.send({ type: 'req', id: 'a', method: 'agent', params: { message: 'hi', idempotencyKey: 'k-1', sessionKey: 'lab' } });
    await answersTo('a', 1);
    running.stores.runs.end('main', 'k-1', { outcome: 'error', errorMessage: 'no such model' });
    expect((await answersTo('a'))[1]).toMatchObject({ ok: false, payload: { runId: 'k-1', status: 'error', summary: 'no such model' }, error: { code: 'UNAVAILABLE', message: 'no such model' } });
    client.send({ type: 'req', id: 'b', method: 'agent', params: { message: 'again', idempotencyKey: 'k-2', sessionKey: 'lab' } });
    await answersTo('b', 1);
    await payloadOf('sessions.abort', { runId: 'k-2' });
    expect((await answersTo('b'))[1]).toMatchObject({ ok: true, payload: { runId: 'k-2', status: 'timeout', summary: 'aborted', stopReason: 'rpc' } });
  });

  it('takes its answer to the channel that it is told, or the session was spoken to from', async () => {
    const ask = async (more: object): Promise<unknown> => {
      await client.request('agent', { message: 'hi', idempotencyKey: `k-${running.stores.delivered.length}`, deliver: true, ...more });
      return running.stores.delivered.at(-1)?.run?.replyRoute;
    };
    expect(await ask({ sessionKey: 'lab', replyChannel: 'telegram', replyTo: '5', threadId: '9' })).toMatchObject({ channel: 'telegram', to: '5', threadId: '9' });
    running.stores.put('main', 'agent:main:chat', { sessionId: '22222222-2222-4222-8222-222222222222', updatedAt: 1, deliveryContext: { channel: 'slack', to: 'C1', accountId: 'w' } });
    expect(await ask({ sessionKey: 'chat' })).toMatchObject({ channel: 'slack', to: 'C1', accountId: 'w' });
    expect((await client.request('agent', { message: 'hi', idempotencyKey: 'none', deliver: true, sessionKey: 'lab' })).error.message).toContain('deliver needs a channel');
  });
});

describe('agent.wait', () => {
  it('is woken by the end, reads the run no oftener than it hears of it, and goes on at another router', async () => {
    await say('hello', 'k-1');
    const other = await routerOn(running);
    const elsewhere = await TestClient.open(other.wsUrl);
    await elsewhere.request('connect', connectParams({ auth: { token: TOKEN } }));
    const before = calls('getRun');
    const waits = [payloadOf('agent.wait', { runId: 'k-1', timeoutMs: 60_000 }), elsewhere.request('agent.wait', { runId: 'k-1', timeoutMs: 60_000 }).then(({ payload }) => payload)];
    // Both are waiting once they have looked.
    while (calls('getRun') < before + 2) await new Promise((resolve) => setTimeout(resolve, 5));
    running.stores.runs.end('main', 'k-1', { text: 'hi' });
    for (const wait of waits) expect(await wait).toMatchObject({ runId: 'k-1', status: 'ok', reply: 'hi', livenessState: 'ended', startedAt: expect.any(Number) });
    // At most one look for each event that tells the end, by owner and by runner.
    expect(calls('getRun') - before).toBeLessThanOrEqual(6);
    elsewhere.close();
    await other.stop();
  });
});

describe('a message over HTTP', () => {
  const post = async (path: string, body: object, token = TOKEN): Promise<Record<string, unknown>> => {
    const response = await fetch(`${running.url}${path}`, { method: 'POST', headers: { authorization: `Bearer ${token}` }, body: JSON.stringify(body) });
    return (await response.json()) as Record<string, unknown>;
  };
  const runOf = async (path: string, count: number): Promise<string> => client.until(() => (running.stores.delivered.length >= count ? running.stores.delivered.at(-1)?.run?.runId : undefined)).then(String);
  const MESSAGE = { channel: 'telegram', messageId: '501', chatType: 'direct', sender: { id: '123' }, text: 'Hello' };

  it('waits for the answer when it is asked to, and hears it again for its repeat', async () => {
    const waiting = post('/v1/messages?wait=60000', MESSAGE);
    await client.until(() => client.events('agent')[0]);
    const runId = await runOf('/v1/messages', 1);
    running.stores.runs.end('main', runId, { text: 'Hello Ann' });
    expect(await waiting).toMatchObject({ ok: true, status: 'accepted', runId, queued: false, outcome: 'ok', text: 'Hello Ann' });
    expect(await post('/v1/messages?wait=60000', MESSAGE)).toMatchObject({ status: 'duplicate', runId, outcome: 'ok', text: 'Hello Ann' });
    expect(await post('/v1/messages?wait=1', { ...MESSAGE, messageId: '502' })).toMatchObject({ status: 'accepted', outcome: 'timeout' });
    expect(await post('/v1/messages', { ...MESSAGE, messageId: '503' })).not.toHaveProperty('outcome');
  });

  it('answers to the sender it came from, whoever else writes', async () => {
    await post('/v1/messages', MESSAGE);
    await post('/v1/messages', { ...MESSAGE, messageId: '502', sender: { id: '9' } });
    expect(running.stores.delivered.map(({ run }) => run?.replyRoute?.to)).toEqual(['123', '9']);
  });

  it('starts the run that a webhook is told', async () => {
    const hooked = await post('/hooks/agent', { message: 'built', name: 'ci' }, 'hook-token');
    expect(hooked).toMatchObject({ ok: true, runId: running.stores.delivered.at(-1)?.run?.runId });
    expect(running.stores.delivered.at(-1)?.run).toMatchObject({ source: 'hook', replyRoute: undefined });
    expect(running.stores.aside('main').runs.get(String(hooked.runId))?.state).toBe('running');
  });
});
