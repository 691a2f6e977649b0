import { SessionError } from '@sessions/domain';
import type { RunningRouter, TestClient } from '../testing/router-harness';
import { ID, startKnownRouter } from '../testing/known-sessions';

let running: RunningRouter;
let client: TestClient;

beforeEach(async () => {
  ({ running, client } = await startKnownRouter());
});
afterEach(() => running.stop());

const payloadOf = (method: string, params?: unknown): Promise<Record<string, unknown>> => client.payloadOf(method, params);
const keysOf = (payload: Record<string, unknown>): string[] => (payload.sessions as { key: string }[]).map(({ key }) => key);
const messageOf = async (method: string, params?: unknown): Promise<string> => (await client.request(method, params)).error.message;

describe('sessions.list', () => {
  it('merges the stores of all agents by activity, those found on disk included', async () => {
    const payload = await payloadOf('sessions.list');
    expect(keysOf(payload)).toEqual(['agent:main:telegram:group:-5', 'agent:work:main', 'agent:main:main', 'agent:disk:main']);
    expect(payload).toMatchObject({ path: '(multiple)', count: 4, totalCount: 4, limitApplied: 100, nextOffset: null, hasMore: false });
    expect(payload).not.toHaveProperty('offset');
    expect(payload).not.toHaveProperty('warnings');
    expect(payload.defaults).toMatchObject({ modelProvider: 'fake', model: 'fake-1', contextTokens: 1000, thinkingDefault: 'off' });
  });

  it('gives rows as clients know them', async () => {
    const [group, , home] = (await payloadOf('sessions.list')).sessions as Record<string, unknown>[];
    expect(group).toMatchObject({ kind: 'group', subject: 'Lab', chatType: 'group', updatedAt: 300, model: 'fake-1', modelProvider: 'fake', hasActiveRun: false });
    expect(home).toMatchObject({ kind: 'direct', label: 'Home', sessionId: ID(1), model: 'm-1', modelProvider: 'p', totalTokens: 7, contextTokens: 1000 });
    expect(home).not.toHaveProperty('derivedTitle');
    expect(home).not.toHaveProperty('status');
  });

  it('pages over the merged list', async () => {
    const first = await payloadOf('sessions.list', { limit: 3 });
    expect(first).toMatchObject({ count: 3, totalCount: 4, limitApplied: 3, nextOffset: 3, hasMore: true });
    const second = await payloadOf('sessions.list', { limit: 3, offset: 3 });
    expect(keysOf(second)).toEqual(['agent:disk:main']);
    expect(second).toMatchObject({ offset: 3, count: 1, totalCount: 4, nextOffset: null, hasMore: false });
    expect(keysOf(await payloadOf('sessions.list', { offset: 100 }))).toEqual([]);
  });

  it('reads one store when an agent is named', async () => {
    const payload = await payloadOf('sessions.list', { agentId: 'work' });
    expect(keysOf(payload)).toEqual(['agent:work:main']);
    expect(payload.path).toBe('/state/agents/work/sessions/sessions.json');
    const unknown = await payloadOf('sessions.list', { agentId: 'nobody' });
    expect(unknown).toMatchObject({ count: 0, totalCount: 0, path: '/state/agents/nobody/sessions/sessions.json' });
    expect(running.stores.calls).not.toContain('claimStore nobody');
  });

  it('pages one store without reading what it skips', async () => {
    const payload = await payloadOf('sessions.list', { agentId: 'main', limit: 1, offset: 1 });
    expect(keysOf(payload)).toEqual(['agent:main:main']);
    expect(payload).toMatchObject({ totalCount: 2, hasMore: false, offset: 1 });
  });

  it('drops agents that are not configured when asked to', async () => {
    expect(keysOf(await payloadOf('sessions.list', { configuredAgentsOnly: true }))).toEqual([
      'agent:main:telegram:group:-5', 'agent:work:main', 'agent:main:main',
    ]);
  });

  it('filters by label, spawner, search and activity', async () => {
    expect(keysOf(await payloadOf('sessions.list', { label: 'Home' }))).toEqual(['agent:main:main']);
    expect(keysOf(await payloadOf('sessions.list', { label: 'home' }))).toEqual([]);
    expect(keysOf(await payloadOf('sessions.list', { spawnedBy: 'agent:main:main' }))).toEqual(['agent:disk:main']);
    expect(keysOf(await payloadOf('sessions.list', { search: 'LAB' }))).toEqual(['agent:main:telegram:group:-5']);
    expect(keysOf(await payloadOf('sessions.list', { activeMinutes: 1 }))).toEqual([]);
  });

  it('hides the shared key unless asked', async () => {
    running.stores.put('main', 'global', { sessionId: ID(6), updatedAt: 1 });
    expect(keysOf(await payloadOf('sessions.list'))).not.toContain('global');
    const all = (await payloadOf('sessions.list', { includeGlobal: true })).sessions as { key: string; kind: string }[];
    expect(all.find(({ key }) => key === 'global')).toMatchObject({ kind: 'global' });
  });

  it('adds titles and last messages when asked', async () => {
    const payload = await payloadOf('sessions.list', { includeDerivedTitles: true, includeLastMessage: true, label: 'Home' });
    expect((payload.sessions as unknown[])[0]).toMatchObject({ derivedTitle: 'hello', lastMessagePreview: 'hi' });
  });

  it('shows a key of two stores once: the row of the agent that the key names', async () => {
    running.stores.put('work', 'agent:main:main', { sessionId: ID(7), updatedAt: 5000, label: 'stray' });
    const payload = await payloadOf('sessions.list', { limit: 2 });
    expect(keysOf(payload)).toEqual(['agent:main:telegram:group:-5', 'agent:work:main']);
    expect(payload.totalCount).toBe(4);
  });

  it('lists what it can read, and says what it cannot', async () => {
    running.stores.refuse('work', new SessionError('STORE_UNREADABLE', 'the store cannot be read'));
    const payload = await payloadOf('sessions.list');
    expect(keysOf(payload)).not.toContain('agent:work:main');
    expect(payload.warnings).toEqual(['agent "work" is not listed: the store cannot be read']);
  });

  it('never answers an empty list for a store that cannot be read', async () => {
    running.stores.refuse('work', new SessionError('STORE_UNREADABLE', 'the store cannot be read'));
    const { ok, error } = await client.request('sessions.list', { agentId: 'work' });
    expect(ok).toBe(false);
    expect(error).toMatchObject({ code: 'UNAVAILABLE', message: 'the store cannot be read', details: { reason: 'STORE_UNREADABLE' } });
  });
});

