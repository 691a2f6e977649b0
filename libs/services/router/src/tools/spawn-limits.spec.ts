/** Where a sub-agent may run: sandbox, allowlist, agents that there are not. What is refused makes nothing. */
import { callAsAgent, openToolDoors } from '../testing/tool-doors';
import type { Details, ToolDoors } from '../testing/tool-doors';

const MAIN = 'agent:main:main';
const BOX = 'agent:box:main';
const LIST = [{ id: 'main' }, { id: 'ops' }, { id: 'box', sandbox: { mode: 'all' } }];

let opened: ToolDoors;
const begin = async (subagents: object, list: readonly object[] = LIST): Promise<void> => {
  opened = await openToolDoors({ agents: { defaults: { model: { primary: 'demo/echo' }, subagents }, list } });
  opened.running.stores.runs.takes = true;
  for (const key of [MAIN, BOX]) opened.running.stores.put(key.split(':')[1] ?? '', key, { sessionId: `0190aaaa-0000-7000-8000-00000000000${key === MAIN ? '1' : '2'}`, updatedAt: 1 });
};
const spawn = (args: object, key = MAIN): Promise<Details> => callAsAgent(opened.running, 'sessions_spawn', { task: 't', ...args }, key, {});
const madeCount = (): number => opened.running.stores.delivered.length;
afterEach(() => opened.stop());

it('takes a required sandbox where the agent asked for has one, and remembers it with the sub-agent', async () => {
  await begin({ allowAgents: ['*'] });
  expect(await spawn({ agentId: 'ops', sandbox: 'require' })).toMatchObject({ status: 'forbidden', error: expect.stringContaining('sandbox "require"') as string });
  expect(madeCount()).toBe(0);
  expect((await spawn({ agentId: 'box', sandbox: 'require' })).childSessionKey).toMatch(/^agent:box:subagent:/);
  expect(JSON.parse(opened.running.stores.delivered[0]?.child?.membersJson?.toString() ?? '')).toMatchObject({ sandboxed: true });
});

it('keeps what a sandboxed session spawns in a sandbox, whatever the allowlist and the call say', async () => {
  await begin({ allowAgents: ['*'] });
  for (const sandbox of ['inherit', 'require']) expect(await spawn({ agentId: 'main', sandbox }, BOX)).toEqual({ status: 'forbidden', error: 'sessions_spawn from a sandboxed session needs a sandboxed sub-agent' });
  expect(madeCount()).toBe(0);
  expect(await spawn({}, BOX)).toMatchObject({ status: 'accepted' });
});

it('sandboxes the sub-agent of a main session where all but main sessions are', async () => {
  await begin({}, [{ id: 'main', sandbox: { mode: 'non-main' } }, { id: 'box' }]);
  expect(await spawn({ sandbox: 'require' })).toMatchObject({ status: 'accepted' });
});

it('lets "*" name every agent that there is, and none that there is not', async () => {
  await begin({ allowAgents: ['*'] });
  expect((await callAsAgent(opened.running, 'agents_list', {}, MAIN, {})).agents).toMatchObject([{ id: 'main' }, { id: 'ops' }, { id: 'box' }]);
  expect(await spawn({ agentId: 'ghost' })).toEqual({ status: 'error', error: 'Unknown agent id "ghost"' });
  // Slugged it would be the default agent.
  expect(await spawn({ agentId: 'ＯＰＳ' })).toMatchObject({ status: 'error', error: expect.stringMatching(/^agentId: must be an agent id/) as string });
  expect(madeCount()).toBe(0);
  expect((await spawn({ agentId: 'OPS' })).childSessionKey).toMatch(/^agent:ops:subagent:/);
});

it('lets an agent’s own list stand in place of the default one, and is asked of the requester, not of the target', async () => {
  await begin({ allowAgents: ['ops'] }, [{ id: 'main', subagents: { allowAgents: [] } }, { id: 'ops', subagents: { allowAgents: ['*'] } }, { id: 'box' }]);
  expect(await spawn({ agentId: 'ops' })).toEqual({ status: 'forbidden', error: 'agentId is not allowed for sessions_spawn (allowed: main)' });
  expect(await spawn({ agentId: 'main' }, BOX)).toMatchObject({ status: 'forbidden' });
  expect((await spawn({ agentId: 'ops' }, BOX)).childSessionKey).toMatch(/^agent:ops:subagent:/);
});
