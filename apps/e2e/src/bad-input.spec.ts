/**
 * What strangers, broken programs and typing mistakes send: each gets a clear refusal that names
 * what was wrong, nothing is written for it, and the gateway goes on serving.
 */
import { readdirSync } from 'node:fs';
import { runCommand } from './support/command';
import type { Answer } from './support/command';
import type { HttpRequest } from './support/door';
import type { Gateway } from './support/gateway';
import { connectParams, openSocket } from './support/gateway-socket';
import type { GatewaySocket } from './support/gateway-socket';
import { configWith, sessionsDir, useScene } from './support/scene';
import { readTree } from './support/tree';

const BODY_BYTES_MAX = 25 * 1024 * 1024;
const TEXT_BYTES_MAX = 256 * 1024;
const scene = useScene('all');

let stateDir: string;
let gateway: Gateway;
let socket: GatewaySocket;
/** All of the state directory after a first message; refused requests leave it so. */
let kept: Map<string, string>;

/** Our own directory is left out: the journal may move on its own. */
const look = (): Map<string, string> => readTree(stateDir, (path) => !/(^|\/)\.store$/u.test(path));

const message = { channel: 'telegram', messageId: '1', chatType: 'direct', sender: { id: '5' }, text: 'first' };

beforeAll(async () => {
  stateDir = scene.stateDir(configWith({ session: { dmScope: 'per-channel-peer' }, storeWriter: { checkpointDelayMs: 0 } }));
  gateway = await scene.gateway(stateDir);
  await gateway.send(message);
  // Stopped and started: the checkpoint is written, no later one changes a file.
  await gateway.stop();
  gateway = await scene.gateway(stateDir);
  socket = await scene.socket(gateway);
  await socket.call('sessions.list');
  kept = look();
});

/** After whatever a test sent: the same files, and a gateway that answers. */
afterEach(async () => {
  expect(look()).toEqual(kept);
  expect(await socket.call('sessions.list')).toMatchObject({ totalCount: 1, sessions: [{ key: 'agent:main:telegram:direct:5' }] });
  expect(await gateway.http('/ready')).toMatchObject({ status: 200 });
});

const post = (body: string | Uint8Array, more: HttpRequest = {}) => gateway.http('/v1/messages', { method: 'POST', body, ...more });
const changed = (members: Record<string, unknown>): string => JSON.stringify({ ...message, messageId: '2', ...members });

