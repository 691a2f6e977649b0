/**
 * One story on every deployment: all services in one process, and each a process of its own over
 * NATS. The tests of a deployment follow each other; what one has sent, the next one finds. At the
 * end both have given the same answers to the same commands and the same refusals.
 */
import { Envelope, GetHistoryRequest, ListSessionsRequest, SubmitMessageRequest } from '@sessions/contracts';
import type { GetHistoryResponse, SubmitMessageResponse } from '@sessions/contracts';
import { runCommand } from '../support/command';
import type { Answer } from '../support/command';
import { openGrpc } from '../support/grpc-client';
import type { GrpcClient } from '../support/grpc-client';
import { openSocket } from '../support/gateway-socket';
import type { GatewaySocket } from '../support/gateway-socket';
import { useScene } from '../support/scene';
import { comparableOf } from './comparable';
import type { Deployment } from './deployment';
import { SCOPES, messagesUnder, settingsUnder } from './messages';
import { followHistory } from './server-events';
import { createSplit } from './split';
import { createStandalone } from './standalone';
import { grpcView, httpHistory, socketView, textOf, textOfRecord } from './views';
import type { View } from './views';

const DEPLOYMENTS = [['standalone', createStandalone], ['split', createSplit]] as const;
const KEY = 'agent:main:telegram:group:-1001234567890';
const LAST_SCOPE = SCOPES[SCOPES.length - 1] ?? 'main';
/** More than a loaded machine needs for one start of every process. */
const START_MS_MAX = 90_000;

/** Answers by question, of each deployment that has been asked. */
const given = new Map<string, ReadonlyMap<string, string>>();

