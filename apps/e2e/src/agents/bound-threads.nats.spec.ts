/**
 * A session that is spawned for a thread: what is said in the thread goes to it, also after a restart
 * of everything, until the thread is unbound.
 */
import { createSplit } from '../scenarios/split';
import { createStandalone } from '../scenarios/standalone';
import { useScene } from '../support/scene';
import { waitUntil } from '../support/wait-until';
import { LONG_MS, openHouse } from './house-of-agents';
import type { HouseOfAgents } from './house-of-agents';

const THREAD = 'agent:main:discord:channel:9911:thread:77';

describe.each([
  ['standalone', createStandalone],
  ['split', createSplit],
] as const)('a bound thread in the %s deployment', (_name, create) => {
  const scene = useScene('all');
  let house: HouseOfAgents;
  beforeAll(async () => {
    house = await openHouse(scene, create, { otherwise: ({ message }) => ({ chunks: [`heard ${message.split('\n').at(-1) ?? ''}`] }) });
  }, LONG_MS);

  const say = async (messageId: string, text: string, threadId = '77'): Promise<Record<string, unknown>> => {
    const answer = await house.door().send({ channel: 'discord', messageId, chatType: 'channel', sender: { id: '88' }, conversation: { id: '9911' }, threadId, mentioned: true, text });
    return answer?.json as Record<string, unknown>;
  };
  const ended = async (answer: Record<string, unknown>): Promise<void> => {
    expect(await house.end(String(answer['runId']))).toMatchObject({ status: 'ok' });
  };

  it('has its messages go to the spawned session, over a restart, until it is unbound', async () => {
    const first = await say('1', `do: sessions_spawn ${JSON.stringify({ task: 'say: at work', thread: true })}\nsay: spawned`);
    expect(first).toMatchObject({ status: 'accepted', sessionKey: THREAD });
    await ended(first);
    const [spawned] = await house.results(THREAD);
    expect(spawned).toMatchObject({ status: 'accepted', mode: 'session' });
    const child = String(spawned?.['childSessionKey']);

    const second = await say('2', 'in the thread');
    expect(second).toMatchObject({ status: 'accepted', sessionKey: child });
    await ended(second);
    expect(await say('3', 'elsewhere', '78')).toMatchObject({ sessionKey: 'agent:main:discord:channel:9911:thread:78' });

    await house.deployment.kill();
    await house.deployment.start();
    house.listen();
    // A message that comes again is the same message.
    await waitUntil('the door answers', async () => ((await say('2', 'in the thread'))['status'] === 'duplicate' ? true : undefined), LONG_MS);
    const third = await say('4', 'after the restart');
    expect(third).toMatchObject({ status: 'accepted', sessionKey: child });
    await ended(third);
    expect((await house.messages(child)).map(({ text }) => text)).toEqual(expect.arrayContaining(['in the thread', 'heard in the thread', 'after the restart', 'heard after the restart']));
    expect((await house.messages(THREAD)).map(({ text }) => text)).not.toContain('in the thread');

    expect(await say('5', '/session idle 48h')).toMatchObject({ status: 'handled', reply: 'The thread is unbound after a silence of 48 h.' });
    expect(await say('6', '/unfocus')).toMatchObject({ status: 'handled', reply: `This thread is no longer bound to ${child}.` });
    expect(await say('7', 'on our own again')).toMatchObject({ status: 'accepted', sessionKey: THREAD });
    expect(await say('4', 'after the restart')).toMatchObject({ status: 'duplicate', sessionKey: child });
    expect(await say('8', '/unfocus')).toMatchObject({ status: 'handled', reply: 'This conversation is bound to no session.' });
  }, LONG_MS * 2);
});
