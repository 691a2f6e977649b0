/** Several users on one gateway: each sees what is theirs, through every door, and nobody else's is told apart from nothing. */
import { createHash, createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { createRecordingLogger } from '@sessions/host/testing';
import { TOKEN, TestClient, configOf, connectParams, startRouter } from '../testing/router-harness';
import type { Answer, RunningRouter } from '../testing/router-harness';
import { LINES_PER_SECOND_MAX, createAudit } from './audit';
import { signedTexts } from './device';
import type { Device } from './device';
import { FAILURES_MAX } from './failure-limit';

const WORK = 'token-of-ann';
const BOTH = 'token-of-bob';
const ID = (digit: number): string => `0190aaaa-0000-7000-8000-00000000000${digit}`;
const CONFIG = {
  agents: { list: [{ id: 'main', default: true }, { id: 'office' }] },
  gateway: {
    auth: {
      tokens: [
        { name: 'ann', token: WORK, scopes: ['operator.admin'], agents: ['office'] },
        { name: 'bob', token: BOTH, scopes: ['operator.read'] },
      ],
    },
  },
};

let running: RunningRouter;
let logged: ReturnType<typeof createRecordingLogger>;
beforeEach(async () => {
  logged = createRecordingLogger();
  running = await startRouter(CONFIG, { logger: logged });
  running.stores.put('main', 'agent:main:main', { sessionId: ID(1), updatedAt: 1 }, [{ role: 'user', text: 'a secret of main' }]);
  running.stores.put('office', 'agent:office:main', { sessionId: ID(2), updatedAt: 2 }, [{ role: 'user', text: 'office' }]);
});
afterEach(() => running.stop());

const get = (path: string, token: string, headers: Record<string, string> = {}): Promise<Response> => fetch(running.url + path, { headers: { authorization: `Bearer ${token}`, ...headers } });

describe('a user that is restricted to some agents', () => {
  it('is shown where a store stands below the state directory, and nothing of the machine', async () => {
    const [ann, admin] = [await running.client(['operator.admin'], WORK), await running.client()];
    const asked = [
      ['sessions.list', { agentId: 'office' }], ['sessions.patch', { key: 'agent:office:main', label: 'a' }], ['agents.list', {}], ['health', {}], ['sessions.reset', { key: 'agent:office:main' }],
      ['sessions.erase', { key: 'agent:office:main', dryRun: true }], ['tools.invoke', { tool: 'sessions_list', args: {}, sessionKey: 'agent:office:main' }],
      ['sessions.verify', {}],
    ] as const;
    let shownToAdmin = '';
    for (const [method, params] of asked) {
      expect([method, JSON.stringify(await ann.request(method, params))]).toEqual([method, expect.not.stringContaining('/state')]);
      shownToAdmin += JSON.stringify(await admin.request(method, params));
    }
    expect((await ann.request('sessions.list', { agentId: 'office' })).payload).toMatchObject({ path: 'agents/office/sessions/sessions.json' });
    expect(shownToAdmin).toContain('/state/agents/office');
  });

  it('is not told where a session works, nor where its file stands, at any door', async () => {
    const key = 'agent:office:subagent:one';
    const places = { spawnedWorkspaceDir: '/place/of/office', spawnedCwd: '/place/of/office/src' };
    running.stores.put('office', key, { sessionId: ID(3), updatedAt: 3, sessionFile: '/state/agents/office/sessions/x.jsonl', systemPromptReport: { workspaceDir: '/place/of/office' }, skillsSnapshot: { prompt: '/place/of/skills' }, ...places }, [{ role: 'user', text: 'one' }]);
    const [ann, admin] = [await running.client(['operator.admin'], WORK), await running.client()];
    const stream = await get(`/sessions/${key}/history?follow=1`, WORK);
    for (const client of [ann, admin]) await client.request('sessions.subscribe');
    for (const client of [ann, admin]) await client.request('sessions.messages.subscribe', { key });
    const asked = [
      ['sessions.list', { agentId: 'office' }], ['sessions.describe', { key }], ['sessions.get', { key }], ['chat.history', { sessionKey: key }], ['chat.startup', { sessionKey: key }],
      ['sessions.patch', { key, label: 'L' }], ['sessions.create', { key }], ['chat.send', { sessionKey: key, message: 'two', idempotencyKey: 'two' }], ['sessions.reset', { key }],
    ] as const;
    for (const [method, params] of asked) expect([method, JSON.stringify(await ann.request(method, params))]).toEqual([method, expect.not.stringMatching(/\/place|\/state/)]);
    for (const client of [ann, admin]) await client.until(() => client.events('session.message')[0]);
    const heard = (client: TestClient): string => JSON.stringify(client.frames.filter(({ type }) => type === 'event'));
    expect(heard(ann)).not.toContain('/place');
    expect(heard(admin)).toContain('"spawnedWorkspaceDir":"/place/of/office"');
    expect(JSON.stringify(await admin.request('sessions.describe', { key }))).toContain('"spawnedCwd":"/place/of/office/src"');
    let streamed = '';
    for await (const chunk of stream.body ?? []) {
      streamed += Buffer.from(chunk as Uint8Array).toString('utf8');
      if (streamed.includes('event: sessions.changed')) break;
    }
    expect(streamed).not.toContain('/place');
  });

  it('sees their sessions only, in lists, by key and by id', async () => {
    const ann = await running.client(['operator.admin'], WORK);
    const { sessions } = (await ann.request('sessions.list')).payload as { sessions?: { key: string }[] };
    expect(sessions?.map(({ key }) => key)).toEqual(['agent:office:main']);
    expect(((await ann.request('agents.list')).payload as { agents?: { id: string }[] }).agents?.map(({ id }) => id)).toEqual(['office']);
    for (const key of ['agent:main:main', 'agent:main:nope', 'agent:ghost:main']) {
      for (const method of ['sessions.get', 'sessions.describe', 'sessions.delete', 'sessions.patch', 'sessions.reset', 'sessions.messages.subscribe']) {
        expect([key, method, (await ann.request(method, { key })).error]).toMatchObject([key, method, { message: 'forbidden', details: { reason: 'NOT_VISIBLE' } }]);
      }
    }
    expect((await ann.request('sessions.resolve', { sessionId: ID(1) })).error.message).toBe(`No session found: ${ID(1)}`);
    expect((await ann.request('sessions.resolve', { sessionId: ID(2) })).payload).toMatchObject({ key: 'agent:office:main' });
    expect((await ann.request('config.get')).error.message).toBe('forbidden');
    expect((await ann.request('sessions.create', { agentId: 'main' })).error.message).toBe('forbidden');
    for (const agentId of ['main', 'ghost']) {
      const body = JSON.stringify({ channel: 'telegram', messageId: '1', chatType: 'direct', sender: { id: '5' }, text: 'x', agentId });
      expect((await fetch(`${running.url}/v1/messages`, { method: 'POST', headers: { authorization: `Bearer ${WORK}` }, body })).status).toBe(403);
    }
    expect((await get('/sessions/agent:main:main/history', WORK)).status).toBe(403);
    expect((await get('/sessions/agent:office:main/history', WORK)).status).toBe(200);
    expect(running.stores.calls.filter((call) => call.endsWith(' main') && !call.startsWith('claim'))).toEqual([]);
  });

  it('means their agent where it names none, as others mean the default one', async () => {
    const ann = await running.client(['operator.admin'], WORK);
    const hello = ann.frames.find((frame): frame is Answer => frame.type === 'res');
    expect(hello?.payload).toMatchObject({ snapshot: { sessionDefaults: { defaultAgentId: 'office', mainSessionKey: 'agent:office:main' } } });
    expect((await ann.request('agents.list')).payload).toMatchObject({ defaultId: 'office' });
    expect((await ann.request('health')).payload).toMatchObject({ defaultAgentId: 'office', agents: [{ agentId: 'office', isDefault: true }] });
    expect((await ann.request('sessions.describe', { key: 'main' })).payload).toMatchObject({ session: { key: 'agent:office:main' } });
    expect((await ann.request('chat.history', { sessionKey: 'main' })).payload).toMatchObject({ sessionId: ID(2) });
    expect((await ann.request('sessions.resolve', { sessionId: ID(2) })).payload).toMatchObject({ key: 'agent:office:main' });
    expect((await ann.request('sessions.create', {})).payload).toMatchObject({ key: expect.stringMatching(/^agent:office:dashboard:/) as string });
    expect((await ann.request('agent', { message: 'hello', idempotencyKey: 'r1' })).payload).toMatchObject({ sessionKey: 'agent:office:main' });
    const tool = (await ann.request('tools.invoke', { name: 'session_status', args: {} })).payload;
    expect(JSON.stringify(tool)).toContain('agent:office:main');
    expect((await ann.request('sessions.messages.subscribe', { key: 'main' })).payload).toEqual({ subscribed: true, key: 'agent:office:main' });
    expect((await get('/sessions/main/history', WORK)).status).toBe(200);
    // Whoever sees all keeps the configured one.
    const bob = await running.client(['operator.read'], BOTH);
    expect((await bob.request('sessions.describe', { key: 'main' })).payload).toMatchObject({ session: { key: 'agent:main:main' } });
  });

  it('reaches nothing beyond them by what it writes into an entry', async () => {
    const [ann, admin] = [await running.client(['operator.admin'], WORK), await running.client()];
    const key = 'agent:office:subagent:one';
    for (const patch of [{ spawnedWorkspaceDir: '/state/agents/main/sessions' }, { spawnedCwd: '/etc' }, { spawnedBy: 'agent:main:main' }]) {
      expect([patch, (await ann.request('sessions.patch', { key, ...patch })).error]).toMatchObject([patch, { message: 'forbidden', details: { reason: 'NOT_VISIBLE' } }]);
      expect([patch, (await admin.request('sessions.patch', { key, ...patch })).ok]).toEqual([patch, true]);
    }
    expect((await ann.request('sessions.patch', { key: 'agent:office:subagent:two', spawnedBy: 'agent:office:main', spawnedCwd: null })).ok).toBe(true);
  });

  it('is not told that a session of another agent was erased', async () => {
    const ann = await running.client(['operator.admin'], WORK);
    for (const key of ['agent:main:main', 'agent:ghost:main']) expect((await ann.request('sessions.erase', { key, confirm: true })).error).toMatchObject({ message: 'forbidden', details: { reason: 'NOT_VISIBLE' } });
  });

  it('is named no other agent for a spawn', async () => {
    const open = await startRouter({ ...CONFIG, agents: { ...CONFIG.agents, defaults: { subagents: { allowAgents: ['*'] } } } });
    try {
      const namedTo = async (token: string): Promise<unknown> => {
        const client = await open.client(['operator.admin'], token);
        const { payload } = await client.request('tools.invoke', { name: 'agents_list', args: {}, sessionKey: 'agent:office:main' });
        return (payload as unknown as { output: { details: { agents: { id: string }[] } } }).output.details.agents.map(({ id }) => id);
      };
      expect(await namedTo(WORK)).toEqual(['office']);
      expect(await namedTo(TOKEN)).toEqual(['main', 'office']);
    } finally {
      await open.stop();
    }
  });

  it('is named no session of another agent by theirs, at any door', async () => {
    const key = 'agent:office:subagent:two';
    const links = { spawnedBy: 'agent:main:main', parentSessionKey: 'agent:main:main', openRuns: [{ interSession: { sourceSessionKey: 'agent:main:main' } }], childClaims: { 'agent:main:subagent:x': 1 }, pluginNote: 'agent:office:main' };
    running.stores.put('office', key, { sessionId: ID(3), updatedAt: 3, ...links }, [{ role: 'user', text: 'one' }]);
    const [ann, bob, admin] = [await running.client(['operator.admin'], WORK), await running.client(['operator.read'], BOTH), await running.client()];
    const stream = await get(`/sessions/${key}/history?follow=1`, WORK);
    for (const client of [ann, bob, admin]) await client.request('sessions.subscribe');
    const asked = [
      ['sessions.list', { agentId: 'office' }], ['sessions.describe', { key }], ['sessions.get', { key }], ['tools.invoke', { tool: 'sessions_list', args: {}, sessionKey: 'agent:office:main' }],
      ['sessions.patch', { key, label: 'L' }], ['sessions.create', { key }], ['chat.send', { sessionKey: key, message: 'two', idempotencyKey: 'two' }],
    ] as const;
    for (const [method, params] of asked) expect([method, JSON.stringify(await ann.request(method, params))]).toEqual([method, expect.not.stringContaining('agent:main:')]);
    const { payload } = await ann.request('sessions.describe', { key });
    expect(JSON.stringify(payload)).not.toContain('agent:main:');
    for (const client of [bob, admin]) expect(JSON.stringify(await client.request('sessions.describe', { key }))).toContain('"spawnedBy":"agent:main:main"');
    expect(await ann.request('sessions.list', { agentId: 'office', spawnedBy: 'agent:main:main' })).toMatchObject({ ok: false, error: { message: 'forbidden' } });
    for (const client of [ann, bob, admin]) await client.until(() => client.events('session.message')[0]);
    const heard = (client: TestClient): string => JSON.stringify(client.frames.filter(({ type }) => type === 'event'));
    expect(heard(ann)).not.toContain('agent:main:');
    for (const client of [bob, admin]) expect(heard(client)).toContain('"spawnedBy":"agent:main:main"');
    let streamed = '';
    for await (const chunk of stream.body ?? []) {
      streamed += Buffer.from(chunk as Uint8Array).toString('utf8');
      if (streamed.includes('event: sessions.changed')) break;
    }
    expect(streamed).not.toContain('agent:main:');
  });

  it('hears of their sessions only', async () => {
    const ann = await running.client(['operator.admin'], WORK);
    const admin = await running.client();
    for (const client of [ann, admin]) await client.request('sessions.subscribe');
    await admin.request('chat.send', { sessionKey: 'agent:main:main', message: 'for main', idempotencyKey: 'a' });
    await admin.request('chat.send', { sessionKey: 'agent:office:main', message: 'for office', idempotencyKey: 'b' });
    await ann.until(() => ann.events('session.message')[0]);
    await admin.until(() => (admin.events('session.message').length === 2 ? true : undefined));
    // The hello names the default session, which is the configuration's.
    expect(JSON.stringify(ann.frames.filter(({ type }) => type === 'event'))).not.toContain('agent:main:main');
    expect(ann.events('chat')).toHaveLength(1);
  });

  it('cannot ask the restriction away', async () => {
    const ann = await running.client(['operator.admin', 'agent:main', 'agent:office'], WORK);
    expect((await ann.request('sessions.get', { key: 'agent:main:main' })).error.message).toBe('forbidden');
    expect((await get('/sessions/agent:main:main/history', WORK, { 'x-openclaw-scopes': 'operator.read,agent:main' })).status).toBe(403);
  });

  it('holds no more scopes than its token', async () => {
    const bob = await running.client(['operator.admin', 'operator.read'], BOTH);
    expect((await bob.request('sessions.list')).ok).toBe(true);
    expect((await bob.request('sessions.delete', { key: 'x' })).error.message).toBe('missing scope: operator.admin');
  });
});

function pair(on: Pick<RunningRouter, 'wsUrl'> = running) {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  const id = createHash('sha256').update(raw).digest('hex');
  const connect = async (auth: Record<string, string>, scopes: readonly string[]): Promise<{ client: TestClient; answer: Answer }> => {
    const client = await TestClient.open(on.wsUrl);
    const unsigned: Device = { id, publicKey: raw.toString('base64url'), signature: '', signedAt: Date.now(), nonce: client.nonce };
    const claim = { clientId: 'gateway-client', clientMode: 'backend', role: 'operator', scopes, token: auth.token ?? auth.deviceToken, platform: 'linux', deviceFamily: undefined };
    const signature = sign(null, Buffer.from(signedTexts(unsigned, claim)[0] ?? ''), privateKey).toString('base64url');
    return { client, answer: await client.request('connect', connectParams({ scopes, auth, device: { ...unsigned, signature } })) };
  };
  return Object.assign(connect, { id });
}

describe('a paired device', () => {
  it('comes again without the secret, with no more than it was paired for', async () => {
    const connect = pair();
    const { answer, client } = await connect({ token: TOKEN }, ['operator.read']);
    const { deviceToken, scopes } = answer.payload.auth as unknown as { deviceToken: string; scopes: string[] };
    expect(scopes).toEqual(['operator.read']);
    const again = await connect({ deviceToken }, ['operator.read']);
    expect(again.answer.ok).toBe(true);
    expect((await again.client.request('sessions.list')).ok).toBe(true);
    const upgrade = await connect({ deviceToken }, ['operator.read', 'operator.admin']);
    expect(upgrade.answer.error).toMatchObject({ code: 'NOT_PAIRED', details: { code: 'PAIRING_REQUIRED', reason: 'scope-upgrade', approvedScopes: ['operator.read'] } });
    expect(await upgrade.client.whenClosed()).toMatchObject({ code: 1008 });
    const stranger = await pair()({ deviceToken }, ['operator.read']);
    expect(stranger.answer.ok).toBe(false);
    const forged = await connect({ deviceToken: `${deviceToken.slice(0, -2)}AA` }, ['operator.read']);
    expect(forged.answer.ok).toBe(false);
    for (const open of [client, again.client, upgrade.client, stranger.client, forged.client]) open.close();
  });

  it('stays restricted as the user that paired it', async () => {
    const connect = pair();
    const { answer, client } = await connect({ token: WORK }, ['operator.read']);
    const { deviceToken } = answer.payload.auth as unknown as { deviceToken: string };
    const again = await connect({ deviceToken }, ['operator.read']);
    expect((await again.client.request('sessions.get', { key: 'agent:main:main' })).error.message).toBe('forbidden');
    for (const open of [client, again.client]) open.close();
  });

  it('keeps a restriction that it asked for itself', async () => {
    const connect = pair();
    const { answer, client } = await connect({ token: TOKEN }, ['operator.read', 'agent:office']);
    const { deviceToken } = answer.payload.auth as unknown as { deviceToken: string };
    const again = await connect({ deviceToken }, ['operator.read']);
    expect((await again.client.request('sessions.get', { key: 'agent:main:main' })).error.message).toBe('forbidden');
    expect((await again.client.request('sessions.get', { key: 'agent:office:main' })).ok).toBe(true);
    for (const open of [client, again.client]) open.close();
  });
});

describe('a gateway without a shared secret', () => {
  const ann = { name: 'ann', token: WORK, scopes: ['operator.admin'], agents: ['office'] };
  const PROXY = { auth: { mode: 'trusted-proxy', trustedProxy: { userHeader: 'x-user' } }, trustedProxies: ['192.0.2.1'] };
  /** Signed with what anybody can know of it. */
  const forgedFor = (deviceId: string, key: string): string => {
    const body = Buffer.from(JSON.stringify({ d: deviceId, s: ['operator.admin'], i: Date.now() })).toString('base64url');
    return `dt1.${body}.${createHmac('sha256', key).update(body).digest('base64url')}`;
  };

  it.each([['users only', { auth: { tokens: [ann] } }], ['a trusted proxy', PROXY]])('takes no pairing that somebody made himself: %s', async (_name, gateway) => {
    const open = await startRouter({ ...CONFIG, gateway }, { auth: {} });
    try {
      const connect = pair(open);
      const forged = await connect({ deviceToken: forgedFor(connect.id, 'device-token\n\n\n') }, ['operator.admin']);
      expect(forged.answer.ok).toBe(false);
      forged.client.close();
    } finally {
      await open.stop();
    }
  });

  it('tells users apart that are named alike', async () => {
    const other = { ...ann, token: BOTH, scopes: ['operator.read'], agents: ['main'] };
    const open = await startRouter({ ...CONFIG, gateway: { auth: { tokens: [ann, other] } } }, { auth: {} });
    try {
      const connect = pair(open);
      const { answer, client } = await connect({ token: BOTH }, ['operator.read']);
      const { deviceToken } = answer.payload.auth as unknown as { deviceToken: string };
      const again = await connect({ deviceToken }, ['operator.read']);
      expect((await again.client.request('sessions.get', { key: 'agent:office:main' })).error.message).toBe('forbidden');
      for (const each of [client, again.client]) each.close();
    } finally {
      await open.stop();
    }
  });
});

describe('a gateway that asked for secrets when it began', () => {
  const sessions = (url: string): Promise<Response> => fetch(`${url}/sessions/agent:main:main/history`);

  it('goes on to ask when the configuration names none any more', async () => {
    let config = configOf(CONFIG);
    const open = await startRouter(CONFIG, { auth: {}, config: () => config });
    try {
      expect((await sessions(open.url)).status).toBe(401);
      config = configOf({ agents: CONFIG.agents });
      expect((await sessions(open.url)).status).toBe(401);
      await expect(open.client()).rejects.toThrow('unauthorized');
    } finally {
      await open.stop();
    }
  });

  it('lets nobody in where no secret has a value', async () => {
    const closed = await startRouter({ gateway: { auth: { tokens: [{ name: 'ann', token: '${NOT_SET}' }] } } }, { auth: {} });
    try {
      expect((await sessions(closed.url)).status).toBe(401);
    } finally {
      await closed.stop();
    }
  });
});

describe('a user whose rights change while it is connected', () => {
  const without = { ...CONFIG, gateway: { auth: { tokens: [CONFIG.gateway.auth.tokens[1]] } } };
  const elsewhere = { ...CONFIG, gateway: { auth: { tokens: [{ ...CONFIG.gateway.auth.tokens[0], agents: ['main'] }, CONFIG.gateway.auth.tokens[1]] } } };

  it.each([['was taken out', without], ['sees other agents', elsewhere]])('is told to come again when it %s; others stay', async (_name, changed) => {
    let config = configOf(CONFIG);
    const open = await startRouter(CONFIG, { config: () => config });
    open.stores.put('office', 'agent:office:main', { sessionId: ID(2), updatedAt: 2 }, [{ role: 'user', text: 'office' }]);
    try {
      const [idle, busy, bob, admin] = [await open.client(['operator.admin'], WORK), await open.client(['operator.admin'], WORK), await open.client(['operator.read'], BOTH), await open.client()];
      const stream = await fetch(`${open.url}/sessions/agent:office:main/history?follow=1`, { headers: { authorization: `Bearer ${WORK}` } });
      config = configOf(changed);
      busy.send(JSON.stringify({ type: 'req', id: '77', method: 'sessions.get', params: { key: 'agent:office:main' } }));
      for (const gone of [idle, busy]) expect(await gone.whenClosed()).toMatchObject({ code: 1012, reason: 'service restart' });
      expect(JSON.stringify(busy.frames)).not.toContain('"id":"77"');
      await admin.request('chat.send', { sessionKey: 'agent:office:main', message: 'said afterwards', idempotencyKey: 'after' });
      expect(await stream.text()).not.toContain('said afterwards');
      expect((await bob.request('sessions.list')).ok).toBe(true);
    } finally {
      await open.stop();
    }
  });
});

describe('wrong secrets', () => {
  it('are refused without being judged once there were too many, on every door', async () => {
    for (let tries = 0; tries < FAILURES_MAX; tries += 1) expect((await get('/metrics', 'wrong')).status).toBe(401);
    expect((await get('/metrics', TOKEN)).status).toBe(429);
    const client = await TestClient.open(running.wsUrl);
    const refused = await client.request('connect', connectParams());
    expect(refused.error).toMatchObject({ details: { code: 'AUTH_RATE_LIMITED' } });
    expect(await client.whenClosed()).toMatchObject({ code: 1008 });
  });

  it('leave lines that hold no secret and no content', async () => {
    await get('/sessions/agent:main:a-secret-key/history', 'a-wrong-token');
    const client = await TestClient.open(running.wsUrl);
    await client.request('connect', connectParams({ auth: { token: 'a-wrong-token' } }));
    client.close();
    const bob = await running.client(['operator.read'], BOTH);
    await bob.request('sessions.delete', { key: 'a-secret-key' });
    await bob.request('a-secret-method', { key: 'a-secret-key' });
    const lines = logged.lines.filter(({ msg }) => msg === 'access was refused');
    expect(lines.map(({ door, operation, reason }) => [door, operation, reason])).toEqual([
      ['http', 'GET /sessions/{sessionKey}/history', 'UNAUTHENTICATED'],
      ['websocket', 'connect', 'AUTH_TOKEN_MISMATCH'],
      ['websocket', 'sessions.delete', 'SCOPE_MISSING'],
      ['websocket', 'other', 'SCOPE_MISSING'],
    ]);
    expect(JSON.stringify(logged.lines)).not.toMatch(/a-wrong-token|a-secret|token-of/);
  });

  it('make a bounded number of lines', () => {
    const flood = createRecordingLogger();
    let nowMs = 0;
    const metrics = { counter: () => ({ inc: () => undefined }) } as unknown as Parameters<typeof createAudit>[0]['metrics'];
    const audit = createAudit({ clock: { monotonicMs: () => nowMs }, logger: flood, metrics });
    const refusal = { door: 'http' as const, operation: 'other', reason: 'UNAUTHENTICATED', address: '127.0.0.1' };
    for (let times = 0; times < 1000; times += 1) audit(refusal);
    expect(flood.lines).toHaveLength(LINES_PER_SECOND_MAX);
    nowMs = 1_000;
    audit(refusal);
    expect(flood.lines.at(-1)).toMatchObject({ count: 1000 - LINES_PER_SECOND_MAX });
  });
});

describe('a trusted proxy', () => {
  it('vouches for the users it names, from its own address only, with the scopes it passes on', async () => {
    const gateway = { auth: { mode: 'trusted-proxy' }, trustedProxies: ['127.0.0.1'] };
    const own = await startRouter({ gateway }, { auth: {} });
    const status = async (path: string, headers: Record<string, string>): Promise<number> => (await fetch(own.url + path, { headers })).status;
    expect(await status('/metrics', {})).toBe(401);
    expect(await status('/metrics', { 'x-forwarded-user': 'ann' })).toBe(403);
    expect(await status('/metrics', { 'x-forwarded-user': 'ann', 'x-openclaw-scopes': 'operator.read' })).toBe(200);
    // The proxy knows a visitor by a cookie, which a browser sends for pages of other sites too.
    const page = { 'x-forwarded-user': 'ann', 'x-openclaw-scopes': 'operator.read' };
    expect(await status('/metrics', { ...page, origin: 'https://evil.example' })).toBe(401);
    expect(await status('/metrics', { ...page, origin: own.url })).toBe(200);
    const connect = async (origin: string): Promise<boolean> => {
      const client = await TestClient.open(own.wsUrl, { ...page, origin });
      const { ok } = await client.request('connect', connectParams({ auth: undefined, scopes: ['operator.read'] }));
      client.close();
      return ok;
    };
    expect([await connect('https://evil.example'), await connect(own.url)]).toEqual([false, true]);
    await own.stop();
    const elsewhere = await startRouter({ gateway: { ...gateway, trustedProxies: ['10.0.0.1'] } }, { auth: {} });
    expect((await fetch(`${elsewhere.url}/metrics`, { headers: { 'x-forwarded-user': 'ann', 'x-openclaw-scopes': 'operator.read' } })).status).toBe(401);
    await elsewhere.stop();
  });
});
