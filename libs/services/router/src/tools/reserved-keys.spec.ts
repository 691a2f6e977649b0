/** `global` and `unknown` as the session tools take them: one shared session where the configuration says so, nobody's elsewhere. */
import type { DeliverRequest } from '@sessions/contracts';
import { callAsAgent, openToolDoors } from '../testing/tool-doors';
import type { Details, ToolDoors } from '../testing/tool-doors';

const MAIN = 'agent:main:main';
const OPS = 'agent:ops:main';
const GROUP = 'agent:main:telegram:group:g';
const ID = (place: number): string => `0190aaaa-0000-7000-8000-00000000000${String(place)}`;
const PROVIDERS = { fake: { baseUrl: 'http://127.0.0.1:1', api: 'openai-completions', models: [{ id: 'fake-1' }, { id: 'fake-2' }] } };

let opened: ToolDoors;
const begin = async (session: object = {}): Promise<void> => {
  opened = await openToolDoors({
    tools: { sessions: { visibility: 'all' }, agentToAgent: { enabled: true, allow: ['*'] } },
    session,
    models: { providers: PROVIDERS },
    agents: { defaults: { model: { primary: 'fake/fake-1' } }, list: [{ id: 'main' }, { id: 'ops' }] },
  });
  opened.running.stores.runs.takes = true;
};
const put = (agentId: string, key: string, entry: object, texts: readonly { role: string; text: string }[] = []): void => opened.running.stores.put(agentId, key, { updatedAt: 500, ...entry } as never, texts);
const call = (name: string, args: object, key: string): Promise<Details> => callAsAgent(opened.running, name, args, key);
const lastDelivered = (): DeliverRequest => opened.running.stores.delivered.at(-1) as DeliverRequest;
afterEach(() => opened.stop());

describe('the keys that are reserved', () => {
  const ALL = [['sessions_send', { message: 'm', timeoutSeconds: 0 }], ['sessions_history', {}], ['session_status', { model: 'fake/fake-2' }]] as const;

  it.each(['global', 'GLOBAL', 'unknown'])('name no session where each sender has one: %s', async (sessionKey) => {
    await begin();
    put('main', MAIN, { sessionId: ID(1) });
    if (sessionKey !== 'unknown') put('main', 'global', { sessionId: ID(4) }, [{ role: 'user', text: 'of another time' }]);
    for (const [tool, args] of ALL) {
      const answer = await call(tool, { sessionKey, ...args }, MAIN);
      expect([tool, answer]).toEqual([tool, { status: 'error', error: expect.stringContaining(`the session key "${sessionKey.toLowerCase()}" is not addressable`) as string }]);
    }
    expect(opened.running.stores.delivered).toEqual([]);
    expect(opened.running.stores.entry('main', 'global')).toEqual(sessionKey === 'unknown' ? undefined : expect.not.objectContaining({ modelOverride: 'fake-2' }));
  });

  it('name the shared session where there is one, which is listed as main', async () => {
    await begin({ scope: 'global' });
    put('main', 'global', { sessionId: ID(4), updatedAt: 950 }, [{ role: 'user', text: 'to all' }]);
    put('ops', 'global', { sessionId: ID(6), updatedAt: 300 });
    put('main', GROUP, { sessionId: ID(5) });
    const { sessions } = (await call('sessions_list', {}, GROUP)) as { sessions: Details[] };
    expect(sessions.map(({ key }) => key)).toEqual(['main', GROUP, OPS]);
    for (const sessionKey of ['global', 'main']) {
      expect(await call('session_status', { sessionKey }, GROUP)).toMatchObject({ key: MAIN, sessionId: ID(4) });
      expect(JSON.stringify(await call('sessions_history', { sessionKey }, GROUP))).toContain('to all');
      expect(await call('sessions_send', { sessionKey, message: 'm', timeoutSeconds: 0 }, GROUP)).toMatchObject({ status: 'accepted', sessionKey: MAIN });
      expect(lastDelivered()).toMatchObject({ agentId: 'main', route: { sessionKey: 'global' } });
    }
    expect(await call('session_status', { sessionKey: OPS }, GROUP)).toMatchObject({ key: OPS, sessionId: ID(6) });
  });
});
