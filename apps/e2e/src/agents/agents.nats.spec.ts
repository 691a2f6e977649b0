/**
 * Agents that see, read, message and spawn sessions, through the whole system: a model behind a
 * provider's protocol calls the tools, in one process and in many over NATS.
 */
import { createSplit } from '../scenarios/split';
import { createStandalone } from '../scenarios/standalone';
import { useScene } from '../support/scene';
import { waitUntil } from '../support/wait-until';
import { LONG_MS, openHouse } from './house-of-agents';
import type { HouseOfAgents } from './house-of-agents';
import type { ObedientTurn } from './obedient-model';
import type { ScriptedAnswer } from '@sessions/llm/testing';

const keyOf = (peer: string): string => `agent:main:telegram:direct:${peer}`;
const tool = (name: string, args: unknown): string => `do: ${name} ${JSON.stringify(args)}`;

describe.each([
  ['standalone', createStandalone],
  ['split', createSplit],
] as const)('agents in the %s deployment', (_name, create) => {
  const scene = useScene('all');
  let house: HouseOfAgents;
  /** What is said where a message commands nothing. */
  let otherwise: (turn: ObedientTurn) => ScriptedAnswer | undefined = () => undefined;
  const deliveredTo = (peer: string): string[] => house.delivered.filter(({ route }) => (route as { to: string }).to === peer).map(({ text }) => String(text));
  const told = async (id: string, text: string, peer: string): Promise<void> => {
    expect(await house.end(await house.say(id, text, peer))).toMatchObject({ status: 'ok' });
  };

  beforeAll(async () => {
    house = await openHouse(scene, create, { otherwise: (turn) => otherwise(turn) ?? { chunks: ['NO_REPLY'] } });
  }, LONG_MS);
  beforeEach(() => (otherwise = () => undefined));

  it('list sessions, read one, and see their own card', async () => {
    await told('list-1', 'say: the other session', '456');
    await told('list-2', [tool('sessions_list', { limit: 5 }), tool('sessions_history', { sessionKey: keyOf('456') }), tool('session_status', {}), 'say: seen'].join('\n'), '123');
    const [list, history, status] = await house.results(keyOf('123'));
    expect((list?.['sessions'] as { key: string }[]).map(({ key }) => key)).toEqual(expect.arrayContaining([keyOf('123'), keyOf('456')]));
    expect(history).toMatchObject({ sessionKey: keyOf('456'), messages: [{ role: 'user' }, { role: 'assistant', content: [{ text: 'the other session' }] }] });
    expect(status).toMatchObject({ key: keyOf('123'), model: 'local/small', messageCount: expect.any(Number), tokensUsed: expect.any(Number) });
    await waitUntil('the answer is delivered', () => (deliveredTo('123').includes('seen') ? true : undefined));
  }, LONG_MS);

  it('send to another session and have its answer in the same turn', async () => {
    otherwise = ({ message }) => (message.includes('what is the time') ? { chunks: ['half past nine'] } : undefined);
    await told('send-1', [tool('sessions_send', { sessionKey: 'agent:main:clock', message: 'what is the time', timeoutSeconds: 60 }), 'say: asked'].join('\n'), 'send');
    expect(await house.results(keyOf('send'))).toMatchObject([{ status: 'ok', reply: 'half past nine', sessionKey: 'agent:main:clock' }]);
    const [asked] = await house.messages('agent:main:clock');
    expect(asked).toMatchObject({ role: 'user', provenance: { kind: 'inter_session', sourceSessionKey: keyOf('send'), sourceTool: 'sessions_send' } });
    expect(asked?.text).toMatch(/^\[Inter-session message sourceSession=.* isUser=false\]\nwhat is the time$/u);
  }, LONG_MS);

  it('have a ticket where the answer takes longer, and collect it later, also after a restart of everything', async () => {
    let slowMs = 4_000;
    otherwise = ({ message }) => (message.includes('think long') ? { chunks: ['forty-two'], delayMs: slowMs } : undefined);
    const send = tool('sessions_send', { sessionKey: 'agent:main:thinker', message: 'think long', timeoutSeconds: 1 });
    const fire = tool('sessions_send', { sessionKey: 'agent:main:other-thinker', message: 'think long', timeoutSeconds: 0 });
    await told('slow-1', [send, fire, 'say: sent'].join('\n'), 'slow');
    const [late, fired] = await house.results(keyOf('slow'));
    expect(late).toMatchObject({ status: 'timeout', runId: expect.any(String), error: expect.any(String) });
    expect(fired).toMatchObject({ status: 'accepted', runId: expect.any(String) });
    await told('slow-2', [tool('sessions_send', { runId: late?.['runId'], timeoutSeconds: 60 }), 'say: collected'].join('\n'), 'slow');
    expect((await house.results(keyOf('slow'))).at(-1)).toMatchObject({ status: 'ok', reply: 'forty-two', runId: late?.['runId'] });
    // A second one is on its way when everything goes down.
    slowMs = 60_000;
    await told('slow-3', [send, 'say: sent'].join('\n'), 'slow');
    const before = (await house.results(keyOf('slow'))).at(-1);
    expect(before).toMatchObject({ status: 'timeout' });
    slowMs = 0;
    await house.deployment.kill();
    await house.deployment.start();
    house.listen();
    await told('slow-4', [tool('sessions_send', { runId: before?.['runId'], timeoutSeconds: 120 }), tool('sessions_send', { runId: late?.['runId'] }), 'say: collected'].join('\n'), 'slow');
    expect((await house.results(keyOf('slow'))).slice(-2)).toMatchObject([{ status: 'ok', reply: 'forty-two' }, { status: 'ok', reply: 'forty-two' }]);
  }, LONG_MS);

  it('answer each other until one has nothing left to say, and tell a channel of it, or not', async () => {
    await told('pong-0', 'say: hello', 'pong');
    let announcement = 'They agreed on noon.';
    const turns: string[] = [];
    otherwise = ({ sessionKey, instructions, message }) => {
      const isPing = sessionKey === keyOf('ping');
      if (message.includes('An exchange with the agent')) return { chunks: [announcement] };
      if (!instructions.includes('no person reads along') && !message.includes('when do we meet')) return undefined;
      turns.push(sessionKey.split(':').at(-1) ?? '');
      if (message.includes('when do we meet')) return { chunks: ['at noon'] };
      return isPing ? { chunks: ['is one better?'] } : { chunks: ['REPLY_SKIP'] };
    };
    await told('ping-1', [tool('sessions_send', { sessionKey: keyOf('pong'), message: 'when do we meet', timeoutSeconds: 60 }), 'say: asked'].join('\n'), 'ping');
    await waitUntil('the announcement', () => (deliveredTo('pong').includes('They agreed on noon.') ? true : undefined));
    expect(turns).toEqual(['pong', 'ping', 'pong']);
    expect(deliveredTo('ping')).toEqual(['asked']);
    expect(deliveredTo('pong')).toEqual(['hello', 'They agreed on noon.']);
    announcement = 'ANNOUNCE_SKIP';
    await told('ping-2', [tool('sessions_send', { sessionKey: keyOf('pong'), message: 'when do we meet again', timeoutSeconds: 60 }), 'say: asked again'].join('\n'), 'ping');
    await waitUntil('the silent announcement', async () => ((await house.messages(keyOf('pong'))).at(-1)?.text === 'ANNOUNCE_SKIP' ? true : undefined));
    await told('pong-3', 'say: still here', 'pong');
    await waitUntil('a later answer', () => (deliveredTo('pong').includes('still here') ? true : undefined));
    expect(deliveredTo('pong')).toEqual(['hello', 'They agreed on noon.', 'still here']);
  }, LONG_MS);

  it('spawn a sub-agent whose result comes to them once, and to the channel once', async () => {
    // Whatever is made of the result in the session that spawned it, the channel has had it.
    otherwise = ({ message }) => (message.includes('Result of the sub-agent') ? { chunks: [`I repeat: ${message}`] } : undefined);
    await told('spawn-1', [tool('sessions_spawn', { task: 'say: six times seven is 42', label: 'sum' }), 'say: wait for it'].join('\n'), 'spawn');
    const [spawned] = await house.results(keyOf('spawn'));
    expect(spawned).toMatchObject({ status: 'accepted', runId: expect.any(String), childSessionKey: expect.stringMatching(/^agent:main:subagent:/u) });
    const childKey = String(spawned?.['childSessionKey']);
    await waitUntil('the result reaches its parent', async () => ((await house.messages(keyOf('spawn'))).some(({ text }) => text.includes('Result of the sub-agent "sum"')) ? true : undefined));
    await waitUntil('the announce', () => (deliveredTo('spawn').length >= 2 ? true : undefined));
    await told('spawn-2', 'say: anything else', 'spawn');
    await waitUntil('a later answer', () => (deliveredTo('spawn').includes('anything else') ? true : undefined));
    const results = (await house.messages(keyOf('spawn'))).filter(({ role, text }) => role === 'user' && text.includes('Result of the sub-agent'));
    expect(results).toHaveLength(1);
    expect(results[0]).toMatchObject({ role: 'user', provenance: { kind: 'inter_session', sourceSessionKey: childKey, sourceTool: 'sessions_spawn' } });
    const [first, announced, last, ...more] = deliveredTo('spawn');
    expect([first, last, more]).toEqual(['wait for it', 'anything else', []]);
    expect(announced).toMatch(/^Status: completed successfully\nResult: six times seven is 42\nNotes: none\n.*runtime.*tokens.*/iu);
    expect(announced).toContain(childKey);
    await told('spawn-3', [tool('subagents', { action: 'list' }), 'say: seen'].join('\n'), 'spawn');
    expect((await house.results(keyOf('spawn'))).at(-1)).toMatchObject({ active: [], recent: [{ sessionKey: childKey, label: 'sum', status: 'done' }] });
  }, LONG_MS);

  it('yield their turn, and answer the person once with what their sub-agents found together', async () => {
    let heard = 0;
    otherwise = ({ message }) => {
      if (!message.includes('Result of the sub-agent')) return undefined;
      heard += 1;
      if (heard === 1) return { toolCalls: [{ id: 'wait-on', name: 'sessions_yield', arguments: {} }] };
      return { chunks: [`both are there (${String(heard)})`] };
    };
    const spawn = (answer: string): string => tool('sessions_spawn', { task: `say: ${answer}` });
    await told('yield-1', [spawn('apples'), spawn('pears'), tool('sessions_yield', {}), 'say: never said'].join('\n'), 'yield');
    await waitUntil('the answer of both', () => (deliveredTo('yield').some((text) => text.startsWith('both are there')) ? true : undefined));
    await told('yield-2', spawn('plums') + '\nsay: one more', 'yield');
    await waitUntil('the last result', async () => ((await house.messages(keyOf('yield'))).some(({ text }) => text === 'both are there (3)') ? true : undefined));
    await waitUntil('the last announce', () => (deliveredTo('yield').filter((text) => text.startsWith('Status:')).length === 3 ? true : undefined));
    // Without a yield the result is told by its announce alone.
    expect(deliveredTo('yield').filter((text) => !text.startsWith('Status:'))).toEqual(['both are there (2)', 'one more']);
    const answer = house.delivered.find(({ text }) => text === 'both are there (2)');
    expect(answer).toMatchObject({ route: { to: 'yield' }, inReplyTo: { messageId: 'yield-1' } });
  }, LONG_MS);

  it('are stopped with the sub-agents that they started', async () => {
    otherwise = ({ message }) => (message.includes('never end') ? { hangs: 'before' } : undefined);
    await told('stop-1', [tool('sessions_spawn', { task: 'never end one' }), tool('sessions_spawn', { task: 'never end two' }), 'say: started'].join('\n'), 'stop');
    await waitUntil('both are asked', () => (house.model.open >= 2 ? true : undefined));
    const children = (await house.results(keyOf('stop'))).map(({ runId }) => String(runId));
    const stop = await house.door().send({ channel: 'telegram', messageId: 'stop-2', chatType: 'direct', sender: { id: 'stop' }, text: '/stop' });
    expect(stop).toMatchObject({ status: 200, json: { status: 'handled' } });
    for (const runId of children) expect(await house.end(runId)).toMatchObject({ status: 'timeout' });
    await told('stop-3', 'say: on we go', 'stop');
    expect(deliveredTo('stop').filter((text) => text.startsWith('Status:'))).toEqual([]);
  }, LONG_MS);
});
