/** One store behind every door: the same message, the same list and the same keys, whichever way they come. */
import { CompactSessionRequest, DeleteSessionRequest, DescribeSessionRequest, Envelope, ListSessionsRequest, ResetSessionRequest, SendMessageRequest, SessionRow, SubmitMessageRequest } from '@sessions/contracts';
import type { ListSessionsResponse, SubmitMessageResponse } from '@sessions/contracts';
import { cpSync, mkdirSync, readFileSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import JSON5 from 'json5';
import { runCommand } from './support/command';
import { openGrpc } from './support/grpc-client';
import type { GrpcClient } from './support/grpc-client';
import type { Gateway } from './support/gateway';
import { TOKEN, configWith, sessionsDir, useScene, writeFile } from './support/scene';
import { readTree } from './support/tree';

const scene = useScene();

async function withGrpc(stateDir: string): Promise<{ gateway: Gateway; grpc: GrpcClient }> {
  const gateway = await scene.gateway(stateDir, { args: ['--grpc-port', '0', '--token', TOKEN] });
  const grpc = openGrpc(gateway);
  scene.onEnd(() => grpc.close());
  return { gateway, grpc };
}

const submit = (grpc: GrpcClient, members: Partial<Envelope>): Promise<SubmitMessageResponse> =>
  grpc.call('submitMessage', SubmitMessageRequest.create({ envelope: Envelope.create(members) }));

type Rows = readonly { readonly key: string }[];
const keysOf = (rows: Rows): string[] => rows.map(({ key }) => key);

async function cliKeys(stateDir: string, ...args: string[]): Promise<string[]> {
  const answer = await runCommand(stateDir, ['sessions', '--json', '--limit', 'all', ...args]);
  expect(answer).toMatchObject({ exitCode: 0, stderr: '' });
  return keysOf((JSON.parse(answer.stdout) as { sessions: Rows }).sessions);
}

async function grpcKeys(grpc: GrpcClient, request: Partial<ListSessionsRequest> = {}): Promise<string[]> {
  const { encodedRows } = await grpc.call<ListSessionsResponse>('listSessions', ListSessionsRequest.create({ limit: 1000, includeGlobal: true, includeUnknown: true, ...request }));
  return encodedRows.map((row) => SessionRow.decode(row).key);
}

async function socketKeys(gateway: Gateway, params: Record<string, unknown> = {}): Promise<string[]> {
  const socket = await scene.socket(gateway);
  const { sessions } = await socket.call('sessions.list', { limit: 1000, includeGlobal: true, includeUnknown: true, ...params });
  return keysOf(sessions as Rows);
}

describe('one message', () => {
  it('is kept once, whichever doors it comes through', async () => {
    const stateDir = scene.stateDir(configWith({ session: { dmScope: 'per-channel-peer' } }));
    const { gateway, grpc } = await withGrpc(stateDir);
    const sender = { id: '5', name: undefined, username: undefined, authority: undefined };
    const http = { channel: 'telegram', messageId: '1', chatType: 'direct', sender: { id: '5' }, text: 'hello' };
    const first = await gateway.send(http);
    expect(first).toMatchObject({ status: 202, json: { status: 'accepted' } });
    expect(await gateway.send(http)).toMatchObject({ status: 200, json: { status: 'duplicate', sessionId: first?.json?.['sessionId'] } });
    const byGrpc = { channel: 'telegram', chatType: 'direct', sender, text: 'hello' };
    expect(await submit(grpc, { ...byGrpc, messageId: '1' })).toMatchObject({ status: 'duplicate', sessionId: first?.json?.['sessionId'] });
    expect(await submit(grpc, { ...byGrpc, messageId: '2' })).toMatchObject({ status: 'accepted', sessionKey: 'agent:main:telegram:direct:5' });
    expect(await gateway.send({ ...http, messageId: '2' })).toMatchObject({ status: 200, json: { status: 'duplicate' } });
    // Both doors at the same moment: one of them is first.
    const [a, b] = await Promise.all([gateway.send({ ...http, messageId: '3' }), submit(grpc, { ...byGrpc, messageId: '3' })]);
    expect([a?.json?.['status'], b.status].sort()).toEqual(['accepted', 'duplicate']);
    await expect(submit(grpc, { ...byGrpc, messageId: '1', text: 'another text' })).rejects.toMatchObject({ code: 6 });
    const { totalCount } = JSON.parse((await runCommand(stateDir, ['sessions', 'history', 'agent:main:telegram:direct:5', '--json'])).stdout) as { totalCount: number };
    expect(totalCount).toBe(3);
  });

  it('is refused over gRPC without the token', async () => {
    const { gateway } = await withGrpc(scene.stateDir(configWith()));
    const stranger = openGrpc({ grpc: gateway.grpc, token: 'wrong' });
    scene.onEnd(() => stranger.close());
    await expect(stranger.call('listSessions', ListSessionsRequest.create({}))).rejects.toMatchObject({ code: 16 });
  });
});

/** Clients of the gateway are shown a key of an older release under its agent. */
const shown = (keys: readonly string[]): string[] => keys.map((key) => (/^(agent:|global$|unknown$)/u.test(key) ? key : `agent:main:${key}`));

describe('one list', () => {
  it('has the same keys in the same order through every door', async () => {
    const stateDir = scene.fixture('full');
    const offline = await cliKeys(stateDir);
    const { gateway, grpc } = await withGrpc(stateDir);
    // Clients of the gateway are never shown the runs of cron jobs.
    const withoutRuns = offline.filter((key) => !/:cron:[^:]+:run:/u.test(key));
    expect(withoutRuns.length).toBeGreaterThan(10);
    expect(await grpcKeys(grpc, { agentId: 'main' })).toEqual(withoutRuns);
    expect(await socketKeys(gateway, { agentId: 'main' })).toEqual(shown(withoutRuns));
    expect(await cliKeys(stateDir)).toEqual(offline);

    const all = await cliKeys(stateDir, '--all-agents');
    const configured = await grpcKeys(grpc, { allAgents: true });
    expect([...configured].sort()).toEqual([...new Set(all.filter((key) => !/:cron:[^:]+:run:/u.test(key)))].sort());
    expect(await socketKeys(gateway, { configuredAgentsOnly: true })).toEqual(shown(configured));
  });
});

describe('agents', () => {
  it('are those of the configuration, and on request those whose store is on the disk', async () => {
    const stateDir = scene.fixture('full');
    const { gateway, grpc } = await withGrpc(stateDir);
    const onDisk = (keys: readonly string[]): boolean => keys.some((key) => key.startsWith('agent:unlisted:'));
    expect(onDisk(await socketKeys(gateway))).toBe(true);
    expect(onDisk(await socketKeys(gateway, { configuredAgentsOnly: true }))).toBe(false);
    expect(onDisk(await grpcKeys(grpc, { allAgents: true, discover: true }))).toBe(true);
    expect(onDisk(await grpcKeys(grpc, { allAgents: true }))).toBe(false);
    expect(onDisk(await cliKeys(stateDir, '--all-agents'))).toBe(false);
    expect((await runCommand(stateDir, ['sessions', '--agent', 'unlisted'])).exitCode).toBe(1);
    expect(await gateway.send({ channel: 'telegram', messageId: '1', chatType: 'direct', sender: { id: '5' }, text: 'x', agentId: 'nobody' })).toMatchObject({ status: 404 });
  });

  it('are not followed out of the state directory, nor through links', async () => {
    const stateDir = scene.fixture('full');
    const outside = scene.stateDir();
    const agents = join(stateDir, 'agents');
    const store = (id: string): string => JSON.stringify({ [`agent:${id}:secret`]: { sessionId: `0190bbbb-0000-7000-8000-00000000000${id.length}`, updatedAt: 1_780_300_000_000 } });
    // A linked agent, a linked sessions directory, a linked file, a name that is no agent id, a directory for a file.
    writeFile(join(outside, 'whole', 'sessions', 'sessions.json'), store('whole'));
    symlinkSync(join(outside, 'whole'), join(agents, 'whole'));
    writeFile(join(outside, 'part', 'sessions.json'), store('part'));
    mkdirSync(join(agents, 'part'));
    symlinkSync(join(outside, 'part'), join(agents, 'part', 'sessions'));
    writeFile(join(outside, 'file.json'), store('file'));
    mkdirSync(join(agents, 'linkedfile', 'sessions'), { recursive: true });
    symlinkSync(join(outside, 'file.json'), join(agents, 'linkedfile', 'sessions', 'sessions.json'));
    mkdirSync(join(agents, 'dirfile', 'sessions', 'sessions.json'), { recursive: true });
    writeFile(join(agents, 'Not An Id!', 'sessions', 'sessions.json'), store('x'));
    const before = readTree(outside);
    const { gateway, grpc } = await withGrpc(stateDir);
    for (const keys of [await socketKeys(gateway), await grpcKeys(grpc, { allAgents: true, discover: true })]) {
      expect(keys.filter((key) => key.endsWith(':secret'))).toEqual([]);
      expect(keys).toContain('agent:unlisted:main');
    }
    // Nothing of ours was made out there.
    expect(await gateway.stop()).toBe(0);
    expect(readTree(outside)).toEqual(before);
  });

  it('bring their disk-only store into a list as soon as it stands there', async () => {
    const stateDir = scene.fixture('full');
    const { gateway } = await withGrpc(stateDir);
    await socketKeys(gateway);
    // Made elsewhere, then moved into place: no half of it is ever seen.
    const draft = join(scene.stateDir(), 'late');
    cpSync(join(stateDir, 'agents', 'work', 'sessions', 'sessions.json'), join(draft, 'sessions', 'sessions.json'));
    writeFile(join(draft, 'sessions', 'sessions.json'), '{"agent:late:main":{"sessionId":"0190cccc-0000-7000-8000-000000000001","updatedAt":1780300000000}}');
    renameSync(draft, join(stateDir, 'agents', 'late'));
    let keys = await socketKeys(gateway, { agentId: 'late' });
    expect(keys).toEqual(['agent:late:main']);
    keys = await socketKeys(gateway);
    expect(keys).toContain('agent:late:main');
  });
});

describe('one change', () => {
  it('is made or refused alike through every door', async () => {
    const { gateway, grpc } = await withGrpc(scene.stateDir(configWith()));
    const socket = await scene.socket(gateway);
    await socket.call('sessions.create', { key: 'a' });
    await socket.call('sessions.create', { key: 'b' });
    // A method that its owner does not serve yet is unavailable on all doors, with the reason.
    const changes: readonly (readonly [method: string, rpc: string, toRequest: (key: string) => unknown])[] = [
      ['sessions.compact', 'compactSession', (key) => CompactSessionRequest.create({ key, maxLines: 1 })],
      ['sessions.reset', 'resetSession', (key) => ResetSessionRequest.create({ key })],
      ['sessions.delete', 'deleteSession', (key) => DeleteSessionRequest.create({ key })],
    ];
    for (const [method, rpc, toRequest] of changes) {
      const bySocket = await socket.request(method, { key: 'a', ...(method === 'sessions.compact' && { maxLines: 1 }) });
      const byGrpc = await grpc.call(rpc, toRequest('b')).then(() => 0, (error: { code: number }) => error.code);
      expect([method, bySocket.ok ? 0 : bySocket.error?.code, byGrpc]).toEqual([method, ...(bySocket.ok ? [0, 0] : ['UNAVAILABLE', 12])]);
    }
    // The main session stays, and what nobody has is not found, whoever serves it.
    expect((await socket.request('sessions.delete', { key: 'main' })).error?.message).toBe('Cannot delete the main session (agent:main:main).');
    await expect(grpc.call('deleteSession', DeleteSessionRequest.create({ key: 'main' }))).rejects.toMatchObject({ code: 9 });
    expect((await socket.request('sessions.compact', { key: 'nope' })).error?.message).toBe('No session found: nope');
    expect((await socket.request('sessions.send', { key: 'nope', message: 'x' })).error?.message).toBe('session not found: nope');
    expect(await gateway.http('/sessions/nope/kill', { method: 'POST' })).toMatchObject({ status: 404, json: { error: { message: 'Session not found: agent:main:nope' } } });
    // What is sent stays, though nothing runs.
    await socket.call('sessions.create', { key: 'c' });
    expect(await socket.call('sessions.send', { key: 'c', message: 'hello', idempotencyKey: 's-1' })).toMatchObject({ runId: 's-1', status: 'started', messageSeq: 1 });
    expect(await socket.call('chat.inject', { sessionKey: 'c', message: 'noted' })).toMatchObject({ ok: true });
    expect(await gateway.http('/sessions/c/history')).toMatchObject({ status: 200, json: { items: [{ role: 'user' }, { role: 'assistant' }] } });
    expect(await gateway.http('/openapi.json', { token: null })).toMatchObject({ status: 200, json: { openapi: '3.1.0' } });
  });
});

describe('one user', () => {
  it('sees what is theirs through every door, and nothing else', async () => {
    const token = 'a-token-of-the-tests-for-ann';
    const stateDir = scene.fixture('full');
    const file = join(stateDir, 'openclaw.json');
    const config = JSON5.parse<{ gateway?: { auth?: object } }>(readFileSync(file, 'utf8'));
    const auth = { ...config.gateway?.auth, tokens: [{ name: 'ann', token, scopes: ['operator.write'], agents: ['work'] }] };
    writeFile(file, JSON.stringify({ ...config, gateway: { ...config.gateway, auth } }));
    const { gateway } = await withGrpc(stateDir);
    const ann = openGrpc({ grpc: gateway.grpc, token });
    scene.onEnd(() => ann.close());
    const keys = await grpcKeys(ann, { allAgents: true, discover: true });
    expect(keys.length).toBeGreaterThan(0);
    const { encodedRows } = await ann.call<ListSessionsResponse>('listSessions', ListSessionsRequest.create({ limit: 1000, allAgents: true, discover: true }));
    expect(new Set(encodedRows.map((row) => SessionRow.decode(row).agentId))).toEqual(new Set(['work']));
    await expect(ann.call('describeSession', DescribeSessionRequest.create({ key: 'agent:main:main' }))).rejects.toMatchObject({ code: 7 });
    await expect(ann.call('deleteSession', DeleteSessionRequest.create({ key: 'agent:work:main' }))).rejects.toMatchObject({ code: 7 });
    expect(await gateway.http('/sessions/agent:main:main/history', { token })).toMatchObject({ status: 403 });
    expect(await gateway.http('/sessions/agent:work:main/kill', { method: 'POST', token })).toMatchObject({ status: 403 });
    expect(await gateway.send({ channel: 'telegram', messageId: '1', chatType: 'direct', sender: { id: '5' }, text: 'x' })).toMatchObject({ status: 202 });
    expect(await gateway.http('/v1/messages', { method: 'POST', token, body: JSON.stringify({ channel: 'telegram', messageId: '2', chatType: 'direct', sender: { id: '5' }, text: 'x' }) })).toMatchObject({ status: 403 });
    expect(gateway.printed()).not.toContain(token);
  });

  it('changes a session by no message that may not change it by a method', async () => {
    const [token, adapter] = ['a-token-of-the-tests-to-write', 'a-token-of-the-tests-for-an-adapter'];
    const tokens = [{ name: 'writer', token, scopes: ['operator.write'] }, { name: 'adapter', token: adapter, scopes: ['operator.write', 'operator.adapter'] }];
    const stateDir = scene.stateDir(configWith({ session: { dmScope: 'per-channel-peer' }, gateway: { auth: { tokens } } }));
    const { gateway } = await withGrpc(stateDir);
    const key = 'agent:main:telegram:direct:5';
    const say = (text: string, messageId: string, as: string) =>
      gateway.http('/v1/messages', { method: 'POST', token: as, body: JSON.stringify({ channel: 'telegram', messageId, chatType: 'direct', sender: { id: '5', authority: 'owner' }, text }) });
    const { json } = await say('hello', '1', token);
    expect(await say('/reset', '2', token)).toMatchObject({ status: 200, json: { status: 'ignored', ignoredReason: 'unauthorised_command' } });
    expect(await say('/send off', '3', token)).toMatchObject({ status: 200, json: { status: 'ignored' } });
    const writer = openGrpc({ grpc: gateway.grpc, token });
    scene.onEnd(() => writer.close());
    await expect(writer.call('sendMessage', SendMessageRequest.create({ key, message: '/reset' }))).rejects.toMatchObject({ code: 7 });
    expect(await say('/send off', '4', adapter)).toMatchObject({ status: 200, json: { status: 'handled', reply: 'Send policy: deny.' } });
    const socket = await scene.socket(gateway);
    const described = await socket.call('sessions.describe', { key });
    expect(described).toMatchObject({ session: { sessionId: json?.['sessionId'] } });
    expect(await say('/reset', '5', adapter)).toMatchObject({ status: 200, json: { status: 'handled', reply: 'Session reset.' } });
  });
});

/** Keys of one configuration: what is sent, and where it has to go. */
interface Origin {
  readonly what: string;
  readonly envelope: Readonly<Record<string, unknown>>;
  readonly key: string | RegExp;
}

const DM_KEYS: Readonly<Record<string, readonly [plain: string, account: string, linked: string]>> = {
  main: ['agent:main:main', 'agent:main:main', 'agent:main:main'],
  'per-peer': ['agent:main:direct:123', 'agent:main:direct:123', 'agent:main:direct:alice'],
  'per-channel-peer': ['agent:main:telegram:direct:123', 'agent:main:telegram:direct:123', 'agent:main:telegram:direct:alice'],
  'per-account-channel-peer': ['agent:main:telegram:default:direct:123', 'agent:main:telegram:work-bot:direct:123', 'agent:main:telegram:default:direct:alice'],
};

const dm = { channel: 'telegram', chatType: 'direct', sender: { id: '123', name: 'Ann' }, text: 'Hello' };
const group = { channel: 'telegram', chatType: 'group', sender: { id: '123' }, conversation: { id: '-1001234567890', name: 'Lab' }, mentioned: true, text: 'Status?' };
const room = { channel: 'discord', chatType: 'channel', sender: { id: '88' }, conversation: { id: '9911' }, guildId: '5', mentioned: true, text: 'Deploy?' };

/** Origins whose keys no scope changes. */
const FIXED: readonly Origin[] = [
  { what: 'a group', envelope: group, key: 'agent:main:telegram:group:-1001234567890' },
  { what: 'a topic', envelope: { ...group, threadId: '42' }, key: 'agent:main:telegram:group:-1001234567890:topic:42' },
  { what: 'a room', envelope: room, key: 'agent:main:discord:channel:9911' },
  { what: 'a thread', envelope: { ...room, threadId: '77' }, key: 'agent:main:discord:channel:9911:thread:77' },
  { what: 'a bound room', envelope: { channel: 'slack', accountId: 'Work Bot', chatType: 'channel', sender: { id: 'U7' }, conversation: { id: 'C0AB12' }, teamId: 'T9', mentioned: true, text: 'Help' }, key: 'agent:support:slack:channel:c0ab12' },
  { what: 'a cron job', envelope: { origin: { kind: 'cron' }, cron: { jobId: 'report', name: 'Report', runId: '2026-06-01T04:00Z', target: 'isolated' }, text: 'Write' }, key: 'agent:main:cron:report' },
  { what: 'a cron job in the main session', envelope: { origin: { kind: 'cron' }, cron: { jobId: 'report', runId: 'm', target: 'main' }, text: 'Write' }, key: 'agent:main:main' },
  { what: 'a cron job in a named session', envelope: { origin: { kind: 'cron' }, cron: { jobId: 'report', runId: 'n', target: 'session:lab' }, text: 'Write' }, key: 'agent:main:lab' },
  { what: 'a hook', envelope: { origin: { kind: 'hook' }, hook: { name: 'build' }, text: 'Failed' }, key: /^agent:main:hook:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/u },
  { what: 'a hook with a key', envelope: { origin: { kind: 'hook' }, hook: { name: 'build' }, sessionKey: 'hook:build', idempotencyKey: 'build-8812', text: 'Failed' }, key: 'agent:main:hook:build' },
  { what: 'a node', envelope: { origin: { kind: 'node' }, node: { nodeId: 'kitchen-pi' }, text: 'Door' }, key: 'agent:main:node-kitchen-pi' },
];

describe.each(Object.keys(DM_KEYS))('the keys under dmScope %s', (dmScope) => {
  it('are those of the table, with and without identity links, in the answer and in the store', async () => {
    const [plain, account, linked] = DM_KEYS[dmScope] ?? ['', '', ''];
    const config = {
      agents: { list: [{ id: 'main', default: true }, { id: 'support' }] },
      bindings: [{ match: { channel: 'slack', teamId: 'T9' }, agentId: 'support' }],
      hooks: { enabled: true, token: 'for-hooks', allowRequestSessionKey: true },
      session: { dmScope, identityLinks: { alice: ['telegram:777', 'discord:987'] } },
    };
    const stateDir = scene.stateDir(configWith(config));
    const gateway = await scene.gateway(stateDir);
    const origins: Origin[] = [
      { what: 'a direct message', envelope: dm, key: plain },
      { what: 'its message thread', envelope: { ...dm, threadId: '9' }, key: plain },
      { what: 'another account', envelope: { ...dm, accountId: 'Work Bot' }, key: account },
      { what: 'a linked peer', envelope: { ...dm, sender: { id: '777' } }, key: linked },
      { what: 'the same person elsewhere', envelope: { ...dm, channel: 'discord', sender: { id: '987' } }, key: linked.replace(':telegram:', ':discord:') },
      ...FIXED,
    ];
    const seen = new Map<string, string>();
    for (const [at, { what, envelope, key }] of origins.entries()) {
      const answer = await gateway.send({ ...('channel' in envelope && { messageId: String(at) }), ...envelope });
      expect([what, answer?.status, answer?.json?.['error']]).toEqual([what, 202, undefined]);
      const given = String(answer?.json?.['sessionKey']);
      if (typeof key === 'string') expect([what, given]).toEqual([what, key]);
      else expect(given).toMatch(key);
      seen.set(given, String(answer?.json?.['sessionId']));
    }
    expect(await gateway.stop()).toBe(0);
    const { sessions } = JSON.parse((await runCommand(stateDir, ['sessions', '--all-agents', '--json', '--limit', 'all'])).stdout) as { sessions: { key: string; sessionId: string }[] };
    const stored = new Map(sessions.map(({ key, sessionId }) => [key, sessionId]));
    for (const [key, sessionId] of seen) expect([key, stored.get(key)]).toEqual([key, sessionId]);
    // Beside them only the rows of cron runs.
    expect([...stored.keys()].filter((key) => !seen.has(key) && !key.startsWith('agent:main:cron:report:run:'))).toEqual([]);
    expect(sessionsDir(stateDir, 'support')).toContain('support');
  });
});

describe('a group message that speaks to somebody else', () => {
  it('is ignored in a group that wants to be mentioned, and leaves everything as it was', async () => {
    const key = 'agent:main:telegram:group:-1001234567890';
    const stateDir = scene.stateDir(configWith());
    const gateway = await scene.gateway(stateDir);
    const socket = await scene.socket(gateway);
    expect(await gateway.send({ ...group, messageId: '1' })).toMatchObject({ status: 202 });
    await socket.call('sessions.patch', { key, groupActivation: 'mention' });
    const { session } = await socket.call('sessions.describe', { key });
    expect(await gateway.send({ ...group, mentioned: false, messageId: '2' })).toMatchObject({ status: 200, json: { ok: true, status: 'ignored', ignoredReason: 'not_mentioned' } });
    expect((await socket.call('sessions.describe', { key }))['session']).toEqual(session);
    expect(await gateway.send({ ...group, messageId: '3' })).toMatchObject({ status: 202 });
    expect(((await socket.call('chat.history', { sessionKey: key })) as { messages: unknown[] }).messages).toHaveLength(2);
  });
});