describe('reading one session', () => {
  it('describes it under every form of its key', async () => {
    for (const key of ['agent:main:main', 'main', 'MAIN', 'Agent:Main:Main', ID(1)]) {
      expect(((await payloadOf('sessions.describe', { key })).session as { key: string }).key).toBe('agent:main:main');
    }
    expect(await payloadOf('sessions.describe', { key: 'nope' })).toEqual({ session: null });
    expect(await messageOf('sessions.describe', { key: ID(9) })).toBe(`No session found: ${ID(9)}`);
  });

  it('resolves key, session id and label', async () => {
    expect(await payloadOf('sessions.resolve', { key: 'main' })).toEqual({ ok: true, key: 'agent:main:main' });
    expect(await payloadOf('sessions.resolve', { sessionId: ID(4) })).toEqual({ ok: true, key: 'agent:work:main' });
    expect(await payloadOf('sessions.resolve', { label: 'Home' })).toEqual({ ok: true, key: 'agent:main:main' });
    expect(await messageOf('sessions.resolve', { key: 'nope' })).toBe('No session found: nope');
    expect(await messageOf('sessions.resolve', { label: 'nope' })).toBe('No session found with label: nope');
    expect(await payloadOf('sessions.resolve', { label: 'nope', allowMissing: true })).toEqual({ ok: false });
    expect(await messageOf('sessions.resolve', {})).toBe('Either key, sessionId, or label is required');
    expect(await messageOf('sessions.resolve', { key: 'a', label: 'b' })).toBe('Provide either key, sessionId, or label (not multiple)');
  });

  it('previews in the order asked for', async () => {
    const { previews } = await payloadOf('sessions.preview', { keys: ['nope', 'main', 'agent:work:main'] });
    expect(previews).toEqual([
      { key: 'nope', status: 'missing', items: [] },
      { key: 'main', status: 'ok', items: [{ role: 'user', text: 'hello' }, { role: 'assistant', text: 'hi' }] },
      { key: 'agent:work:main', status: 'empty', items: [] },
    ]);
  });

  it('gives messages with their identity, and nothing for an unknown key', async () => {
    const { key, entry, messages } = await payloadOf('sessions.get', { key: 'main' });
    expect(key).toBe('agent:main:main');
    expect(entry).toMatchObject({ sessionId: ID(1), label: 'Home' });
    expect(messages).toMatchObject([{ role: 'user', __openclaw: { seq: 1 } }, { role: 'assistant', __openclaw: { seq: 2 } }]);
    expect(await payloadOf('sessions.get', { key: 'nope' })).toEqual({ messages: [] });
    expect(await messageOf('sessions.get', {})).toBe('key required');
  });

  it('gives the history of a chat with its row', async () => {
    const history = await payloadOf('chat.history', { sessionKey: 'main', limit: 1, maxChars: 1 });
    expect(history).toMatchObject({ sessionKey: 'main', sessionId: ID(1), sessionInfo: { key: 'agent:main:main' } });
    expect(history.messages).toMatchObject([{ role: 'assistant', content: [{ type: 'text', text: 'h...' }] }]);
    expect(await payloadOf('chat.history', { sessionKey: 'nope' })).toMatchObject({ messages: [], sessionInfo: { updatedAt: null } });
  });

  it('searches all agents behind one cursor', async () => {
    const first = await payloadOf('sessions.search', { query: 'agent:', limit: 2 });
    const second = await payloadOf('sessions.search', { query: 'agent:', limit: 100, cursor: first.nextCursor });
    const keys = [...(first.hits as { key: string }[]), ...(second.hits as { key: string }[])].map(({ key }) => key);
    expect(keys.toSorted()).toEqual([
      'agent:disk:main', 'agent:main:cron:job:run:1', 'agent:main:main', 'agent:main:telegram:group:-5', 'agent:work:main',
    ]);
    expect(second).not.toHaveProperty('nextCursor');
    const cursorOf = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    for (const cursor of ['bogus', '', cursorOf({}), cursorOf([]), cursorOf(null), cursorOf({ nobody: null }), cursorOf({ main: 5 }), cursorOf({ __proto__: null, main: {} })]) {
      expect([cursor, await messageOf('sessions.search', { query: 'x', cursor })]).toEqual([cursor, expect.stringContaining('cursor')]);
    }
    expect(await messageOf('sessions.search', { query: 'agent:', agentId: 'work', cursor: cursorOf({ main: null }) })).toContain('cursor');
  });

  it('searches all agents as one list, the newest first, whatever the pages', async () => {
    for (let n = 0; n < 40; n += 1) {
      const agentId = ['main', 'work', 'disk'][n % 3] ?? '';
      // Equal times stand in the order of the agents.
      running.stores.put(agentId, `agent:${agentId}:needle-${String(n)}`, { sessionId: ID(100 + n), updatedAt: 10_000 - Math.floor(n / 6) });
    }
    running.stores.put('work', 'agent:work:needle-undated', { sessionId: ID(99) });
    const pages = async (limit: number): Promise<{ key: string; at?: number }[]> => {
      const found: { key: string; at?: number }[] = [];
      let cursor: unknown;
      for (let page = 0; page < 60; page += 1) {
        const { hits, nextCursor } = await payloadOf('sessions.search', { query: 'needle', limit, ...(cursor !== undefined && { cursor }) });
        expect((hits as unknown[]).length).toBeLessThanOrEqual(limit);
        expect(JSON.stringify(hits)).not.toContain('cursor');
        found.push(...(hits as { key: string; at?: number }[]));
        if (nextCursor === undefined) return found;
        cursor = nextCursor;
      }
      throw new Error('a search has no end');
    };
    const whole = await pages(100);
    expect(whole).toHaveLength(41);
    expect(new Set(whole.map(({ key }) => key)).size).toBe(41);
    const order = ['main', 'work', 'disk'];
    const placeOf = ({ key, at = 0 }: { key: string; at?: number }): number => -at * 10 + order.indexOf(key.split(':')[1] ?? '');
    expect(whole.map(placeOf)).toEqual(whole.map(placeOf).toSorted((a, b) => a - b));
    for (const limit of [1, 2, 7, 20]) expect(await pages(limit)).toEqual(whole);
  });

  it('takes a search and a label as people type them', async () => {
    const whole = await payloadOf('sessions.list', { search: 'telegram' });
    expect((whole.sessions as unknown[]).length).toBeGreaterThan(0);
    expect((await payloadOf('sessions.list', { search: ' Telegram ' })).sessions).toEqual(whole.sessions);
    expect((await payloadOf('sessions.list', { search: '  ' })).totalCount).toBe((await payloadOf('sessions.list')).totalCount);
    expect((await payloadOf('sessions.list', { label: '  ' })).totalCount).toBe((await payloadOf('sessions.list')).totalCount);
    expect((await payloadOf('sessions.search', { query: ' telegram ' })).hits).toEqual((await payloadOf('sessions.search', { query: 'telegram' })).hits);
  });

  it('passes a search for texts on with its filters, and says where the words stand', async () => {
    const found = await payloadOf('sessions.search', { query: 'hello', in: 'text', agentId: 'main', channel: 'telegram', since: 1, until: 2 });
    expect(found).toEqual({
      incomplete: true,
      hits: [{ agentId: 'main', key: 'agent:main:main', sessionId: ID(1), messageId: 'm-1', seq: 7, role: 'user', at: 5, snippet: 'text hello telegram 1 2', highlights: [[5, 10]] }],
    });
    for (const query of ['"', 'x'.repeat(10_240), '\u0000']) expect(await messageOf('sessions.search', { query, in: 'text' })).toMatch(/^query must have/);
    expect(await messageOf('sessions.search', { query: 'x', in: 'everywhere' })).toContain('/in');
  });

  it('lists agents, configured ones first', async () => {
    const payload = await payloadOf('agents.list');
    expect(payload).toMatchObject({ defaultId: 'main', mainKey: 'main', scope: 'per-sender' });
    expect((payload.agents as { id: string }[]).map(({ id }) => id)).toEqual(['main', 'work', 'disk']);
  });

  it('tells health and status', async () => {
    const figures = { intervalMs: expect.any(Number) as number, delayP99Ms: expect.any(Number) as number, delayMaxMs: expect.any(Number) as number, utilization: expect.any(Number) as number, cpuCoreRatio: expect.any(Number) as number };
    for (const method of ['health', 'status']) expect((await payloadOf(method))['eventLoop']).toEqual({ degraded: expect.any(Boolean) as boolean, reasons: expect.any(Array) as unknown[], ...figures });
    expect(await payloadOf('health')).toMatchObject({ ok: true, defaultAgentId: 'main', sessions: { count: 4 } });
    expect(await payloadOf('status')).toMatchObject({ version: '0.0.0-test', stateDir: '/state' });
    expect((await payloadOf('health')).agents).toMatchObject([{ agentId: 'main', heartbeat: { enabled: false, every: 'disabled', everyMs: null } }, { agentId: 'work' }, { agentId: 'disk' }]);
  });

  it('tells in the status of the newest sessions, and of what fills their windows', async () => {
    running.stores.put('work', 'agent:work:full', { sessionId: ID(8), updatedAt: 950, thinkingLevel: 'high', fastMode: true, verboseLevel: 'on', systemSent: true, providerOverride: 'p', modelOverride: 'big', modelOverrideSource: 'user', totalTokens: 250, inputTokens: 9 });
    const { sessions, heartbeat, runtimeVersion } = await payloadOf('status');
    expect([runtimeVersion, heartbeat]).toMatchObject(['0.0.0-test', { defaultAgentId: 'main', agents: [{ agentId: 'main', enabled: false }, { agentId: 'work' }, { agentId: 'disk' }] }]);
    const { count, paths, recent, byAgent, defaults } = sessions as unknown as { count: number; paths: string[]; recent: Record<string, unknown>[]; byAgent: { agentId: string; count: number; recent: unknown[] }[]; defaults: object };
    expect([count, paths.length, defaults]).toMatchObject([5, 3, { model: 'fake-1', contextTokens: 1000 }]);
    expect(recent[0]).toEqual({
      agentId: 'work', key: 'agent:work:full', kind: 'direct', sessionId: ID(8), updatedAt: 950, age: expect.any(Number) as unknown, thinkingLevel: 'high', fastMode: true, verboseLevel: 'on', systemSent: true, inputTokens: 9,
      totalTokens: 250, totalTokensFresh: true, remainingTokens: 750, percentUsed: 25, model: 'big', configuredModel: 'fake/fake-1', selectedModel: 'p/big', modelSelectionReason: 'session override', runtime: 'auto', contextTokens: 1000,
      flags: ['think:high', 'verbose:on', 'fast', 'system', `id:${ID(8)}`],
    });
    expect(recent.map(({ key }) => key)).toEqual(['agent:work:full', 'agent:main:telegram:group:-5', 'agent:work:main', 'agent:main:main', 'agent:disk:main']);
    expect(recent[1]).toMatchObject({ totalTokens: null, remainingTokens: null, percentUsed: null, selectedModel: 'fake/fake-1', modelSelectionReason: null });
    expect(byAgent.map(({ agentId, count: own, recent: rows }) => [agentId, own, rows.length])).toEqual([['main', 2, 2], ['work', 2, 2], ['disk', 1, 1]]);
  });
});