describe('bad HTTP requests', () => {
  it.each<[string, () => string | Uint8Array, number, string]>([
    ['a body above the bound', () => Buffer.alloc(BODY_BYTES_MAX + 1, 32), 413, String(BODY_BYTES_MAX)],
    ['a text above the bound', () => changed({ text: 'x'.repeat(TEXT_BYTES_MAX + 1) }), 413, 'text: must have at most'],
    ['nothing', () => '', 400, 'not valid JSON'],
    ['half a document', () => '{"channel":', 400, 'not valid JSON'],
    ['bytes that are not UTF-8', () => Buffer.concat([Buffer.from(changed({ text: '' }).slice(0, -2)), Buffer.from([0xff, 0xc3, 0x28]), Buffer.from('"}')]), 400, 'not valid JSON'],
    ['a list', () => '[]', 400, 'must be an object'],
    ['null', () => 'null', 400, 'must be an object'],
    ['brackets without end', () => `${'['.repeat(100_000)}${']'.repeat(100_000)}`, 413, 'nested more than 1000 deep'],
    ['an unknown member', () => changed({ bogus: 1 }), 400, 'bogus: is not a known member'],
    ['an unknown nested member', () => changed({ sender: { id: '5', admin: true } }), 400, 'sender.admin: is not a known member'],
    ['a prototype', () => changed({}).replace('{', '{"__proto__":{"text":"x"},'), 400, '__proto__: is not a known member'],
    ['a number for a text', () => changed({ text: 5 }), 400, 'text: must be a string'],
    ['a number for an id', () => changed({ sender: { id: 5 } }), 400, 'sender.id: must be a string'],
    ['a word for a switch', () => changed({ mentioned: 'yes' }), 400, 'mentioned: must be true or false'],
    ['an unknown chat type', () => changed({ chatType: 'party' }), 400, 'chatType: must be one of direct, group, channel'],
    ['an unknown origin', () => changed({ origin: { kind: 'moon' } }), 400, 'origin.kind: must be one of'],
    ['a channel that is no word', () => changed({ channel: '../x' }), 400, 'channel: must match'],
    ['no message id', () => changed({ messageId: undefined }), 400, 'messageId: is required'],
    ['a long message id', () => changed({ messageId: 'x'.repeat(257) }), 400, 'messageId: must have at most 256 characters'],
    ['no sender', () => changed({ sender: undefined }), 400, 'PEER_MISSING'],
    ['a group without a conversation', () => changed({ chatType: 'group' }), 400, 'conversation: is required'],
    ['an attachment that is no base64', () => changed({ attachments: [{ name: 'a', mimeType: 'image/png', content: '###' }] }), 400, 'attachments[0].content'],
    ['an unknown agent', () => changed({ agentId: 'nobody' }), 404, 'Unknown agent id'],
    ['an agent that climbs', () => changed({ agentId: '../../x' }), 404, 'Unknown agent id'],
    ['a session key of its own', () => changed({ sessionKey: 'agent:main:main' }), 400, 'sessionKey: is not allowed'],
    ['NUL in an id', () => changed({ sender: { id: 'a\0b' } }), 400, 'sender.id: must not hold control characters'],
    ['a line break in an id', () => changed({ sender: { id: 'a\nb' } }), 400, 'sender.id: must not hold control characters'],
    ['an id of 600 characters', () => changed({ sender: { id: 'x'.repeat(600) } }), 400, 'sender.id: must have at most 256 characters'],
    ['a blank id', () => changed({ sender: { id: ' ' } }), 400, 'sender.id: must not be empty'],
  ])('%s: refused by name', async (_what, body, status, part) => {
    const answer = await post(body());
    expect(answer).toMatchObject({ status, json: { ok: false } });
    expect(answer.text).toContain(part);
    // What was sent is not sent back: it may be a secret.
    expect(answer.text.length).toBeLessThan(2000);
  });

  it('wants credentials, whatever else is wrong', async () => {
    const refused = { status: 401, text: '{"error":{"message":"Unauthorized","type":"unauthorized"}}' };
    for (const token of ['wrong', '', `${gateway.token} `.repeat(2), gateway.token.slice(1), null]) expect(await post('{', { token })).toMatchObject(refused);
    expect(await post(changed({}), { token: null, headers: { authorization: `Basic ${gateway.token}` } })).toMatchObject(refused);
    expect(await post(changed({}), { token: null, headers: { authorization: gateway.token } })).toMatchObject(refused);
    expect(gateway.printed()).not.toContain(gateway.token);
  });

  it.each<[string, string, HttpRequest, number, string]>([
    ['another method', '/v1/messages', { method: 'GET' }, 405, 'Method Not Allowed'],
    ['another method still', '/v1/messages', { method: 'DELETE' }, 405, 'Method Not Allowed'],
    ['an unknown route', '/v1/massages', { method: 'POST', body: '{}' }, 404, 'Not Found'],
    ['a wait that is no number', '/v1/messages?wait=soon', { method: 'POST', body: changed({}) }, 400, 'wait must be'],
    ['a limit of nothing', '/sessions/main/history?limit=0', {}, 400, 'limit must be'],
    ['a limit in words', '/sessions/main/history?limit=ten', {}, 400, 'limit must be'],
    ['a cursor that is none', '/sessions/main/history?cursor=..', {}, 400, 'cursor must be'],
    ['a switch that is none', '/sessions/main/history?includeTools=perhaps', {}, 400, 'includeTools must be'],
    ['a session that is not there', '/sessions/nobody/history', {}, 404, 'Session not found'],
    ['a key that climbs', '/sessions/..%2f..%2f..%2fetc%2fpasswd/history', {}, 404, 'Session not found'],
    ['NUL for a key', '/sessions/%00/history', {}, 404, 'Session not found'],
    ['a scope that is not held', '/v1/messages', { method: 'POST', body: changed({}), headers: { 'x-openclaw-scopes': 'operator.read' } }, 403, 'missing scope: operator.write'],
    ['an idempotency key that is too long', '/v1/messages', { method: 'POST', body: changed({}), headers: { 'idempotency-key': 'x'.repeat(300) } }, 400, 'idempotencyKey'],
  ])('%s: %s', async (_what, path, request, status, part) => {
    const answer = await gateway.http(path, request);
    expect(answer.status).toBe(status);
    expect(answer.text).toContain(part);
  });

  it('keeps one message id for one content', async () => {
    const answer = await post(JSON.stringify({ ...message, text: 'another text' }));
    expect(answer).toMatchObject({ status: 409, json: { error: { reason: 'IDEMPOTENCY_MISMATCH' } } });
  });
});