describe.each(DEPLOYMENTS)('the system, %s', (name, create) => {
  const scene = useScene('all');
  const answers = new Map<string, string>();
  const seen = new Map<string, string>();
  let house: Deployment;
  let sockets: GatewaySocket[];
  let grpcs: GrpcClient[];
  let views: View[];

  const door = (at: number): Deployment['doors'][number] => {
    const found = house.doors[at % house.doors.length];
    if (found === undefined) throw new Error('the deployment has no door');
    return found;
  };
  async function openViews(): Promise<void> {
    sockets = await Promise.all(house.doors.map((one) => scene.socket(one)));
    grpcs = house.doors.map((one) => openGrpc(one));
    for (const grpc of grpcs) scene.onEnd(() => grpc.close());
    views = [...sockets.map((socket, at) => socketView(`WebSocket ${at + 1}`, socket)), ...grpcs.map((grpc, at) => grpcView(`gRPC ${at + 1}`, grpc))];
  }
  const submit = (at: number, members: Partial<Envelope>): Promise<SubmitMessageResponse> => {
    const grpc = grpcs[at % grpcs.length];
    if (grpc === undefined) throw new Error('the deployment has no gRPC');
    return grpc.call('submitMessage', SubmitMessageRequest.create({ envelope: Envelope.create(members) }));
  };

  beforeAll(async () => {
    house = create(scene.stateDir(), settingsUnder(SCOPES[0]));
    scene.onEnd(() => house.kill());
    await house.start();
    await openViews();
  }, START_MS_MAX);

  it('gives every message its session under each dmScope, whichever door it comes through', async () => {
    for (const [place, scope] of SCOPES.entries()) {
      if (place > 0) await house.configure(settingsUnder(scope));
      for (const [at, { message, key }] of messagesUnder(scope).entries()) {
        const answer = await door(at).send(message);
        expect([message, answer?.status, answer?.json?.['sessionKey'] ?? answer?.text]).toEqual([message, 202, key]);
        const sessionId = String(answer?.json?.['sessionId']);
        // One session a key, over scopes and doors; a cron job of its own begins a new one each time.
        if (message['cron'] === undefined) expect([key, seen.get(key) ?? sessionId]).toEqual([key, sessionId]);
        seen.set(key, sessionId);
      }
    }
    expect(house.doors.length).toBe(name === 'split' ? 2 : 1);
  });

  it('lists them alike through every door, newest first', async () => {
    const [first, ...others] = await Promise.all(views.map((view) => view.list()));
    expect(new Map(first?.map(({ key, sessionId }) => [key, sessionId]))).toEqual(seen);
    const times = first?.map(({ updatedAtMs }) => updatedAtMs ?? 0) ?? [];
    expect(times).toEqual([...times].sort((a, b) => b - a));
    for (const other of others) expect(other).toEqual(first);
  });

  it('describes, resolves, previews and reads them alike through every door', async () => {
    const sent = SCOPES.map(() => 'Status?');
    for (const view of views) {
      expect([view.name, await view.describe(KEY)]).toEqual([view.name, expect.objectContaining({ key: KEY, sessionId: seen.get(KEY) })]);
      expect([view.name, await view.describe('agent:main:nobody')]).toEqual([view.name, undefined]);
      expect([view.name, await view.resolve(seen.get(KEY) ?? '')]).toEqual([view.name, KEY]);
      expect([view.name, await view.resolve('0190aaaa-0000-7000-8000-00000000ffff')]).toEqual([view.name, undefined]);
      expect([view.name, await view.preview([KEY, 'nobody'])]).toEqual([view.name, [{ key: KEY, status: 'ok', texts: sent }, { key: 'nobody', status: 'missing', texts: [] }]]);
      expect([view.name, await view.history(KEY)]).toEqual([view.name, sent]);
    }
    for (const one of house.doors) expect(await httpHistory(one, KEY)).toEqual(sent);
    // Every message of the main session, from all its channels, in the order in which they were sent.
    const main = messagesUnder('main').filter(({ key }) => key === 'agent:main:main').map(({ message }) => message['text']);
    for (const view of views) expect(await view.history('main')).toEqual(main);
  });

  it('shows at every door what was changed at any of them', async () => {
    for (const [at, view] of views.entries()) {
      const label = `Lab ${at + 1}`;
      expect(await view.rename(KEY, label)).toBe(label);
      for (const other of views) expect([other.name, (await other.describe(KEY))?.label]).toEqual([other.name, label]);
    }
    // The same name whatever the number of doors was.
    expect(await views[0]?.rename(KEY, 'Lab')).toBe('Lab');
  });

  it('keeps a message once, whichever doors it comes through and when', async () => {
    const sender = { id: '5', name: undefined, username: undefined, authority: undefined };
    const key = 'agent:main:telegram:default:direct:5';
    const http = (id: string) => ({ channel: 'telegram', messageId: id, chatType: 'direct', sender: { id: '5' }, text: `once ${id}` });
    const grpc = (id: string) => ({ channel: 'telegram', messageId: id, chatType: 'direct', sender, text: `once ${id}` });
    const first = await door(0).send(http('1'));
    expect(first).toMatchObject({ status: 202, json: { status: 'accepted', sessionKey: key } });
    const sessionId = first?.json?.['sessionId'];
    expect(await door(1).send(http('1'))).toMatchObject({ status: 200, json: { status: 'duplicate', sessionKey: key, sessionId } });
    expect(await submit(1, grpc('1'))).toMatchObject({ status: 'duplicate', sessionKey: key, sessionId });
    // At the same moment, over every door: one of them is first.
    for (const id of ['2', '3', '4', '5']) {
      const all = await Promise.all([door(0).send(http(id)), door(1).send(http(id)), submit(0, grpc(id)), submit(1, grpc(id))]);
      const statuses = all.map((answer) => (answer !== undefined && 'json' in answer ? answer.json?.['status'] : answer?.status));
      expect(statuses.sort()).toEqual(['accepted', 'duplicate', 'duplicate', 'duplicate']);
    }
    // One id for another text is a mistake, at every door.
    expect(await door(1).send({ ...http('1'), text: 'another' })).toMatchObject({ status: 409, json: { error: { reason: 'IDEMPOTENCY_MISMATCH' } } });
    await expect(submit(0, { ...grpc('1'), text: 'another' })).rejects.toMatchObject({ code: 6 });
    for (const view of views) expect([view.name, await view.history(key)]).toEqual([view.name, ['1', '2', '3', '4', '5'].map((id) => `once ${id}`)]);
    seen.set(key, String(sessionId));
  });

  it('lets a session be followed at one door while it is written at another', async () => {
    const key = 'agent:main:telegram:default:direct:follow';
    const say = (number: number) => door(number).send({ channel: 'telegram', messageId: `f${number}`, chatType: 'direct', sender: { id: 'follow' }, text: `said ${number}` });
    seen.set(key, String((await say(0))?.json?.['sessionId']));
    const readers = await Promise.all(house.doors.map((one) => followHistory(one, key)));
    for (const reader of readers) scene.onEnd(() => reader.leave());
    for (const reader of readers) expect(((await reader.until('history', 1))[0]?.data['items'] as unknown[]).length).toBe(1);
    for (const socket of sockets) expect(await socket.call('sessions.messages.subscribe', { key })).toEqual({ subscribed: true, key });
    const heardOf = (items: readonly GetHistoryResponse[]): string[] => items.flatMap(({ item }) => (item?.$case === 'page' ? item.value.records : item?.$case === 'message' && item.value.record !== undefined ? [item.value.record] : [])).map(textOfRecord).filter((text) => text !== undefined);
    const overGrpc = grpcs.map((grpc) => grpc.stream<GetHistoryResponse>('getHistory', GetHistoryRequest.create({ key, follow: true }), (items) => heardOf(items).length === 5));
    for (let number = 1; number <= 4; number += 1) expect(await say(number)).toMatchObject({ status: 202 });
    const said = [1, 2, 3, 4].map((number) => `said ${number}`);
    for (const socket of sockets) {
      for (const text of said) expect(textOf((await socket.next(({ event }) => event === 'session.message')).payload?.['message'] as Parameters<typeof textOf>[0])).toBe(text);
    }
    for (const reader of readers) {
      await reader.until('message', 4);
      expect(reader.of('message').map(({ data }) => textOf(data['message'] as Parameters<typeof textOf>[0]))).toEqual(said);
    }
    for (const items of await Promise.all(overGrpc)) expect(heardOf(items)).toEqual(['said 0', ...said]);
    for (const socket of sockets) expect(await socket.call('sessions.messages.unsubscribe', { key })).toEqual({ subscribed: false, key });
  });

  it('refuses what is wrong, at every door, and writes nothing for it', async () => {
    const before = await views[0]?.list();
    const message = { channel: 'telegram', messageId: 'bad', chatType: 'direct', sender: { id: '123' }, text: 'bad' };
    const overHttp: readonly (readonly [string, string, Parameters<Deployment['doors'][number]['http']>[1]])[] = [
      ['half a document', '/v1/messages', { method: 'POST', body: '{"channel":' }],
      ['an unknown member', '/v1/messages', { method: 'POST', body: JSON.stringify({ ...message, bogus: 1 }) }],
      ['a prototype', '/v1/messages', { method: 'POST', body: JSON.stringify(message).replace('{', '{"__proto__":{"text":"x"},') }],
      ['NUL in an id', '/v1/messages', { method: 'POST', body: JSON.stringify({ ...message, sender: { id: 'a\0b' } }) }],
      ['an agent that climbs', '/v1/messages', { method: 'POST', body: JSON.stringify({ ...message, agentId: '../../x' }) }],
      ['a key of its own', '/v1/messages', { method: 'POST', body: JSON.stringify({ ...message, sessionKey: 'agent:main:main' }) }],
      ['a text above the bound', '/v1/messages', { method: 'POST', body: JSON.stringify({ ...message, text: 'x'.repeat(256 * 1024 + 1) }) }],
      ['no credentials', '/v1/messages', { method: 'POST', body: JSON.stringify(message), token: null }],
      ['a wrong token', '/v1/messages', { method: 'POST', body: JSON.stringify(message), token: 'wrong' }],
      ['a scope that is not held', '/v1/messages', { method: 'POST', body: JSON.stringify(message), headers: { 'x-openclaw-scopes': 'operator.read' } }],
      ['another method', '/v1/messages', { method: 'DELETE' }],
      ['an unknown route', '/v1/massages', { method: 'POST', body: '{}' }],
      ['a session that is not there', '/sessions/nobody/history', {}],
      ['a key that climbs', '/sessions/..%2f..%2f..%2fetc%2fpasswd/history', {}],
      ['a limit of nothing', '/sessions/main/history?limit=0', {}],
    ];
    const overSocket: readonly (readonly [string, unknown])[] = [
      ['sessions.explode', {}],
      ['constructor', {}],
      ['connect', {}],
      ['sessions.list', { limit: 0, bogus: 1 }],
      ['sessions.list', []],
      ['sessions.patch', { key: 'main', sessionId: '../../etc/passwd' }],
      ['sessions.patch', { key: 'main', thinkingLevel: 'huge' }],
      ['sessions.resolve', { sessionId: '../../../etc/passwd' }],
      ['chat.send', { sessionKey: 'main', message: '', idempotencyKey: 'bad' }],
      ['sessions.reset', { key: 'main', reason: 'whim' }],
    ];
    const comparable = comparableOf(house.stateDir);
    const note = (what: string, at: number, answer: string): void => {
      const said = comparable(answer);
      // Every door of a deployment says the same; the other deployment has to say it too.
      expect([what, answers.get(what) ?? said, at]).toEqual([what, said, at]);
      answers.set(what, said);
    };
    for (const [at, one] of house.doors.entries()) {
      for (const [what, path, request] of overHttp) {
        const { status, text } = await one.http(path, request);
        expect([what, status]).toEqual([what, expect.any(Number)]);
        expect(status).toBeGreaterThanOrEqual(400);
        expect(status).toBeLessThan(500);
        note(`HTTP: ${what}`, at, `${status} ${text}`);
      }
      for (const [place, [method, params]] of overSocket.entries()) {
        const answer = await sockets[at]?.request(method, params);
        expect([method, answer?.ok]).toEqual([method, false]);
        note(`WebSocket ${place}: ${method}`, at, JSON.stringify(answer?.error));
      }
      for (const [what, frame] of [['no JSON', 'hello'], ['another request first', '{"type":"req","id":"1","method":"sessions.list"}'], ['a list', '[]']] as const) {
        const stranger = await openSocket(one);
        stranger.raw(frame);
        note(`WebSocket before connect: ${what}`, at, JSON.stringify(await stranger.closed));
      }
      const refusedBy = (client: GrpcClient, method: string, request: unknown): Promise<string> =>
        client.call(method, request).then(() => 'accepted', ({ code, details }: { code: number; details: string }) => JSON.stringify({ code, details }));
      const grpc = grpcs[at] as GrpcClient;
      note('gRPC: an empty envelope', at, await refusedBy(grpc, 'submitMessage', SubmitMessageRequest.create({})));
      note('gRPC: an unknown chat type', at, await refusedBy(grpc, 'submitMessage', SubmitMessageRequest.create({ envelope: Envelope.create({ channel: 'telegram', messageId: '1', chatType: 'party', text: 'x' }) })));
      note('gRPC: not served', at, await refusedBy(grpc, 'killSession', {}));
      const stranger = openGrpc({ grpc: one.grpc, token: 'wrong' });
      note('gRPC: a wrong token', at, await refusedBy(stranger, 'listSessions', ListSessionsRequest.create({})));
      stranger.close();
    }
    for (const [what, answer] of answers) expect([what, answer]).not.toEqual([what, 'accepted']);
    for (const view of views) expect(await view.list()).toEqual(before);
  });

  /** What is asked while it runs, and of these what is asked again in its next life. */
  const COMMANDS: readonly (readonly string[])[] = [
    ['sessions', '--json'],
    ['sessions', '--all-agents', '--json', '--limit', 'all'],
    ['sessions', 'history', KEY],
    ['sessions', 'info', KEY, '--json'],
    ['status', '--json', '--deep'],
    ['gateway', 'call', 'sessions.list', '--params', '{"limit":1000}'],
    ['sessions'],
    ['sessions', 'list', '--agent', 'support'],
    ['sessions', 'history', 'main', '--json', '--limit', '5'],
    ['sessions', 'history', 'nobody', '--json'],
    ['sessions', 'info', KEY],
    ['status'],
    ['gateway', 'call', 'sessions.describe', '--params', JSON.stringify({ key: KEY })],
    ['gateway', 'call', 'chat.history', '--params', JSON.stringify({ sessionKey: KEY })],
    ['gateway', 'call', 'agents.list'],
    ['gateway', 'call', 'sessions.explode', '--json'],
  ];
  const ASKED_AGAIN = COMMANDS.slice(0, 6);

  /** The answers in a form that can be compared. */
  async function ask(commands: typeof COMMANDS): Promise<Map<string, string>> {
    const comparable = comparableOf(house.stateDir);
    const outcomes: (readonly [string, Answer])[] = [];
    const askOne = async (args: readonly string[]): Promise<readonly [string, Answer]> => [args.join(' '), await runCommand(house.stateDir, args)];
    // Two at a time: most of it is the start of the process.
    for (let at = 0; at < commands.length; at += 2) outcomes.push(...(await Promise.all(commands.slice(at, at + 2).map(askOne))));
    return new Map(outcomes.map(([what, { exitCode, stdout, stderr }]) => [what, comparable(`exit ${String(exitCode)}\n${stdout}${stderr}`)]));
  }
  let asked: Map<string, string>;

  it('answers the command line while it runs', async () => {
    asked = await ask(COMMANDS);
    for (const [what, answer] of asked) {
      expect([what, answer.split('\n')[0]]).toEqual([what, /nobody|explode/u.test(what) ? 'exit 1' : 'exit 0']);
      answers.set(`openclaw ${what}`, answer);
    }
  });

  it('has everything after a stop and a start', async () => {
    const before = await views[0]?.list();
    for (const socket of sockets) socket.close();
    for (const grpc of grpcs) grpc.close();
    const codes = await house.stop();
    expect(codes).toEqual(codes.map(() => 0));
    expect(codes).toHaveLength(name === 'split' ? 7 : 1);
    expect(await runCommand(house.stateDir, ['sessions', 'verify', '--all-agents'])).toMatchObject({ exitCode: 0, stderr: '' });
    await house.start();
    await openViews();
    for (const view of views) expect([view.name, await view.list()]).toEqual([view.name, before]);
    expect(new Map(before?.map(({ key, sessionId }) => [key, sessionId]))).toEqual(seen);
    // What was sent is known by its id, at every door, in this life too.
    for (const [at, { message, key }] of messagesUnder(LAST_SCOPE).entries()) {
      if ('channel' in message) expect([key, await door(at).send(message)]).toEqual([key, expect.objectContaining({ status: 200 })]);
    }
    // The first answers again, word for word but for ages and processes.
    const again = await ask(ASKED_AGAIN);
    expect([...again]).toEqual([...asked].slice(0, again.size));
    given.set(name, answers);
  }, START_MS_MAX);
});

describe('both deployments', () => {
  it('gave the same answers', () => {
    const [one, other] = DEPLOYMENTS.map(([name]) => given.get(name));
    expect(one?.size).toBeGreaterThan(0);
    expect(Object.fromEntries(other ?? [])).toEqual(Object.fromEntries(one ?? []));
  });
});