describe('writing', () => {
  it('creates a session, and answers an existing key with its row', async () => {
    const made = await payloadOf('sessions.create', { key: 'Notes', label: 'N', model: 'x/y' });
    expect(made).toMatchObject({ ok: true, key: 'agent:main:notes', created: true, runStarted: false });
    expect(running.stores.entry('main', 'agent:main:notes')).toMatchObject({ label: 'N', providerOverride: 'x', modelOverride: 'y', modelOverrideSource: 'user' });
    const again = await payloadOf('sessions.create', { key: 'notes' });
    expect(again).toMatchObject({ key: 'agent:main:notes', sessionId: made.sessionId, created: false });
    expect((await payloadOf('sessions.create', { agentId: 'work' })).key).toMatch(/^agent:work:dashboard:[0-9a-f-]{36}$/);
  });

  it('keeps the first message of a new session', async () => {
    const made = await payloadOf('sessions.create', { key: 'notes', message: 'first' });
    expect(made).toMatchObject({ messageSeq: 1, runStarted: false });
    expect(running.stores.texts('main', 'agent:main:notes')).toEqual(['first']);
  });

  it('refuses what cannot be created', async () => {
    expect(await messageOf('sessions.create', { key: 'agent:main:x', agentId: 'work' })).toBe('sessions.create key agent (main) does not match agentId (work)');
    expect(await messageOf('sessions.create', { label: 'Home' })).toBe('label already in use: Home');
    expect(await messageOf('sessions.create', { parentSessionKey: 'nope' })).toBe('unknown parent session: nope');
    expect(await messageOf('sessions.create', { key: 'x'.repeat(600) })).toContain('invalid session key');
    expect(await messageOf('sessions.create', { key: 'unknown' })).toContain('unknown');
  });

  it('patches fields, and makes the row of an unknown key', async () => {
    const patched = await payloadOf('sessions.patch', { key: 'main', label: 'Den', thinkingLevel: 'high', model: 'a/b' });
    expect(patched).toMatchObject({ ok: true, key: 'agent:main:main', path: '/state/agents/main/sessions/sessions.json', entry: { label: 'Den' }, resolved: { modelProvider: 'a', model: 'b', thinkingLevel: 'high' } });
    const cleared = await payloadOf('sessions.patch', { key: 'main', label: null, model: 'fake/fake-1' });
    expect(cleared.entry).not.toHaveProperty('label');
    expect(cleared.entry).not.toHaveProperty('modelOverride');
    expect(await payloadOf('sessions.patch', { key: 'new-one', sendPolicy: 'deny' })).toMatchObject({ key: 'agent:main:new-one', entry: { sendPolicy: 'deny' } });
  });

  it('refuses patches in the known words', async () => {
    expect(await messageOf('sessions.patch', { key: 'main', spawnDepth: 1 })).toBe('spawnDepth is only supported for subagent:* or acp:* sessions');
    expect(await messageOf('sessions.patch', { key: 'main', agentId: 'ghost' })).toBe('Unknown agent id "ghost"');
    expect(await messageOf('sessions.patch', { key: 'main', label: ' ' })).toBe('invalid label: empty');
    const { error } = await client.request('sessions.patch', { key: 'main', label: 'x', expectedUpdatedAt: 1 });
    expect(error).toMatchObject({ code: 'INVALID_REQUEST', details: { reason: 'ENTRY_CHANGED' } });
    const child = 'agent:main:subagent:1';
    await payloadOf('sessions.patch', { key: child, spawnedBy: 'agent:main:main' });
    expect(await messageOf('sessions.patch', { key: child, spawnedBy: 'agent:main:other' })).toBe('spawnedBy cannot be changed once set');
  });

  it('keeps a chat message once, and ends the run that does not begin', async () => {
    const answer = await payloadOf('chat.send', { sessionKey: 'main', message: 'ping', idempotencyKey: 'k1' });
    expect(answer).toEqual({ runId: 'k1', status: 'started', messageSeq: 3 });
    const ended = await client.until(() => client.events('chat')[0]);
    expect(ended.payload).toMatchObject({ runId: 'k1', sessionKey: 'agent:main:main', state: 'error' });
    expect(ended.seq).toBeGreaterThan(0);
    expect(await payloadOf('chat.send', { sessionKey: 'main', message: 'ping', idempotencyKey: 'k1' })).toMatchObject({ runId: 'k1', status: 'ok' });
    expect(running.stores.texts('main', 'agent:main:main')).toEqual(['hello', 'hi', 'ping']);
    expect(await messageOf('chat.send', { sessionKey: 'main', message: ' ', idempotencyKey: 'k2' })).toBe('message or attachment required');
  });

  it('takes idempotency keys of any text', async () => {
    const idempotencyKey = `ключ ${'x'.repeat(300)}`;
    expect(await payloadOf('chat.send', { sessionKey: 'main', message: 'a', idempotencyKey })).toMatchObject({ runId: idempotencyKey, status: 'started' });
    expect(await payloadOf('chat.send', { sessionKey: 'main', message: 'a', idempotencyKey })).toMatchObject({ status: 'ok' });
  });
});