describe('bad frames', () => {
  it.each<[string, string | Uint8Array, number, string]>([
    ['no JSON', 'hello', 1000, ''],
    ['another request first', '{"type":"req","id":"1","method":"sessions.list"}', 1008, 'invalid handshake: first request must be connect'],
    ['a numeric id', '{"type":"req","id":1,"method":"connect"}', 1008, 'invalid request frame'],
    ['a list', '[]', 1008, 'invalid request frame'],
    ['a wrong token', JSON.stringify({ type: 'req', id: '1', method: 'connect', params: connectParams({ token: 'wrong' }) }), 1008, 'unauthorized: gateway token mismatch'],
    ['no token', JSON.stringify({ type: 'req', id: '1', method: 'connect', params: connectParams({}) }), 1008, 'device identity required'],
    ['another protocol', JSON.stringify({ type: 'req', id: '1', method: 'connect', params: { ...connectParams({ token: 'x' }), minProtocol: 9, maxProtocol: 9 } }), 1002, 'protocol mismatch'],
    ['an unknown member', JSON.stringify({ type: 'req', id: '1', method: 'connect', params: { ...connectParams({ token: 'x' }), bogus: 1 } }), 1008, "unexpected property 'bogus'"],
  ])('before connect, %s: closed with the reason', async (_what, frame, code, reason) => {
    const stranger = await openSocket(gateway);
    stranger.raw(frame);
    const closed = await stranger.closed;
    expect(closed.code).toBe(code);
    expect(closed.reason).toContain(reason);
  });

  it.each<[string, unknown, string]>([
    ['a numeric id', { type: 'req', id: 5, method: 'sessions.list' }, 'at /id: must be string'],
    ['a member too many', { type: 'req', id: 'bad', method: 'sessions.list', extra: 1 }, "unexpected property 'extra'"],
    ['no type', { id: 'bad', method: 'sessions.list' }, "must have required property 'type'"],
    ['a list for parameters', { type: 'req', id: 'bad', method: 'sessions.list', params: [] }, 'must be object'],
    ['a method that is no word', { type: 'req', id: 'bad', method: 5 }, 'at /method: must be string'],
    ['an unknown method', { type: 'req', id: 'bad', method: 'sessions.explode' }, 'unknown method: sessions.explode'],
    ['a method of every object', { type: 'req', id: 'bad', method: 'constructor' }, 'unknown method: constructor'],
    ['connect again', { type: 'req', id: 'bad', method: 'connect', params: {} }, 'connect is only valid as the first request'],
    ['a list', [], 'must be object'],
  ])('%s: answered, and the connection stays', async (_what, frame, part) => {
    socket.raw(JSON.stringify(frame));
    const answer = await socket.next(({ type, ok }) => type === 'res' && ok === false);
    expect(answer.error).toMatchObject({ code: 'INVALID_REQUEST' });
    expect(answer.error?.message).toContain(part);
  });

  it('passes over what is no JSON', async () => {
    socket.raw('{"type":');
    socket.raw(Buffer.from([0xff, 0xfe, 0x00]));
    expect(socket.isOpen()).toBe(true);
  });

  it('cuts off a frame above the bound, and nobody else', async () => {
    const other = await scene.socket(gateway);
    other.raw(JSON.stringify({ type: 'req', id: '1', method: 'sessions.list', params: { search: 'x'.repeat(BODY_BYTES_MAX) } }));
    await other.closed;
    expect(socket.isOpen()).toBe(true);
  });

  const LONG = 'x'.repeat(600);
  it.each<[string, string, Record<string, unknown>]>([
    ['sessions.list', "at /limit: must be >= 1; at root: unexpected property 'bogus'", { limit: 0, bogus: 1 }],
    ['sessions.list', 'at /limit: must be integer', { limit: 'all' }],
    ['chat.send', "must have required property 'sessionKey'", {}],
    ['chat.send', 'at /sessionKey: must be string; at /message: must be string', { sessionKey: 5, message: [], idempotencyKey: 1 }],
    ['chat.send', 'message or attachment required', { sessionKey: 'main', message: ' ', idempotencyKey: 'k' }],
    ['chat.send', `at /message: must not have more than ${TEXT_BYTES_MAX} bytes`, { sessionKey: 'main', message: 'x'.repeat(TEXT_BYTES_MAX + 1), idempotencyKey: 'k' }],
    ['chat.send', '"unknown" is not addressable', { sessionKey: 'unknown', message: 'x', idempotencyKey: 'k' }],
    ['chat.send', 'control characters', { sessionKey: 'a\0b', message: 'x', idempotencyKey: 'k' }],
    ['chat.send', 'must not have more than 512 characters', { sessionKey: LONG, message: 'x', idempotencyKey: 'k' }],
    ['sessions.create', 'longer than 512 characters', { key: LONG }],
    ['sessions.create', 'longer than 512 characters', { key: `agent:main:${LONG}` }],
    ['sessions.create', 'control characters', { key: 'a\0b' }],
    ['sessions.create', 'agent id or rest is missing', { key: 'agent::x' }],
    ['sessions.create', 'at /key: must not have fewer than 1 characters', { key: '' }],
    ['sessions.create', 'No session found', { key: '00000000-0000-4000-8000-000000000000' }],
    ['sessions.create', 'does not match agentId', { key: 'agent:main:x', agentId: 'other' }],
    ['sessions.create', 'unknown parent session: nobody', { parentSessionKey: 'nobody' }],
    ['sessions.create', 'at /label: must not have more than 512 characters', { label: 'x'.repeat(513) }],
    ['sessions.patch', "must have required property 'key'", {}],
    ['sessions.patch', 'at /label: must be string', { key: 'main', label: 5 }],
    ['sessions.patch', 'invalid thinkingLevel', { key: 'main', thinkingLevel: 'huge' }],
    ['sessions.patch', "unexpected property 'sessionId'", { key: 'main', sessionId: '../../etc/passwd' }],
    ['sessions.patch', "unexpected property 'updatedAt'", { key: 'main', updatedAt: 5 }],
    ['sessions.patch', 'longer than 512 characters', { key: LONG, label: 'x' }],
    ['sessions.resolve', 'Either key, sessionId, or label is required', {}],
    ['sessions.resolve', 'not multiple', { key: 'a', label: 'b' }],
    ['sessions.resolve', 'No session found', { sessionId: '../../../etc/passwd' }],
    ['sessions.preview', 'at /keys', { keys: [] }],
  ])('%s: refused with "%s"', async (method, part, params) => {
    const { ok, error } = await socket.request(method, params);
    expect(ok).toBe(false);
    expect(error?.code).toBe('INVALID_REQUEST');
    expect(error?.message).toContain(part);
  });

  it('serves nothing to a connection without the scope', async () => {
    const reader = await scene.socket(gateway, { scopes: ['operator.read'] });
    for (const [method, params] of [['chat.send', { sessionKey: 'main', message: 'x', idempotencyKey: 'k' }], ['sessions.create', {}], ['sessions.patch', { key: 'main', label: 'x' }]] as const) {
      expect((await reader.request(method, params)).error?.message).toMatch(/^missing scope: operator\./u);
    }
  });
});

