/** Events of runs and tools as clients hear them: order, ends, and what a client that is behind loses. */
import { Event, RunEvent, ToolEvent } from '@sessions/contracts';
import { createSubjects } from '@sessions/bus';
import { startRouter } from '../testing/router-harness';
import type { RunningRouter, TestClient } from '../testing/router-harness';
import { RUNS_MAX, RunFrames } from './run-frames';

const KEY = 'agent:main:main';
const AT_MS = 1_780_000_000_000;
let running: RunningRouter;
let client: TestClient;
let seq = 0;

beforeEach(async () => {
  running = await startRouter();
  client = await running.client();
  seq = 0;
});
afterEach(() => running.stop());

const runEvent = (data: object, more: { stream?: string; runId?: string; atMs?: number } = {}): Event => {
  const { stream = 'lifecycle', runId = 'r-1', atMs = AT_MS + seq * 10 } = more;
  const value = RunEvent.create({ runId, stream, dataJson: Buffer.from(JSON.stringify(data)) });
  return Event.create({ agentId: 'main', sessionKey: KEY, sessionId: 's', epoch: 1, seq: (seq += 1), atMs, body: { $case: 'run', value } });
};
const say = (event: Event): void => running.bus.events.publish(createSubjects().event('main', event.body?.$case === 'tool' ? 'tool' : 'run', KEY), Event, event);

describe('a run', () => {
  it('is heard as agent and chat, in order, with one end', async () => {
    for (const event of [
      runEvent({ phase: 'start' }),
      runEvent({ text: 'He', delta: 'He' }, { stream: 'assistant', atMs: AT_MS }),
      runEvent({ text: 'Hell', delta: 'll' }, { stream: 'assistant', atMs: AT_MS + 20 }),
      runEvent({ text: 'Hello', delta: 'o' }, { stream: 'assistant', atMs: AT_MS + 200 }),
      runEvent({ phase: 'finishing' }),
      runEvent({ phase: 'end', stopReason: 'stop' }),
    ]) say(event);
    await client.until(() => client.events('chat').find(({ payload }) => payload.state === 'final'));
    expect(client.events('agent').map(({ payload }) => [payload.stream, (payload.data as { phase?: string; delta?: string }).phase ?? (payload.data as { delta?: string }).delta])).toEqual([
      ['lifecycle', 'start'], ['assistant', 'He'], ['assistant', 'll'], ['assistant', 'o'], ['lifecycle', 'finishing'], ['lifecycle', 'end'],
    ]);
    expect(client.events('chat').map(({ payload: { state, deltaText, seq: chatSeq } }) => [state, deltaText, chatSeq])).toEqual([['delta', 'He', 1], ['delta', 'llo', 2], ['final', undefined, 3]]);
    expect(client.events('chat').at(-1)?.payload).toMatchObject({ runId: 'r-1', sessionKey: KEY, stopReason: 'stop', message: { role: 'assistant', content: [{ type: 'text', text: 'Hello' }] } });
    const numbers = client.frames.flatMap((frame) => (frame.type === 'event' && frame.seq !== undefined ? [frame.seq] : []));
    expect(numbers).toEqual(numbers.map((_, place) => place + 1));
  });

  it('ends as aborted or failed', async () => {
    say(runEvent({ text: 'Par' }, { stream: 'assistant' }));
    say(runEvent({ phase: 'end', aborted: true }));
    say(runEvent({ phase: 'error', error: 'no model' }, { runId: 'r-2' }));
    await client.until(() => client.events('chat').find(({ payload }) => payload.state === 'error'));
    expect(client.events('chat').map(({ payload }) => payload)).toMatchObject([
      { state: 'delta' }, { state: 'aborted', stopReason: 'rpc', message: { content: [{ text: 'Par' }] } }, { runId: 'r-2', state: 'error', errorMessage: 'no model' },
    ]);
  });

  it('is not heard by who may not read', async () => {
    const nobody = await running.client([]);
    say(runEvent({ phase: 'start' }));
    await client.until(() => client.events('agent')[0]);
    await nobody.request('health');
    expect(nobody.events('agent')).toEqual([]);
  });

  it('is forgotten when there are too many', () => {
    const frames = new RunFrames();
    for (let run = 0; run <= RUNS_MAX; run += 1) frames.of(runEvent({ text: 'x' }, { stream: 'assistant', runId: `r-${run}` }));
    expect(frames.of(runEvent({ phase: 'end' }, { runId: 'r-0' })).at(-1)?.payload).not.toHaveProperty('message');
    expect(frames.of(runEvent({ phase: 'end' }, { runId: `r-${RUNS_MAX}` })).at(-1)?.payload).toHaveProperty('message');
  });
});

describe('a tool', () => {
  it('is shown to operators that follow the session', async () => {
    await client.request('sessions.messages.subscribe', { key: 'main' });
    const other = await running.client();
    const tool = (phase: string, data: unknown, ok?: boolean): Event => {
      const value = ToolEvent.create({ runId: 'r-1', toolCallId: 't', name: 'read', phase, ok, dataJson: Buffer.from(JSON.stringify(data)) });
      return Event.create({ agentId: 'main', sessionKey: KEY, epoch: 1, seq: (seq += 1), atMs: AT_MS, body: { $case: 'tool', value } });
    };
    say(tool('start', { path: 'a' }));
    say(tool('result', 'text', true));
    await client.until(() => client.events('session.tool')[1]);
    expect(client.events('session.tool').map(({ payload }) => payload)).toMatchObject([
      { runId: 'r-1', sessionKey: KEY, agentId: 'main', toolCallId: 't', name: 'read', phase: 'start', args: { path: 'a' } },
      { phase: 'result', ok: true, result: 'text' },
    ]);
    expect(client.events('agent').map(({ payload }) => payload.stream)).toEqual(['tool', 'tool']);
    expect(other.events('session.tool')).toEqual([]);
  });
});

describe('many subscribers', () => {
  it('end with the same ordered list', async () => {
    const subscribers = Number(process.env.SESS_SUBSCRIBERS ?? 40);
    const messages = Number(process.env.SESS_MESSAGES ?? 50);
    const clients = await Promise.all(Array.from({ length: subscribers }, () => running.client(['operator.read'])));
    await Promise.all(clients.map((one) => one.request('sessions.subscribe')));
    for (let place = 0; place < messages; place += 1) await client.request('chat.send', { sessionKey: 'main', message: `m${place}`, idempotencyKey: `k${place}` });
    const wanted = Array.from({ length: messages }, (_, place) => place + 1);
    for (const one of clients) {
      await one.until(() => (one.events('session.message').length >= messages ? true : undefined));
      expect(one.events('session.message').map(({ payload }) => payload.messageSeq)).toEqual(wanted);
    }
  });
});