describe('following', () => {
  it('sends each event once, to those who asked', async () => {
    const quiet = await running.client();
    const follower = await running.client(['operator.read']);
    expect(await payloadOf('sessions.subscribe')).toEqual({ subscribed: true });
    expect(await payloadOf('sessions.messages.subscribe', { key: 'main' })).toEqual({ subscribed: true, key: 'agent:main:main' });
    expect((await follower.request('sessions.messages.subscribe', { key: 'later' })).payload).toEqual({ subscribed: true, key: 'agent:main:later' });
    await payloadOf('chat.send', { sessionKey: 'main', message: 'one', idempotencyKey: 'a' });
    await payloadOf('chat.send', { sessionKey: 'later', message: 'two', idempotencyKey: 'b' });
    const seen = await follower.until(() => follower.events('session.message')[0]);
    expect(seen.payload).toMatchObject({
      sessionKey: 'agent:main:later', agentId: 'main', messageSeq: 1, message: { role: 'user', __openclaw: { seq: 1 } }, session: { key: 'agent:main:later' },
    });
    expect(seen).not.toHaveProperty('seq');
    await client.until(() => client.events('session.message')[1]);
    expect(client.events('session.message').map(({ payload }) => payload.sessionKey)).toEqual(['agent:main:main', 'agent:main:later']);
    expect(client.events('sessions.changed').map(({ payload }) => payload.phase)).toEqual(['message', 'message']);
    expect(follower.events('session.message')).toHaveLength(1);
    expect(follower.events('sessions.changed')).toHaveLength(0);
    expect(quiet.events('session.message')).toHaveLength(0);
  });

  it('says why a row changed', async () => {
    await payloadOf('sessions.subscribe');
    await payloadOf('sessions.create', { key: 'notes', label: 'N' });
    const changed = await client.until(() => client.events('sessions.changed')[0]);
    expect(changed.payload).toMatchObject({ sessionKey: 'agent:main:notes', agentId: 'main', reason: 'create', label: 'N' });
    expect(changed.payload).not.toHaveProperty('session');
  });

  it('stops when asked', async () => {
    await payloadOf('sessions.subscribe');
    expect(await payloadOf('sessions.unsubscribe')).toEqual({ subscribed: false });
    await payloadOf('sessions.messages.subscribe', { key: 'main' });
    expect(await payloadOf('sessions.messages.unsubscribe', { key: 'main' })).toEqual({ subscribed: false, key: 'agent:main:main' });
    await payloadOf('chat.send', { sessionKey: 'main', message: 'one', idempotencyKey: 'a' });
    await payloadOf('health');
    expect(client.events('session.message')).toEqual([]);
  });
});

describe('an owner that is away', () => {
  it('is replaced before a client hears of it', async () => {
    await payloadOf('sessions.list', { agentId: 'main' });
    await running.stores.loseOwner('main');
    expect((await payloadOf('sessions.list', { agentId: 'main' })).count).toBe(2);
    expect(running.stores.calls.filter((call) => call === 'claimStore main')).toHaveLength(2);
  });
});