describe('wrong commands', () => {
  it.each<[string[], string]>([
    [['--bogus'], "unknown option '--bogus'"],
    [['bogus'], "unknown command 'bogus'"],
    [['sessions', '--bogus'], "unknown option '--bogus'"],
    [['sessions', '--limit', '0'], '--limit must be'],
    [['sessions', '--limit', '1e2'], '--limit must be'],
    [['sessions', '--limit'], '--limit'],
    [['sessions', '--active', '0'], '--active must be'],
    [['sessions', '--agent', 'nobody'], 'Unknown agent id "nobody"'],
    [['sessions', '--agent', 'main', '--all-agents'], 'cannot be used together'],
    [['sessions', '--store', 'x', '--agent', 'main'], 'cannot be combined'],
    [['sessions', 'list', 'extra'], 'Too many arguments'],
    [['sessions', 'bogus'], 'Too many arguments'],
    [['sessions', 'history'], "missing required argument 'key'"],
    [['sessions', 'history', 'nobody'], 'No session found: nobody'],
    [['sessions', 'history', 'main', '--limit', 'x'], '--limit must be'],
    [['sessions', 'history', 'main', '--before', '-1'], '--before'],
    [['sessions', 'history', '../../../etc/passwd'], 'No session found'],
    [['sessions', '--active', '5', 'history', 'main'], 'does not support the parent `sessions` option --active'],
    [['sessions', '--limit', '5', 'verify'], 'does not support the parent `sessions` option --limit'],
    [['sessions', 'info', 'nobody'], 'No session found: nobody'],
    [['sessions', 'verify', '--agent', 'nobody'], 'Unknown agent id "nobody"'],
    [['status', '--timeout', '0'], '--timeout must be'],
    [['gateway'], 'needs a command'],
    [['gateway', 'call'], "missing required argument 'method'"],
    [['gateway', 'call', 'health', '--params', '{'], '--params is not valid JSON'],
    [['gateway', 'call', 'health', '--params', '[]'], '--params must be a JSON object'],
    [['gateway', 'call', 'health', '--timeout', '1.5'], '--timeout must be'],
    [['gateway', 'call', 'health', '--url', 'http://x', '--token', 't'], '--url must be'],
    [['gateway', 'call', 'health', '--url', 'ws://127.0.0.1:1'], '--url needs explicit credentials'],
    [['gateway', 'call', 'health', '--url', 'ws://127.0.0.1:1', '--token', 't'], 'ECONNREFUSED'],
  ])('%j: exit 1 and the reason, in both forms', async (args, part) => {
    const [plain, json] = (await Promise.all([runCommand(stateDir, args), runCommand(stateDir, [...args, '--json'])])) as [Answer, Answer];
    expect(plain).toMatchObject({ exitCode: 1, stdout: '' });
    expect(plain.stderr).toContain(part);
    expect(plain.stderr).not.toMatch(/^\s+at /mu);
    expect(json.exitCode).toBe(1);
    const { ok, error } = JSON.parse(json.stdout) as { ok: boolean; error: { message: string } };
    expect(ok).toBe(false);
    expect(json.stderr).toContain(error.message.split('\n')[0]);
  });

  it('names the method and the reason of a refused call', async () => {
    const target = ['--url', gateway.url.replace('http:', 'ws:'), '--token', gateway.token];
    const refused = await runCommand(stateDir, ['gateway', 'call', 'sessions.list', '--params', '{"limit":0}', '--json', ...target]);
    expect(refused.exitCode).toBe(1);
    expect(JSON.parse(refused.stdout)).toMatchObject({ ok: false, error: { type: 'gateway_request_error', code: 'INVALID_REQUEST', message: 'invalid sessions.list params: at /limit: must be >= 1' } });
    const wrongToken = await runCommand(stateDir, ['gateway', 'call', 'health', ...target.slice(0, 2), '--token', 'wrong']);
    expect(wrongToken).toMatchObject({ exitCode: 1, stdout: '' });
    expect(wrongToken.stderr).toContain('unauthorized: gateway token mismatch');
  });
});

