/** The session tools against stores in memory: parameters, clamps, row shapes, outcomes, texts. */
import type { DeliverRequest } from '@sessions/contracts';
import { REDACTED_CONTENT, TOOL_LIMITS } from '@sessions/domain';
import { callAsAgent, openToolDoors } from '../testing/tool-doors';
import type { Details, ToolDoors } from '../testing/tool-doors';

const MAIN = 'agent:main:main';
const PEER = 'agent:main:telegram:direct:7';
const OPS = 'agent:ops:main';
const ID = (place: number): string => `0190aaaa-0000-7000-8000-00000000000${String(place)}`;
const PROVIDERS = { fake: { baseUrl: 'http://127.0.0.1:1', api: 'openai-completions', models: [{ id: 'fake-1' }, { id: 'fake-2' }] } };

let opened: ToolDoors;
const begin = async (raw: { readonly tools?: object; readonly session?: object; readonly defaults?: object; readonly list?: readonly object[] } = {}, gateway?: object): Promise<void> => {
  opened = await openToolDoors(
    {
      tools: { sessions: { visibility: 'all' }, agentToAgent: { enabled: true, allow: ['*'] }, ...raw.tools },
      session: raw.session ?? {},
      models: { providers: PROVIDERS },
      agents: { defaults: { model: { primary: 'fake/fake-1' }, ...raw.defaults }, list: raw.list ?? [{ id: 'main' }, { id: 'ops' }] },
    },
    gateway,
  );
  opened.running.stores.runs.takes = true;
  put(MAIN, { sessionId: ID(1), updatedAt: 900 });
};
const agentOf = (key: string): string => key.split(':')[1] ?? '';
const put = (key: string, entry: object, texts: readonly { role: string; text: string }[] = []): void => opened.running.stores.put(agentOf(key), key, { updatedAt: 500, ...entry } as never, texts);
const call = (name: string, args: object = {}, key = MAIN, more: object = {}, meta: object = {}): Promise<Details> => callAsAgent(opened.running, name, args, key, more, meta);
const lastDelivered = (): DeliverRequest => opened.running.stores.delivered.at(-1) as DeliverRequest;
const runsOf = (agentId: string) => [...opened.running.stores.aside(agentId).runs.values()];
/** Ends the newest run of an agent as soon as there is one. */
const answerNext = async (agentId: string, ending: object): Promise<void> => {
  for (;;) {
    const open = runsOf(agentId).find(({ state }) => state === 'running');
    if (open !== undefined) return opened.running.stores.runs.end(agentId, open.runId, ending);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};
afterEach(() => opened.stop());

describe('sessions_list', () => {
  it('shows rows with their fields, newest first, its own main session as main', async () => {
    await begin();
    put(PEER, { sessionId: ID(2), updatedAt: 800, label: 'Ann', channel: 'telegram', lastChannel: 'telegram', lastTo: '7', model: 'fake-2', modelProvider: 'fake', totalTokens: 12, status: 'done', startedAt: 1, endedAt: 3, runtimeMs: 2, deliveryContext: { channel: 'telegram', to: '7' }, systemSent: true, abortedLastRun: false });
    put('agent:main:cron:job', { sessionId: ID(3), updatedAt: 700 });
    opened.running.stores.put('main', 'global', { sessionId: ID(4), updatedAt: 950 });
    const { count, sessions } = (await call('sessions_list')) as { count: number; sessions: Details[] };
    expect(count).toBe(3);
    expect(sessions.map(({ key, kind }) => [key, kind])).toEqual([['main', 'main'], [PEER, 'other'], ['agent:main:cron:job', 'cron']]);
    expect(sessions[1]).toMatchObject({
      agentId: 'main', channel: 'telegram', updatedAt: 800, sessionId: ID(2), model: 'fake/fake-2', totalTokens: 12, contextTokens: 200_000, status: 'done', startedAt: 1, endedAt: 3, runtimeMs: 2,
      systemSent: true, abortedLastRun: false, lastChannel: 'telegram', lastTo: '7', deliveryContext: { channel: 'telegram', to: '7' }, transcriptPath: `/state/agents/main/sessions/${ID(2)}.jsonl`,
    });
    expect(await call('sessions_list', { kinds: ['cron'] })).toMatchObject({ count: 1 });
    expect(await call('sessions_list', { limit: 1 })).toMatchObject({ count: 1, sessions: [{ key: 'main' }] });
    expect(await call('sessions_list', { label: 'Ann' })).toMatchObject({ count: 1, sessions: [{ key: PEER }] });
    expect(await call('sessions_list', { kinds: ['people'] })).toEqual({ status: 'error', error: 'kinds: must be a list of main, group, cron, hook, node, other' });
  });

  it('gives messages without tool results, and says when it does not list all', async () => {
    await begin({ tools: { sessions: { visibility: 'agent' } } });
    put(PEER, { sessionId: ID(2) }, [{ role: 'user', text: 'one' }, { role: 'toolResult', text: 'raw' }, { role: 'assistant', text: 'two' }]);
    const list = await call('sessions_list', { messageLimit: 2 });
    const { messages } = (list.sessions as { messages: { role: string }[] }[])[1] ?? { messages: [] };
    expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant']);
    expect(list.visibility).toMatchObject({ mode: 'agent', restricted: true });
    expect(await call('sessions_list')).not.toHaveProperty('sessions.0.messages');
  });

  it('shows a session whose messages cannot be read without any, not as an empty one', async () => {
    await begin();
    put(PEER, { sessionId: ID(2) }, [{ role: 'user', text: 'one' }]);
    opened.running.stores.unserved.add('readHistory');
    const { count, sessions } = (await call('sessions_list', { messageLimit: 2 })) as { count: number; sessions: Details[] };
    expect([count, sessions.map((row) => 'messages' in row)]).toEqual([2, [false, false]]);
  });
});

describe('sessions_history and session_status', () => {
  it('says what another agent’s session needs beside the widest visibility', async () => {
    await begin({ tools: { agentToAgent: { enabled: false } } });
    put(OPS, { sessionId: ID(2) });
    const error = expect.stringMatching(/visibility "all"; .* tools\.agentToAgent/) as string;
    for (const sessionKey of [OPS, 'agent:ops:nobody']) expect(await call('sessions_history', { sessionKey })).toEqual({ status: 'forbidden', error });
  });

  it('reads a page with or without tool results, credentials masked, and nothing of what is not there', async () => {
    await begin();
    put(PEER, { sessionId: ID(2) }, [{ role: 'user', text: 'my key is sk-abcdefghijklmnop' }, { role: 'toolResult', text: 'raw' }, { role: 'assistant', text: '<thinking>hm</thinking>done' }]);
    const plain = (await call('sessions_history', { sessionKey: PEER })) as { messages: { role: string; content: { text: string }[] }[] };
    expect(plain.messages.map(({ role, content }) => `${role} ${content[0]?.text ?? ''}`)).toEqual(['user my key is [redacted]', 'assistant done']);
    expect(plain).toMatchObject({ sessionKey: PEER, truncated: false, droppedMessages: false, contentTruncated: false, contentRedacted: true });
    expect(((await call('sessions_history', { sessionKey: PEER, includeTools: true })).messages as unknown[]).length).toBe(3);
    expect(await call('sessions_history', { sessionKey: 'agent:main:nobody' })).toMatchObject({ messages: [], bytes: 2 });
    expect(await call('sessions_history', {})).toEqual({ status: 'error', error: 'sessionKey required' });
  });

  it('shows a card, and sets and clears the model', async () => {
    await begin();
    put(PEER, { sessionId: ID(2), totalTokens: 3120 }, [{ role: 'user', text: 'one' }]);
    expect(await call('session_status', { sessionKey: PEER })).toMatchObject({ key: PEER, messageCount: 1, model: 'fake/fake-1', tokensUsed: 3120, ok: true, changedModel: false });
    expect(await call('session_status', { model: 'fake/fake-2' })).toMatchObject({ key: MAIN, model: 'fake/fake-2', changedModel: true, modelOverride: 'fake/fake-2' });
    expect(await call('session_status', { model: 'fake/fake-9' })).toEqual({ status: 'error', error: 'Unknown model: fake/fake-9' });
    expect(await call('session_status')).toMatchObject({ model: 'fake/fake-2' });
    expect(await call('session_status', { model: 'default' })).toMatchObject({ model: 'fake/fake-1', changedModel: true });
    expect(await call('session_status', { sessionKey: 'agent:main:nobody' })).toMatchObject({ status: 'error', error: 'No session found: agent:main:nobody' });
    const fresh = 'agent:main:dashboard:nothing-yet';
    expect(await call('session_status', {}, fresh)).toMatchObject({ key: fresh, messageCount: 0, tokensUsed: 0, model: 'fake/fake-1', changedModel: false, ok: true });
    expect(await call('session_status', { sessionKey: fresh }, fresh)).toMatchObject({ key: fresh, messageCount: 0 });
    expect(await call('session_status', { model: 'fake/fake-2' }, fresh)).toMatchObject({ key: fresh, model: 'fake/fake-2', changedModel: true });
    expect(await call('session_status', {}, fresh)).toMatchObject({ model: 'fake/fake-2' });
  });
});

describe('sessions_send', () => {
  it('waits for the answer, and gives the run’s end otherwise', async () => {
    await begin();
    put(PEER, { sessionId: ID(2), deliveryContext: { channel: 'telegram', to: '7' } });
    const sending = call('sessions_send', { sessionKey: PEER, message: 'please' }, MAIN, { hops: 2, runId: 'my-run', traceId: 't1' });
    await answerNext('main', { text: 'sure' });
    expect(await sending).toMatchObject({ status: 'ok', reply: 'sure', sessionKey: PEER, delivery: { status: 'pending', mode: 'announce' } });
    expect(lastDelivered()).toMatchObject({
      message: { text: `[Inter-session message sourceSession=${MAIN} sourceTool=sessions_send isUser=false]\nplease` },
      interSession: { sourceSessionKey: MAIN, sourceTool: 'sessions_send', runId: 'my-run', hops: 3, traceId: 't1' },
      run: { deliver: false, source: 'sessions_send', queueMode: 'queue', followUp: { kind: { $case: 'exchange', value: { requesterKey: MAIN, targetKey: PEER, step: 'request', turnsLeft: 5, hops: 3, announceRoute: { channel: 'telegram', to: '7' } } } } },
    });
    const failing = call('sessions_send', { sessionKey: PEER, message: 'again' });
    await answerNext('main', { outcome: 'error', errorMessage: 'no model' });
    expect(await failing).toMatchObject({ status: 'error', error: 'no model' });
  });

  it('gives a ticket at once or when the wait is over, with which the answer is collected later', async () => {
    await begin();
    const sent = await call('sessions_send', { sessionKey: OPS, message: 'one', timeoutSeconds: 0 });
    expect(sent).toMatchObject({ status: 'accepted', sessionKey: OPS });
    const collecting = await call('sessions_send', { runId: sent.runId, timeoutSeconds: 0 });
    expect(collecting).toMatchObject({ status: 'timeout', runId: sent.runId });
    opened.running.stores.runs.end('ops', String(sent.runId), { text: 'late' });
    expect(await call('sessions_send', { runId: sent.runId })).toMatchObject({ status: 'ok', reply: 'late', sessionKey: OPS });
    expect(await call('sessions_send', { runId: 'nobody' })).toMatchObject({ status: 'error', error: 'No run found: nobody' });
  });

  it('gives the answer to nobody who may not see the session that ran, nor to the session itself', async () => {
    await begin({ tools: { sessions: { visibility: 'agent' }, agentToAgent: { enabled: false } } });
    put(PEER, { sessionId: ID(2) });
    put(OPS, { sessionId: ID(3) });
    const sent = await call('sessions_send', { sessionKey: PEER, message: 'a secret', timeoutSeconds: 0 });
    const asked = (key: string): Promise<Details> => call('sessions_send', { runId: sent.runId, timeoutSeconds: 0 }, key);
    const nobody = { status: 'error', error: `No run found: ${String(sent.runId)}` };
    for (const ended of [false, true]) {
      if (ended) opened.running.stores.runs.end('main', String(sent.runId), { text: 'hush' });
      expect([await asked(OPS), await asked(PEER)]).toEqual([nobody, nobody]);
      expect(await asked(MAIN)).toMatchObject({ status: ended ? 'ok' : 'timeout', sessionKey: PEER });
    }
  });

  it('makes the session that it reaches, and sends once for one idempotency key', async () => {
    await begin();
    const meta = { idempotencyKey: 'call-1' };
    const [first, second] = [await call('sessions_send', { sessionKey: OPS, message: 'one', timeoutSeconds: 0 }, MAIN, {}, meta), await call('sessions_send', { sessionKey: OPS, message: 'one', timeoutSeconds: 0 }, MAIN, {}, meta)];
    expect(second.runId).toBe(first.runId);
    expect(opened.running.stores.texts('ops', OPS)).toHaveLength(1);
  });

  it('refuses itself, threads, unknown agents, blocked sessions and what is too far from a person', async () => {
    await begin({ session: { sendPolicy: { rules: [{ action: 'deny', match: { channel: 'discord' } }] } } });
    put('agent:main:discord:channel:9', { sessionId: ID(3), channel: 'discord' });
    const refused = async (args: object, more: object = {}): Promise<Details> => call('sessions_send', { message: 'm', timeoutSeconds: 0, ...args }, MAIN, more);
    expect(await refused({ sessionKey: 'current' })).toMatchObject({ status: 'error', error: expect.stringMatching(/own session/) as string });
    expect(await refused({ sessionKey: 'agent:main:slack:channel:c:thread:1' })).toMatchObject({ status: 'error', error: expect.stringMatching(/threads/) as string });
    expect(await refused({ sessionKey: 'agent:ghost:main' })).toEqual({ status: 'error', error: 'Unknown agent id "ghost"' });
    expect(await refused({ sessionKey: 'agent:main:discord:channel:9' })).toEqual({ status: 'forbidden', error: 'send blocked by session policy' });
    expect(await refused({ sessionKey: OPS }, { hops: 8 })).toMatchObject({ status: 'forbidden', error: expect.stringMatching(/8 messages/) as string });
    expect(await refused({ label: 'nobody' })).toEqual({ status: 'error', error: 'No session found with label: nobody' });
    expect(await refused({})).toEqual({ status: 'error', error: 'Either sessionKey or label is required' });
    expect(opened.running.stores.delivered).toEqual([]);
  });
});

describe('the width of a turn', () => {
  it('is bounded for each run, whatever its runtime is', async () => {
    await begin();
    const send = (runId: string | undefined): Promise<Details> => call('sessions_send', { sessionKey: OPS, message: 'm', timeoutSeconds: 0 }, MAIN, { runId });
    for (let sent = 0; sent < 100; sent += 1) expect(await send('wide')).toMatchObject({ status: 'accepted' });
    expect(await send('wide')).toEqual({ status: 'forbidden', error: expect.stringMatching(/sent and spawned 100 times/) as string });
    expect(await call('sessions_spawn', { task: 'more' }, MAIN, { runId: 'wide' })).toMatchObject({ status: 'forbidden', error: expect.stringMatching(/100 times/) as string });
    expect(await send('other')).toMatchObject({ status: 'accepted' });
    expect(opened.running.stores.delivered).toHaveLength(101);
  });
});

describe('the cost limit', () => {
  const LIMITED = { tools: { sessions: { visibility: 'all' }, agentToAgent: { enabled: true, allow: ['*'], maxCostUsd: 1 } } };
  const send = (more: object, key = OPS): Promise<Details> => call('sessions_send', { sessionKey: key, message: 'm', timeoutSeconds: 0 }, MAIN, more);

  it('ends a fan-out whose branches are each below it and together above', async () => {
    await begin(LIMITED);
    const costs = (agentId: string): Map<string, number> => opened.running.stores.aside(agentId).traceCosts;
    costs('main').set('t1', 0.6);
    expect(await send({ hops: 2, traceId: 't1', runId: 'branch-1', costUsd: 0.6 })).toMatchObject({ status: 'accepted' });
    costs('ops').set('t1', 0.5);
    for (const branch of [0.6, 0.5, undefined]) expect(await send({ hops: 2, traceId: 't1', runId: 'branch-2', costUsd: branch })).toMatchObject({ status: 'forbidden', error: expect.stringMatching(/maxCostUsd/) as string });
    expect(await call('sessions_spawn', { task: 'more' }, MAIN, { hops: 2, traceId: 't1', runId: 'branch-2' })).toMatchObject({ status: 'forbidden', error: expect.stringMatching(/maxCostUsd/) as string });
    expect(await send({ hops: 2, traceId: 't2', runId: 'another' })).toMatchObject({ status: 'accepted' });
    expect(opened.running.stores.delivered).toHaveLength(2);
  });

  it('counts the run of a person’s message as the root of what it leads to', async () => {
    await begin(LIMITED);
    expect(await send({ runId: 'first' })).toMatchObject({ status: 'accepted' });
    expect(lastDelivered().interSession).toMatchObject({ traceId: 'first', hops: 1 });
    opened.running.stores.aside('ops').traceCosts.set('first', 1);
    expect(await send({ runId: 'first' })).toMatchObject({ status: 'forbidden' });
  });

  it('asks only the agents that the trace has reached, whichever router asks', async () => {
    await begin({ ...LIMITED, list: Array.from({ length: 40 }, (_, at) => ({ id: at === 0 ? 'main' : at === 1 ? 'ops' : `more${String(at)}` })) });
    for (let at = 2; at < 40; at += 1) put(`agent:more${String(at)}:main`, { sessionId: `0190aaaa-0000-7000-8000-0000000001${String(at).padStart(2, '0')}` });
    const askedFor = async (work: () => Promise<unknown>): Promise<readonly string[]> => {
      const before = opened.running.stores.calls.length;
      await work();
      return opened.running.stores.calls.slice(before).flatMap((one) => (one.startsWith('getTraceCost ') ? [one.slice('getTraceCost '.length)] : []));
    };
    expect(await askedFor(() => send({ runId: 'first' }))).toEqual(['main']);
    expect(lastDelivered().interSession).toMatchObject({ traceId: 'first', traceAgentId: 'main' });
    // Further down the same trace, from the agent that it has reached.
    const down = { hops: 1, runId: 'second', traceId: 'first', traceAgentId: 'main' };
    expect(await askedFor(() => call('sessions_send', { sessionKey: 'agent:more7:main', message: 'm', timeoutSeconds: 0 }, OPS, down))).toEqual(['main', 'ops']);
    expect(await askedFor(() => send({ hops: 1, runId: 'third', traceId: 'first', traceAgentId: 'main' }))).toEqual(['main', 'ops', 'more7']);
    opened.running.stores.aside('more7').traceCosts.set('first', 2);
    expect(await send({ hops: 1, runId: 'third', traceId: 'first', traceAgentId: 'main' })).toMatchObject({ status: 'forbidden', error: expect.stringMatching(/maxCostUsd/) as string });
  });

  it('stops nobody because an owner is away; what leads to a message still counts', async () => {
    await begin(LIMITED);
    opened.running.stores.unserved.add('getTraceCost');
    expect(await send({ traceId: 't1', runId: 'r', costUsd: 0.5 })).toMatchObject({ status: 'accepted' });
    expect(await send({ traceId: 't1', runId: 'r', costUsd: 1 })).toMatchObject({ status: 'forbidden' });
  });
});

describe('what a tool hands over', () => {
  it.each([['sessions_send', 'message', { sessionKey: OPS, timeoutSeconds: 0 }], ['sessions_spawn', 'task', {}]])('by %s arrives whole', async (tool, member, args) => {
    await begin();
    const text = `${'x'.repeat(TOOL_LIMITS.textLengthMax - 8)} the end`;
    const answer = await call(tool, { ...args, [member]: text });
    const key = String(answer.childSessionKey ?? answer.sessionKey);
    expect(opened.running.stores.texts(agentOf(key), key).at(-1)).toMatch(/x the end$/);
    expect(await call(tool, { ...args, [member]: `${text}!` })).toMatchObject({ status: 'error', error: expect.stringContaining('characters') as string });
  });
});

describe('sessions_spawn', () => {
  const claimOf = ({ run }: DeliverRequest) => (run?.followUp?.kind?.$case === 'spawn' ? run.followUp.kind.value : undefined);

  it('answers at once, and makes row, turn and claim with one message', async () => {
    await begin();
    const replyRoute = { channel: 'telegram', to: '7', accountId: undefined, threadId: undefined };
    const spawned = await call('sessions_spawn', { task: 'find it', label: 'finder', model: 'fake/fake-2', thinking: 'low', runTimeoutSeconds: 60, attachAs: { mountPath: '/x' } }, MAIN, { runId: 'r', replyRoute, hops: 1 });
    expect(spawned).toMatchObject({ status: 'accepted', mode: 'run', resolvedModel: 'fake-2', resolvedProvider: 'fake', modelApplied: true });
    expect(spawned.childSessionKey).toMatch(/^agent:main:subagent:[0-9a-f-]{36}$/);
    const delivered = lastDelivered();
    expect(delivered).toMatchObject({
      route: { sessionKey: spawned.childSessionKey },
      interSession: { sourceTool: 'sessions_spawn', hops: 2 },
      child: { spawnedBy: MAIN, spawnDepth: 1, label: 'finder', cleanup: 'keep', fork: false },
      run: { runId: spawned.runId, deliver: false, source: 'spawn', model: 'fake-2', modelProvider: 'fake', thinkingLevel: 'low', timeoutMs: 60_000 },
    });
    expect(claimOf(delivered)).toMatchObject({ parentKey: MAIN, parentRunId: 'r', task: 'find it', route: replyRoute, step: 'run', hops: 2 });
    expect(JSON.parse(delivered.child?.membersJson?.toString() ?? '')).toMatchObject({ subagentRole: 'leaf', subagentControlScope: 'none', spawnMode: 'run', attachAs: { mountPath: '/x' }, modelOverride: 'fake-2' });
    expect(opened.running.stores.delivered).toHaveLength(1);
  });

  it('finds the sub-agent of a call that is made again without its files, and makes none', async () => {
    await begin();
    const files = { attachments: [{ name: 'a.txt', content: REDACTED_CONTENT }] };
    const spawned = await call('sessions_spawn', { task: 't' }, MAIN, {}, { idempotencyKey: 'call-1' });
    put(String(spawned.childSessionKey), { sessionId: ID(8), spawnedBy: MAIN });
    const before = opened.running.stores.delivered.length;
    expect(await call('sessions_spawn', { task: 't', ...files }, MAIN, {}, { idempotencyKey: 'call-1' })).toMatchObject({ status: 'accepted', runId: spawned.runId, childSessionKey: spawned.childSessionKey });
    expect(await call('sessions_spawn', { task: 't', ...files }, MAIN, {}, { idempotencyKey: 'call-2' })).toMatchObject({ status: 'error', error: expect.stringContaining('interrupted') });
    expect(opened.running.stores.delivered).toHaveLength(before);
  });

  it('falls back on the channel of the session only where no message is answered', async () => {
    await begin();
    put(MAIN, { sessionId: ID(1), deliveryContext: { channel: 'telegram', to: 'other' } });
    await call('sessions_spawn', { task: 't' }, MAIN, { replyRoute: { channel: 'telegram', to: 'asker' } });
    expect(claimOf(lastDelivered())?.route).toMatchObject({ to: 'asker' });
    await call('sessions_spawn', { task: 't' });
    expect(claimOf(lastDelivered())?.route).toMatchObject({ to: 'other' });
  });

  it.each([
    ['another agent', { agentId: 'ops' }, 'forbidden', 'agentId is not allowed for sessions_spawn (allowed: main)'],
    ['an unknown model', { model: 'fake/fake-9' }, 'error', 'Unknown model: fake/fake-9'],
    ['an unknown thinking level', { thinking: 'huge' }, 'error', 'thinking: must be one of off, minimal, low, medium, high'],
    ['a session without a thread', { mode: 'session' }, 'error', 'mode: "session" needs thread: true'],
    ['a sandbox that is not there', { sandbox: 'require' }, 'forbidden', 'sandbox "require" needs a sub-agent that runs in a sandbox; the agent asked for does not'],
    ['a thread without a channel', { thread: true }, 'error', 'thread: this session has no channel whose thread could be bound'],
    ['a route of its own', { to: '7' }, 'error', 'to: is no option of sessions_spawn: the result is delivered to the session that spawns'],
    ['files for acp', { runtime: 'acp', attachments: [{ name: 'a', content: 'b' }] }, 'error', 'attachments: are not taken by runtime "acp"'],
    ['a file outside', { attachments: [{ name: '../a', content: 'b' }] }, 'error', 'attachments[0].name: must not hold / or \\ or control characters'],
    ['nothing to do', { task: ' ' }, 'error', 'task: must not be empty'],
  ])('refuses %s and makes nothing', async (_what, args, status, error) => {
    await begin();
    expect(await call('sessions_spawn', { task: 't', ...args })).toEqual({ status, error });
    expect(opened.running.stores.delivered).toEqual([]);
    expect(opened.running.stores.calls.filter((one) => /writeAttachments|putChunk/.test(one))).toEqual([]);
  });

  it('names to a token only agents that it shows, the same for one that is hidden, not allowed or not there', async () => {
    await begin({ list: [{ id: 'main', subagents: { allowAgents: ['secret', 'ops', 'ghost'] } }, { id: 'ops' }, { id: 'secret' }, { id: 'other' }] });
    const meta = { scopes: ['operator.write', 'agent:main', 'agent:ops', 'agent:other'] };
    const denied = { status: 'forbidden', error: 'agentId is not allowed for sessions_spawn (allowed: main, ops)' };
    for (const agentId of ['secret', 'other', 'ghost', 'nobody']) expect(await call('sessions_spawn', { task: 't', agentId }, MAIN, {}, meta)).toEqual(denied);
    expect(await call('sessions_spawn', { task: 't', agentId: 'ops' }, MAIN, {}, meta)).toMatchObject({ status: 'accepted' });
  });

  it('lets agents name others that the list allows, requires a name where it is required', async () => {
    await begin({ list: [{ id: 'main', subagents: { allowAgents: ['ops'], requireAgentId: true } }, { id: 'ops' }] });
    expect(await call('agents_list')).toMatchObject({ requester: 'main', agents: [{ id: 'main', configured: true, model: 'fake/fake-1' }, { id: 'ops' }] });
    expect(await call('sessions_spawn', { task: 't' })).toMatchObject({ status: 'error', error: 'agentId required: see agents_list' });
    expect((await call('sessions_spawn', { task: 't', agentId: 'ops' })).childSessionKey).toMatch(/^agent:ops:subagent:/);
    expect(await call('sessions_spawn', { task: 't', agentId: 'ghost' })).toMatchObject({ status: 'forbidden' });
  });

  it('bounds depth and children, and keeps sandboxed sessions inside', async () => {
    await begin({ defaults: { sandbox: { mode: 'off' }, subagents: { maxChildrenPerAgent: 1, maxSpawnDepth: 2, allowAgents: ['*'] } }, list: [{ id: 'main' }, { id: 'ops', sandbox: { mode: 'all' } }] });
    const spawned = await call('sessions_spawn', { task: 't' }, MAIN, {}, { idempotencyKey: 'once' });
    expect(await call('sessions_spawn', { task: 't' }, MAIN, {}, { idempotencyKey: 'once' })).toMatchObject({ childSessionKey: spawned.childSessionKey });
    expect(await call('sessions_spawn', { task: 't' })).toMatchObject({ status: 'forbidden', error: expect.stringMatching(/1 of 1/) as string });
    const child = String(spawned.childSessionKey);
    const grandchild = await call('sessions_spawn', { task: 't' }, child);
    expect(grandchild).toMatchObject({ status: 'accepted' });
    expect(lastDelivered().child).toMatchObject({ spawnedBy: child, spawnDepth: 2 });
    expect(await call('sessions_spawn', { task: 't' }, String(grandchild.childSessionKey))).toEqual({ status: 'error', error: 'Tool not available: sessions_spawn' });
    put(OPS, { sessionId: ID(5) });
    expect(await call('sessions_spawn', { task: 't', agentId: 'main' }, OPS)).toMatchObject({ status: 'forbidden', error: expect.stringMatching(/sandboxed/) as string });
  });

  it('gives a sub-agent no session tools, and a spawner none beyond its depth', async () => {
    await begin();
    const { childSessionKey } = await call('sessions_spawn', { task: 't' });
    for (const tool of ['sessions_list', 'sessions_spawn', 'sessions_send', 'session_status']) expect(await call(tool, { task: 't' }, String(childSessionKey))).toEqual({ status: 'error', error: `Tool not available: ${tool}` });
  });
});

describe('subagents and sessions_yield', () => {
  it('lists own children, active and recent, steers and kills them with what they spawned', async () => {
    await begin({ defaults: { subagents: { maxSpawnDepth: 2 } } });
    const child = String((await call('sessions_spawn', { task: 't', label: 'finder' })).childSessionKey);
    const grandchild = String((await call('sessions_spawn', { task: 't' }, child)).childSessionKey);
    expect(await call('subagents')).toMatchObject({ active: [{ index: 1, label: 'finder', sessionKey: child }], recent: [] });
    expect(await call('subagents', { action: 'steer', target: 'finder', message: 'faster' })).toMatchObject({ status: 'accepted', sessionKey: child, interrupted: true });
    expect(lastDelivered()).toMatchObject({ interrupt: true, requireExisting: true, interSession: { sourceTool: 'subagents' }, run: { followUp: { kind: { $case: 'spawn', value: { parentKey: MAIN } } } } });
    expect(await call('subagents', { action: 'kill', target: '7' })).toMatchObject({ status: 'error', error: 'No sub-agent found: 7' });
    expect(await call('subagents', { action: 'kill', target: 'all' })).toEqual({ status: 'ok', killed: [child, grandchild] });
    expect(runsOf('main').every(({ state }) => state === 'ended')).toBe(true);
  });

  it('knows a sub-agent by the run that it was spawned with, by its key in any spelling, and by a label that is not its alone', async () => {
    await begin();
    const one = await call('sessions_spawn', { task: 't', label: 'twin' }, MAIN, {}, { idempotencyKey: 'one' });
    const other = await call('sessions_spawn', { task: 't', label: 'twin' }, MAIN, {}, { idempotencyKey: 'other' });
    // As the owner keeps the second of a name.
    put(String(other.childSessionKey), { ...opened.running.stores.entry('main', String(other.childSessionKey)), label: undefined, displayName: 'twin' });
    const { active } = (await call('subagents')) as { active: Details[] };
    expect(active.map(({ label }) => label)).toEqual(['twin', 'twin']);
    expect(await call('subagents', { action: 'kill', target: 'twin' })).toMatchObject({ status: 'error', error: 'several sub-agents match twin: name one by its session key' });
    expect(await call('subagents', { action: 'kill', target: String(one.runId) })).toEqual({ status: 'ok', killed: [one.childSessionKey] });
    expect(await call('subagents', { action: 'kill', target: String(other.childSessionKey).toUpperCase() })).toEqual({ status: 'ok', killed: [other.childSessionKey] });
  });

  it('finds no run that is none of its own sub-agents', async () => {
    await begin();
    const { runId } = await call('sessions_send', { sessionKey: OPS, message: 'm', timeoutSeconds: 0 });
    expect(await call('subagents', { action: 'kill', target: String(runId) })).toEqual({ status: 'error', error: `No sub-agent found: ${String(runId)}` });
    expect(runsOf('ops').map(({ state }) => state)).toEqual(['running']);
  });

  it('ends the turn', async () => {
    await begin();
    expect(await call('sessions_yield', { message: 'waiting' }, MAIN, { runId: 'the-run' })).toEqual({ status: 'yielded', message: 'waiting' });
    expect(opened.running.stores.entry('main', MAIN)).toMatchObject({ yieldingRun: 'the-run' });
  });
});

describe('doors for clients', () => {
  it('leave out the tools that speak as an agent unless they are let in', async () => {
    await begin({}, {});
    for (const door of ['http', 'websocket'] as const) {
      await expect(opened.doors[door]('sessions_send', { sessionKey: OPS, message: 'm' }, MAIN)).rejects.toThrow('Tool not available: sessions_send');
      await expect(opened.doors[door]('read_file', {}, MAIN)).rejects.toThrow('Tool not available: read_file');
      await expect(opened.doors[door]('sessions_history', {}, MAIN)).rejects.toThrow('sessionKey required');
      expect(await opened.doors[door]('sessions_list', {}, MAIN)).toMatchObject({ count: 1 });
    }
  });
});
