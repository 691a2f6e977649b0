/** Threads that are bound to sub-agents of their sessions, as messages and commands from a channel find them. */
import { RouterServiceService } from '@sessions/contracts';
import { createClient, createSubjects } from '@sessions/bus';
import { TOKEN, startRouter } from '../testing/router-harness';
import type { RunningRouter } from '../testing/router-harness';

const THREAD = 'agent:main:discord:channel:9911:thread:77';
const CHILD = 'agent:main:subagent:11111111-1111-4111-8111-111111111111';
const FAR_CHILD = 'agent:ops:subagent:22222222-2222-4222-8222-222222222222';
const PLACE = { channel: 'discord', to: '9911', threadId: '77' };

let running: RunningRouter;
beforeEach(async () => {
  running = await startRouter({ agents: { defaults: { subagents: { allowAgents: ['*'] } }, list: [{ id: 'main' }, { id: 'ops' }] } });
  running.stores.runs.takes = true;
  put(THREAD, {});
  put(CHILD, { spawnedBy: THREAD, spawnDepth: 1, label: 'helper', threadBinding: PLACE });
  put(FAR_CHILD, { spawnedBy: THREAD, spawnDepth: 1, label: 'far helper', threadBinding: PLACE });
  put('agent:main:main', { label: 'private' });
});
afterEach(() => running.stop());

let ids = 0;
function put(key: string, entry: object): void {
  running.stores.put(key.split(':')[1] ?? '', key, { sessionId: `33333333-3333-4333-8333-33333333333${String((ids += 1) % 10)}`, updatedAt: 1, ...entry } as never);
}
async function say(text: string, messageId: string, more: object = {}): Promise<Record<string, unknown>> {
  const message = { channel: 'discord', messageId, chatType: 'channel', sender: { id: '88', authority: 'owner' }, conversation: { id: '9911' }, threadId: '77', mentioned: true, text, ...more };
  const answer = await fetch(`${running.url}/v1/messages`, { method: 'POST', headers: { authorization: `Bearer ${TOKEN}` }, body: JSON.stringify(message) });
  return (await answer.json()) as Record<string, unknown>;
}
const command = () => running.stores.delivered.at(-1)?.command;
const bound = (): unknown => (running.stores.entry('main', THREAD) as { boundSession?: unknown } | undefined)?.boundSession;

describe('/focus', () => {
  it.each([['its key', CHILD], ['its label', 'helper']])('binds the thread to a sub-agent of its session by %s', async (_name, asked) => {
    await say(`/focus ${asked}`, '1');
    expect(command()).toMatchObject({ name: 'focus', reply: `This thread is bound to ${CHILD}.` });
    expect(await say('to the helper', '2')).toMatchObject({ sessionKey: CHILD });
    await say('/focus', '3');
    expect(command()?.reply).toBe(`This thread is bound to ${CHILD}.`);
    await say('/unfocus', '4');
    expect(await say('to ourselves', '5')).toMatchObject({ sessionKey: THREAD });
    await say('/focus helper', '6');
    expect(await say('to the helper again', '7')).toMatchObject({ sessionKey: CHILD });
  });

  it.each([['another session', 'private'], ['another session by its key', 'agent:main:main'], ['what is not there', 'nobody']])('does not bind it to %s', async (_name, asked) => {
    await say(`/focus ${asked}`, '1');
    expect(command()?.reply).toBe('No sub-agent of this thread was found by that key, id or label.');
    expect(bound()).toBeUndefined();
  });

  it('binds no conversation without a thread, and nothing for who may not', async () => {
    await say('/focus helper', '1', { threadId: undefined });
    expect(command()?.reply).toBe('This conversation is no thread that could be bound to a session.');
    await say('/focus helper', '2', { sender: { id: '89', authority: 'other' } });
    expect(bound()).toBeUndefined();
  });
});

describe('a thread whose sub-agent is gone', () => {
  it('has its own session again', async () => {
    await say('/focus helper', '1');
    expect(await say('one', '2')).toMatchObject({ sessionKey: CHILD });
    const subjects = createSubjects();
    await createClient(running.bus, RouterServiceService, { caller: 'service:test/1', scopes: ['operator.admin'], subject: (method) => subjects.router(method) }).deleteSession({ key: CHILD } as never);
    expect(await say('two', '3')).toMatchObject({ status: 'accepted', sessionKey: THREAD });
    expect(running.stores.texts('main', THREAD)).toContain('two');
  });
});

describe('a message that comes again', () => {
  it('goes to the sub-agent of another agent that had it first, though the thread is bound to it no more', async () => {
    await say(`/focus ${FAR_CHILD}`, '1');
    const first = await say('once', '2');
    expect(first).toMatchObject({ status: 'accepted', sessionKey: FAR_CHILD, agentId: 'ops' });
    await say('/unfocus', '3');
    expect(await say('once', '2')).toMatchObject({ status: 'duplicate', sessionKey: FAR_CHILD, runId: first['runId'] });
    expect(running.stores.texts('main', THREAD)).not.toContain('once');
    expect(running.stores.texts('ops', FAR_CHILD)).toEqual(['once']);
  });

  it('stays with the thread that had it first, though the thread is bound elsewhere by now', async () => {
    const first = await say('once', '1');
    expect(first).toMatchObject({ sessionKey: THREAD });
    await say(`/focus ${FAR_CHILD}`, '2');
    expect(await say('once', '1')).toMatchObject({ status: 'duplicate', sessionKey: THREAD, runId: first['runId'] });
    expect(running.stores.texts('ops', FAR_CHILD)).toEqual([]);
  });
});