describe('hostile names that are no mistakes', () => {
  it('become sessions of their own, in files named by us', async () => {
    const own = scene.stateDir(configWith({ session: { dmScope: 'per-channel-peer' } }));
    const other = await scene.gateway(own);
    // Latin and Cyrillic a, one of them after a mark that turns the writing round; names of every object; paths.
    const ids = ['a', 'а', '\u202ea', 'ａ', '..', '../../x', '/etc/passwd', '%2e%2e', '__proto__', 'constructor', 'a:b', 'a:thread:1', 'sessions.json', '.store'];
    for (const id of ids) expect(await other.send({ ...message, messageId: id, sender: { id }, text: `from ${id}` })).toMatchObject({ status: 202 });
    expect(await other.stop()).toBe(0);
    const answer = await runCommand(own, ['sessions', '--json', '--limit', 'all']);
    const { sessions } = JSON.parse(answer.stdout) as { sessions: { key: string; sessionId: string }[] };
    expect(new Set(sessions.map(({ sessionId }) => sessionId)).size).toBe(ids.length);
    for (const { key, sessionId } of sessions) {
      const history = JSON.parse((await runCommand(own, ['sessions', 'history', key, '--json'])).stdout) as { sessionId: string; messages: { content: { text: string }[] }[] };
      expect(history.sessionId).toBe(sessionId);
      expect(history.messages.map(({ content }) => content[0]?.text)).toEqual([`from ${key.replace('agent:main:telegram:direct:', '')}`]);
    }
    expect(readdirSync(sessionsDir(own)).sort()).toEqual(['.store', 'sessions.json', ...sessions.map(({ sessionId }) => `${sessionId}.jsonl`)].sort());
    expect(readdirSync(own).sort()).toEqual(['agents', 'openclaw.json']);
    // Printed so that a terminal does not turn them round.
    expect((await runCommand(own, ['sessions'])).stdout).not.toContain('\u202e');
  });

  it('refuses ids that UTF-8 cannot hold', async () => {
    const own = scene.stateDir(configWith({ session: { dmScope: 'per-channel-peer' } }));
    const other = await scene.gateway(own);
    const answer = await other.send({ ...message, sender: { id: '\ud800' } });
    expect(answer).toMatchObject({ status: 400 });
    expect(answer?.text).toContain('sender.id');
  });
});
