/** Commands of a chat about what runs, and the kill over HTTP: the session, its sub-agents, and theirs, of whatever agent. */
import { TOKEN, startRouter } from '../testing/router-harness';
import { memoryRun } from '../testing/memory-operations';
import type { RunningRouter, TestClient } from '../testing/router-harness';

const MAIN = 'agent:main:main';
const CHILD = 'agent:main:subagent:11111111-1111-4111-8111-111111111112';
const FOREIGN = 'agent:work:subagent:11111111-1111-4111-8111-111111111113';
const GRANDCHILD = 'agent:main:subagent:11111111-1111-4111-8111-111111111114';

let running: RunningRouter;
let client: TestClient;
let sent = 0;
beforeEach(async () => {
  running = await startRouter({ agents: { defaults: { subagents: { allowAgents: ['*'] } }, list: [{ id: 'main', default: true }, { id: 'work' }] } });
  const put = (agentId: string, key: string, more: object): void => running.stores.put(agentId, key, { sessionId: `${String(sent += 1).padStart(8, '0')}-1111-4111-8111-111111111111`, updatedAt: 1, ...more }, [{ role: 'user', text: 'a task' }, { role: 'assistant', text: 'at it' }]);
  put('main', MAIN, {});
  put('main', CHILD, { spawnedBy: MAIN, label: 'digger', status: 'running', startedAt: Date.now() });
  put('work', FOREIGN, { spawnedBy: MAIN, status: 'running', startedAt: Date.now() - 60_000 });
  put('main', GRANDCHILD, { spawnedBy: FOREIGN, status: 'running' });
  for (const [agentId, key, runId] of [['main', MAIN, 'r-1'], ['main', CHILD, 'r-2'], ['work', FOREIGN, 'r-3'], ['main', GRANDCHILD, 'r-4']] as const) {
    running.stores.aside(agentId).runs.set(runId, memoryRun({ runId, sessionKey: key }));
  }
  client = await running.client();
});
afterEach(() => running.stop());

const stateOf = (agentId: string, runId: string): string | undefined => running.stores.aside(agentId).runs.get(runId)?.state;
const states = () => [stateOf('main', 'r-1'), stateOf('main', 'r-2'), stateOf('work', 'r-3'), stateOf('main', 'r-4')];

async function say(text: string, more: object = {}): Promise<Record<string, unknown>> {
  const response = await fetch(`${running.url}/v1/messages`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TOKEN}` },
    body: JSON.stringify({ channel: 'telegram', messageId: String((sent += 1)), chatType: 'direct', sender: { id: '1' }, text, ...more }),
  });
  return (await response.json()) as Record<string, unknown>;
}

describe('/stop', () => {
  it('ends the session and all it has spawned, and says how many', async () => {
    expect(await say('/stop')).toMatchObject({ status: 'handled', reply: 'Stopped 1 run and 3 sub-agents.' });
    expect(states()).toEqual(['ended', 'ended', 'ended', 'ended']);
    expect(await say('/STOP')).toMatchObject({ status: 'handled', reply: 'Stopped 0 runs: none was active or queued.' });
  });

  it('is ordinary of those who may not, and inside a sentence', async () => {
    await say('/stop', { sender: { id: '1', authority: 'other' } });
    await say('please /stop');
    expect(states()).toEqual(['running', 'running', 'running', 'running']);
    expect(running.stores.delivered.map(({ command }) => command)).toEqual([undefined, undefined]);
  });

  it('works in a client of the gateway', async () => {
    expect((await client.request('chat.send', { sessionKey: 'main', message: '/stop', idempotencyKey: 'k' })).payload).toEqual({ ok: true, aborted: true, runIds: ['r-1'] });
    expect(states()).toEqual(['ended', 'ended', 'ended', 'ended']);
  });
});

describe('/kill and /subagents', () => {
  it('list, show and end sub-agents', async () => {
    expect(await say('/subagents list')).toMatchObject({ reply: `#1 running digger ${CHILD}\n#2 running ${FOREIGN}` });
    expect(await say('/subagents info 1')).toMatchObject({ reply: expect.stringContaining(`sessionKey: ${CHILD}`) });
    expect(await say('/subagents log digger')).toMatchObject({ reply: 'user: a task\nassistant: at it' });
    expect(await say('/kill 2')).toMatchObject({ reply: 'Killed 2 sub-agents.' });
    expect(states()).toEqual(['running', 'running', 'ended', 'ended']);
    expect(await say('/subagents kill all')).toMatchObject({ reply: 'Killed 1 sub-agent.' });
    expect(await say('/kill nobody')).toMatchObject({ reply: 'No sub-agent found: nobody' });
    expect(await say('/subagents send')).toMatchObject({ reply: 'Usage: /subagents send <id|#>' });
  });

  it('speak to them', async () => {
    running.stores.runs.takes = true;
    expect(await say('/subagents steer digger rather here')).toMatchObject({ reply: 'Steered.' });
    expect(running.stores.delivered.find(({ interrupt }) => interrupt)).toMatchObject({ route: { sessionKey: CHILD }, message: { text: expect.stringContaining('rather here') } });
    expect(await say('/subagents send 2 how far are you?')).toMatchObject({ reply: 'Sent.' });
    expect(running.stores.texts('work', FOREIGN).at(-1)).toContain('how far are you?');
  });

  it('are carried out for an operator\'s send too, and go to no model', async () => {
    const { payload } = await client.request('sessions.send', { key: MAIN, message: '/kill digger', idempotencyKey: 'k-2' });
    expect(payload).toMatchObject({ status: 'handled' });
    expect(states()).toEqual(['running', 'ended', 'running', 'running']);
    expect(running.stores.delivered.at(-1)?.command).toMatchObject({ name: 'kill', reply: 'Killed 1 sub-agent.' });
  });

  it('answer a client of the gateway as a run that ends at once', async () => {
    const { payload } = await client.request('chat.send', { sessionKey: 'main', message: '/kill digger', idempotencyKey: 'k-1' });
    expect(payload).toEqual({ runId: 'k-1', status: 'ok' });
    const told = await client.until(() => client.events('chat').find((event) => event.payload.runId === 'k-1'));
    expect(told.payload).toMatchObject({ state: 'final', sessionKey: MAIN, message: { content: [{ text: 'Killed 1 sub-agent.' }] } });
  });
});

describe('a kill over HTTP', () => {
  it('reaches the sub-agents of every agent, and says that nothing ran', async () => {
    const kill = async (): Promise<unknown> => (await fetch(`${running.url}/sessions/${MAIN}/kill`, { method: 'POST', headers: { authorization: `Bearer ${TOKEN}` } })).json();
    expect(await kill()).toEqual({ ok: true, killed: true });
    expect(states()).toEqual(['ended', 'ended', 'ended', 'ended']);
    expect(await kill()).toEqual({ ok: true, killed: false });
  });
});
