/**
 * The gateway protocol as it is described, row by row: handshake, lists, lifecycle, refusals. Each row
 * names the paragraph that says so (`§` of the gateway protocol, `decision` of the decisions); rows of
 * one block are sent in their order to one gateway.
 */
import { newDevice } from '../support/device';
import type { Gateway } from '../support/gateway';
import { openSocket } from '../support/gateway-socket';
import type { GatewaySocket } from '../support/gateway-socket';
import { TOKEN, configWith, useScene } from '../support/scene';
import { ANSWERS, misfits } from './shape';

const scene = useScene('all');
let gateway: Gateway;
let socket: GatewaySocket;
beforeAll(async () => {
  gateway = await scene.gateway(scene.stateDir(configWith({ agents: { defaults: { model: 'demo/echo' } } })));
  socket = await scene.socket(gateway);
});

const CLIENT = { id: 'gateway-client', version: '0.0.0-test', platform: 'linux', mode: 'backend' };
const CONNECT = { minProtocol: 4, maxProtocol: 4, client: CLIENT, role: 'operator', scopes: ['operator.admin'], caps: [], auth: { token: TOKEN } };
const UI = { ...CLIENT, id: 'openclaw-control-ui', mode: 'webchat' };
const authCode = (code: string, authReason: string): object => ({ code, authReason });

interface Handshake {
  readonly says: string;
  readonly what: string;
  readonly connect: object;
  readonly error: object;
  readonly close: { readonly code: number; readonly reason?: string };
}

const mismatch = 'unauthorized: gateway token mismatch (provide gateway auth token)';
const HANDSHAKES: readonly Handshake[] = [
  { says: '§1 table, bad token', what: 'a wrong token', connect: { ...CONNECT, auth: { token: 'wrong' } }, error: { code: 'INVALID_REQUEST', message: mismatch, details: { ...authCode('AUTH_TOKEN_MISMATCH', 'token_mismatch'), canRetryWithDeviceToken: false, recommendedNextStep: 'update_auth_credentials' } }, close: { code: 1008, reason: mismatch } },
  { says: '§1 table, token absent', what: 'a password for a token', connect: { ...CONNECT, auth: { password: 'x' } }, error: { code: 'INVALID_REQUEST', message: expect.stringMatching(/^unauthorized: gateway token missing \(/u), details: authCode('AUTH_TOKEN_MISSING', 'token_missing') }, close: { code: 1008 } },
  { says: '§1 table, no auth and no device', what: 'nothing presented', connect: { ...CONNECT, auth: undefined }, error: { code: 'NOT_PAIRED', message: 'device identity required', details: { code: 'DEVICE_IDENTITY_REQUIRED' } }, close: { code: 1008 } },
  // Protocol 3 is spoken too (decision 19), so it is the lowest that a probe may ask for.
  { says: '§1 table, protocol range', what: 'protocols 5 to 9', connect: { ...CONNECT, minProtocol: 5, maxProtocol: 9 }, error: { code: 'INVALID_REQUEST', message: 'protocol mismatch', details: { code: 'PROTOCOL_MISMATCH', clientMinProtocol: 5, clientMaxProtocol: 9, expectedProtocol: 4, minimumProbeProtocol: 3 } }, close: { code: 1002 } },
  { says: '§1 table, client id', what: 'an unknown client id', connect: { ...CONNECT, client: { ...CLIENT, id: 'somebody' } }, error: { code: 'INVALID_REQUEST', message: expect.stringContaining('invalid connect params: at /client/id: must be equal to one of the allowed values') }, close: { code: 1008 } },
  { says: '§1 table, mode', what: 'an unknown mode', connect: { ...CONNECT, client: { ...CLIENT, mode: 'somehow' } }, error: { code: 'INVALID_REQUEST', message: expect.stringContaining('at /client/mode: must be equal to one of the allowed values') }, close: { code: 1008 } },
  { says: '§1 table, extra member', what: 'an extra member', connect: { ...CONNECT, bogus: 1 }, error: { code: 'INVALID_REQUEST', message: expect.stringContaining("unexpected property 'bogus'") }, close: { code: 1008 } },
  { says: '§1 table, missing member', what: 'no client', connect: { ...CONNECT, client: undefined }, error: { code: 'INVALID_REQUEST', message: expect.stringContaining("must have required property 'client'") }, close: { code: 1008 } },
  { says: '§1 table, unknown role', what: 'an unknown role', connect: { ...CONNECT, role: 'king' }, error: { code: 'INVALID_REQUEST', message: 'invalid role' }, close: { code: 1008 } },
  { says: '§1 table, Control UI origin', what: 'a control UI without an origin', connect: { ...CONNECT, client: UI }, error: { code: 'INVALID_REQUEST', message: expect.stringMatching(/^origin not allowed \(/u), details: { code: 'CONTROL_UI_ORIGIN_NOT_ALLOWED' } }, close: { code: 1008 } },
];

describe('a handshake that fails', () => {
  it.each(HANDSHAKES.map((row) => [row.says, row.what, row] as const))('%s: %s', async (_says, _what, { connect, error, close }) => {
    const stranger = await openSocket(gateway);
    scene.onEnd(() => stranger.close());
    const answer = await stranger.request('connect', connect);
    expect([answer.ok, answer.error]).toEqual([false, expect.objectContaining({ ...error, ...('details' in error && { details: expect.objectContaining(error.details as object) as unknown }) })]);
    const closed = await stranger.closed;
    expect(closed.code).toBe(close.code);
    if (close.reason !== undefined) expect(closed.reason).toBe(close.reason);
  });

  it('§1 table, wrong device nonce: the signature is for another challenge', async () => {
    const stranger = await openSocket(gateway);
    const device = newDevice().sign({ client: CLIENT, role: 'operator', scopes: ['operator.admin'], token: TOKEN, nonce: 'another' });
    expect((await stranger.request('connect', { ...CONNECT, device })).error).toMatchObject({ message: 'device nonce mismatch', details: { code: 'DEVICE_AUTH_NONCE_MISMATCH' } });
    expect((await stranger.closed).code).toBe(1008);
  });

  it('§1 table, first request not connect; first frame not JSON', async () => {
    const early = await openSocket(gateway);
    expect((await early.request('sessions.list')).error?.message).toBe('invalid handshake: first request must be connect');
    expect(await early.closed).toEqual({ code: 1008, reason: 'invalid handshake: first request must be connect' });
    const mute = await openSocket(gateway);
    mute.raw('hello');
    expect((await mute.closed).code).toBe(1000);
  });
});

describe('a handshake that succeeds', () => {
  it.each([[4, 4, 4], [3, 4, 4], [3, 3, 3], [1, 9, 4]])('§1, decision 19: a client of protocols %d to %d is told %d', async (minProtocol, maxProtocol, protocol) => {
    const client = await openSocket(gateway);
    scene.onEnd(() => client.close());
    const { ok, payload } = await client.request('connect', { ...CONNECT, minProtocol, maxProtocol });
    expect([ok, misfits(payload, ANSWERS['connect'] ?? '')]).toEqual([true, []]);
    expect(payload).toMatchObject({ type: 'hello-ok', protocol, policy: { maxPayload: 26_214_400, maxBufferedBytes: 52_428_800, tickIntervalMs: 30_000 }, snapshot: { sessionDefaults: { defaultAgentId: 'main', mainKey: 'main', mainSessionKey: 'agent:main:main' } } });
    // §2: these work and are not listed.
    const { methods, events } = payload?.['features'] as { methods: string[]; events: string[] };
    for (const hidden of ['sessions.get', 'sessions.resolve', 'sessions.steer', 'sessions.usage', 'chat.inject']) expect(methods).not.toContain(hidden);
    expect(events).toEqual(expect.arrayContaining(['agent', 'chat', 'session.message', 'sessions.changed', 'tick', 'health']));
    const health = await client.next(({ event }) => event === 'health');
    expect(health).toMatchObject({ type: 'event', seq: 1 });
  });
});

interface Row {
  readonly says: string;
  readonly method: string;
  readonly params?: unknown;
  /** Members of the payload; its shape is that of the method, where this is absent or `shape` is not false. */
  readonly payload?: object;
  readonly shape?: false;
  readonly error?: { readonly code?: string; readonly message: unknown; readonly details?: object };
}

const refusal = (message: unknown, details?: object): Row['error'] => ({ message, ...(details !== undefined && { details }) });
const invalid = (method: string, problem: string): Row['error'] => refusal(`invalid ${method} params: ${problem}`, { reason: 'VALIDATION' });
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/u;
const LONG = 'x'.repeat(513);

const BLOCKS: Readonly<Record<string, readonly Row[]>> = {
  create: [
    { says: '§2 sessions.create: a bare key is put under the default agent, in lower case', method: 'sessions.create', params: { key: 'Lab', label: 'Lab work' }, payload: { ok: true, key: 'agent:main:lab', runStarted: false, created: true, entry: { label: 'Lab work' } } },
    { says: '§2 sessions.create: an existing key is idempotent', method: 'sessions.create', params: { key: 'agent:main:lab' }, payload: { key: 'agent:main:lab', created: false } },
    { says: '§2 sessions.create: without a key a dashboard key', method: 'sessions.create', params: {}, payload: { key: expect.stringMatching(/^agent:main:dashboard:[0-9a-f-]{36}$/u) as unknown } },
    { says: '§2 sessions.create: a label is unique', method: 'sessions.create', params: { key: 'other', label: 'Lab work' }, error: refusal('label already in use: Lab work', { reason: 'LABEL_IN_USE' }) },
    { says: '§2 sessions.create: the parent is known', method: 'sessions.create', params: { parentSessionKey: 'agent:main:nobody' }, error: refusal('unknown parent session: agent:main:nobody') },
    { says: '§2 sessions.create: key and agent agree', method: 'sessions.create', params: { key: 'agent:main:x', agentId: 'other' }, error: refusal('sessions.create key agent (main) does not match agentId (other)') },
    { says: 'decision 49: an unknown model is accepted', method: 'sessions.create', params: { key: 'modelled', model: 'nobody/knows' }, payload: { ok: true } },
    { says: 'rpc §3.3: a label has 512 characters', method: 'sessions.create', params: { key: 'x', label: LONG }, error: refusal(expect.stringContaining('at /label: must not have more than 512 characters')) },
    { says: 'rpc §3.3: a parent link is stored', method: 'sessions.create', params: { key: 'child', parentSessionKey: 'agent:main:lab' }, payload: { entry: { parentSessionKey: 'agent:main:lab' } } },
  ],
  'lists and reads': [
    { says: '§2 sessions.list: shape, order, counters', method: 'sessions.list', params: {}, payload: { limitApplied: 100, hasMore: false, nextOffset: null } },
    { says: '§2 sessions.list: a page', method: 'sessions.list', params: { limit: 1 }, payload: { count: 1, limitApplied: 1, hasMore: true, nextOffset: 1 } },
    { says: '§2 sessions.list: offset', method: 'sessions.list', params: { limit: 1, offset: 1 }, payload: { count: 1, offset: 1, nextOffset: 2 } },
    { says: '§2 sessions.list: the limit has no upper clamp', method: 'sessions.list', params: { limit: 100_000 }, payload: { limitApplied: 100_000 } },
    { says: '§2 sessions.list: label exact and with case', method: 'sessions.list', params: { label: 'lab work' }, payload: { count: 0 } },
    { says: '§2 sessions.list: search without case', method: 'sessions.list', params: { search: 'LAB WORK' }, payload: { count: 1, sessions: [{ key: 'agent:main:lab' }] } },
    { says: '§2 sessions.list: spawnedBy matches the parent link', method: 'sessions.list', params: { spawnedBy: 'agent:main:lab' }, payload: { count: 1, sessions: [{ key: 'agent:main:child' }] } },
    { says: '§2 sessions.list: an unknown agent is an empty list', method: 'sessions.list', params: { agentId: 'nobody' }, payload: { count: 0, totalCount: 0 } },
    { says: '§1 parameter errors: all problems joined', method: 'sessions.list', params: { limit: 0, bogus: 1 }, error: invalid('sessions.list', "at /limit: must be >= 1; at root: unexpected property 'bogus'") },
    { says: '§2 sessions.list: limit "all" is a spelling of the command line', method: 'sessions.list', params: { limit: 'all' }, error: invalid('sessions.list', 'at /limit: must be integer') },
    { says: '§1 parameter errors: an array is an error', method: 'sessions.list', params: [], error: invalid('sessions.list', 'must be object') },
    { says: '§1 parameter errors: null is {}', method: 'sessions.list', params: null, payload: {} },
    { says: '§2 sessions.describe', method: 'sessions.describe', params: { key: 'lab' }, payload: { session: { key: 'agent:main:lab', kind: 'direct', label: 'Lab work', hasActiveRun: false, childSessions: ['agent:main:child'] } } },
    { says: '§2 sessions.describe: unknown', method: 'sessions.describe', params: { key: 'nobody' }, payload: { session: null }, shape: false },
    { says: '§2 sessions.preview: keys as asked', method: 'sessions.preview', params: { keys: ['lab', 'nobody'] }, payload: { previews: [{ key: 'lab', status: 'empty' }, { key: 'nobody', status: 'missing' }] } },
    { says: '§2 sessions.preview: at least one', method: 'sessions.preview', params: { keys: [] }, error: invalid('sessions.preview', 'at /keys: must not have fewer than 1 items') },
    { says: '§2 sessions.resolve: by key', method: 'sessions.resolve', params: { key: 'lab' }, payload: { ok: true, key: 'agent:main:lab' } },
    { says: '§2 sessions.resolve: by label', method: 'sessions.resolve', params: { label: 'Lab work' }, payload: { ok: true, key: 'agent:main:lab' } },
    { says: '§2 sessions.resolve: unknown', method: 'sessions.resolve', params: { key: 'nobody' }, error: refusal('No session found: nobody', { reason: 'SESSION_NOT_FOUND' }) },
    { says: '§2 sessions.resolve: unknown label', method: 'sessions.resolve', params: { label: 'nothing' }, error: refusal('No session found with label: nothing') },
    { says: '§2 sessions.resolve: allowMissing', method: 'sessions.resolve', params: { key: 'nobody', allowMissing: true }, payload: { ok: false }, shape: false },
    { says: '§2 sessions.resolve: none', method: 'sessions.resolve', params: {}, error: refusal('Either key, sessionId, or label is required') },
    { says: '§2 sessions.resolve: several', method: 'sessions.resolve', params: { key: 'lab', label: 'x' }, error: refusal('Provide either key, sessionId, or label (not multiple)') },
    { says: '§2 sessions.get: unknown', method: 'sessions.get', params: { key: 'nobody' }, payload: { messages: [] } },
    { says: '§2 sessions.get: none', method: 'sessions.get', params: {}, error: refusal('key required') },
    { says: '§2 chat.history: unknown', method: 'chat.history', params: { sessionKey: 'nobody' }, payload: { sessionKey: 'nobody', messages: [], sessionInfo: { key: 'agent:main:nobody', updatedAt: null } } },
    { says: '§2 chat.message.get: unknown', method: 'chat.message.get', params: { sessionKey: 'lab', messageId: 'x' }, payload: { ok: false, unavailableReason: 'not_found' } },
    { says: '§2 sessions.messages.subscribe: an unknown key is accepted', method: 'sessions.messages.subscribe', params: { key: 'nobody' }, payload: { subscribed: true, key: 'agent:main:nobody' } },
    { says: '§2 sessions.messages.unsubscribe', method: 'sessions.messages.unsubscribe', params: { key: 'nobody' }, payload: { subscribed: false } },
    { says: '§2 sessions.subscribe: parameters are not validated', method: 'sessions.subscribe', params: { bogus: 1 }, payload: { subscribed: true } },
    { says: '§2 sessions.unsubscribe', method: 'sessions.unsubscribe', params: {}, payload: { subscribed: false } },
    { says: '§2 sessions.files.get: what was not touched', method: 'sessions.files.get', params: { sessionKey: 'lab', path: 'x' }, error: refusal('session file not found', { type: 'session_file_not_found', path: 'x' }) },
  ],
  patch: [
    { says: '§2 sessions.patch: creates the entry of an unknown key', method: 'sessions.patch', params: { key: 'made', label: 'Made' }, payload: { ok: true, key: 'agent:main:made', entry: { label: 'Made' } } },
    { says: '§2 sessions.patch fields: null clears', method: 'sessions.patch', params: { key: 'made', label: null }, payload: { entry: expect.not.objectContaining({ label: expect.anything() as unknown }) as unknown } },
    { says: '§2 sessions.patch fields: a blank label', method: 'sessions.patch', params: { key: 'made', label: ' ' }, error: refusal('invalid label: empty') },
    { says: '§2 sessions.patch fields: a label in use', method: 'sessions.patch', params: { key: 'made', label: 'Lab work' }, error: refusal('label already in use: Lab work') },
    { says: '§2 sessions.patch fields: verboseLevel', method: 'sessions.patch', params: { key: 'made', verboseLevel: 'loud' }, error: refusal('invalid verboseLevel (use "on"|"off"|"full")') },
    { says: '§2 sessions.patch fields: traceLevel', method: 'sessions.patch', params: { key: 'made', traceLevel: 'x' }, error: refusal('invalid traceLevel (use "on"|"off"|"raw")') },
    { says: '§2 sessions.patch fields: reasoningLevel', method: 'sessions.patch', params: { key: 'made', reasoningLevel: 'x' }, error: refusal('invalid reasoningLevel (use "on"|"off"|"stream")') },
    { says: '§2 sessions.patch fields: elevatedLevel', method: 'sessions.patch', params: { key: 'made', elevatedLevel: 'x' }, error: refusal('invalid elevatedLevel (use "on"|"off"|"ask"|"full")') },
    { says: '§2 sessions.patch fields: thinkingLevel', method: 'sessions.patch', params: { key: 'made', thinkingLevel: 'x' }, error: refusal(expect.stringMatching(/^invalid thinkingLevel \(use /u)) },
    { says: '§2 sessions.patch fields: responseUsage on is tokens', method: 'sessions.patch', params: { key: 'made', responseUsage: 'on', fastMode: 'auto', sendPolicy: 'deny', groupActivation: 'always' }, payload: { entry: { responseUsage: 'tokens', fastMode: 'auto', sendPolicy: 'deny', groupActivation: 'always' } } },
    { says: '§2 sessions.patch fields: model', method: 'sessions.patch', params: { key: 'made', model: 'openai/gpt-5' }, payload: { entry: { providerOverride: 'openai', modelOverride: 'gpt-5', modelOverrideSource: 'user' }, resolved: { modelProvider: 'openai', model: 'gpt-5' } } },
    { says: '§2 sessions.patch fields: spawnedBy of sub-agents only', method: 'sessions.patch', params: { key: 'made', spawnedBy: 'agent:main:main' }, error: refusal('spawnedBy is only supported for subagent:* or acp:* sessions') },
    { says: '§2 sessions.patch fields: spawnedBy once', method: 'sessions.patch', params: { key: 'agent:main:subagent:1', spawnedBy: 'agent:main:lab' }, payload: { ok: true } },
    { says: '§2 sessions.patch fields: not changed', method: 'sessions.patch', params: { key: 'agent:main:subagent:1', spawnedBy: 'agent:main:made' }, error: refusal('spawnedBy cannot be changed once set') },
    { says: '§2 sessions.patch fields: not cleared', method: 'sessions.patch', params: { key: 'agent:main:subagent:1', spawnedBy: null }, error: refusal('spawnedBy cannot be cleared once set') },
    { says: '§2 sessions.patch fields: unknown agent', method: 'sessions.patch', params: { key: 'made', agentId: 'ghost' }, error: refusal('Unknown agent id "ghost"') },
    { says: 'decision 21: another version than expected', method: 'sessions.patch', params: { key: 'made', label: 'late', expectedUpdatedAt: 1 }, error: refusal(expect.any(String), { reason: 'ENTRY_CHANGED' }) },
    { says: '§2 sessions.pluginPatch', method: 'sessions.pluginPatch', params: { key: 'made', pluginId: 'x', namespace: 'n', value: 1 }, error: refusal('unknown plugin session extension: x/n') },
  ],
  'send and chat': [
    { says: '§2 sessions.send: unknown, the key as sent', method: 'sessions.send', params: { key: 'nobody', message: 'x' }, error: refusal('session not found: nobody', { reason: 'SESSION_NOT_FOUND' }) },
    { says: '§2 sessions.send: nothing to send', method: 'sessions.send', params: { key: 'lab', message: '' }, error: refusal('message or attachment required') },
    { says: '§2 sessions.send: the policy of the session', method: 'sessions.send', params: { key: 'made', message: 'x' }, error: refusal('send blocked by session policy', { reason: 'SEND_DENIED' }) },
    { says: '§2 sessions.send: started', method: 'sessions.send', params: { key: 'lab', message: 'one', idempotencyKey: 'run-one' }, payload: { runId: 'run-one', status: 'started', messageSeq: 1 } },
    { says: '§2 agent.wait: ended', method: 'agent.wait', params: { runId: 'run-one' }, payload: { runId: 'run-one', status: 'ok', endedAt: expect.any(Number) as unknown, stopReason: expect.any(String) as unknown } },
    { says: '§2 sessions.send: the key again after the end', method: 'sessions.send', params: { key: 'lab', message: 'one', idempotencyKey: 'run-one' }, payload: { runId: 'run-one', status: 'ok' } },
    { says: '§2 chat.send: the key is required', method: 'chat.send', params: { sessionKey: 'lab', message: 'x' }, error: invalid('chat.send', "must have required property 'idempotencyKey'") },
    { says: '§2 chat.send: /stop', method: 'chat.send', params: { sessionKey: 'lab', message: '/stop', idempotencyKey: 'stop' }, payload: { ok: true, aborted: false, runIds: [] }, shape: false },
    { says: '§2 chat.abort: nothing runs', method: 'chat.abort', params: { sessionKey: 'lab' }, payload: { ok: true, aborted: false, runIds: [] } },
    { says: '§2 chat.inject', method: 'chat.inject', params: { sessionKey: 'lab', message: 'put in' }, payload: { ok: true, messageId: expect.stringMatching(UUID) as unknown } },
    { says: '§2 chat.inject: unknown', method: 'chat.inject', params: { sessionKey: 'nobody', message: 'x' }, error: refusal('session not found') },
    { says: '§2 sessions.abort: neither key nor run', method: 'sessions.abort', params: {}, error: refusal('key required') },
    { says: '§2 sessions.abort: unknown is no error', method: 'sessions.abort', params: { key: 'nobody' }, payload: { ok: true, abortedRunId: null, status: 'no-active-run' } },
    { says: '§2 agent.wait: unknown run', method: 'agent.wait', params: { runId: 'nobody', timeoutMs: 1 }, payload: { status: 'timeout', timeoutPhase: 'queue', providerStarted: false } },
  ],
  'compact, reset, delete': [
    { says: '§4 maxLines: below the limit nothing is written', method: 'sessions.compact', params: { key: 'lab', maxLines: 100 }, payload: { ok: true, key: 'agent:main:lab', compacted: false, kept: expect.any(Number) as unknown } },
    { says: '§4 maxLines: the header counts, the original stays aside', method: 'sessions.compact', params: { key: 'lab', maxLines: 3 }, payload: { ok: true, compacted: true, kept: 3, archived: expect.stringMatching(/\.jsonl\.bak\.\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}\.\d{3}Z$/u) as unknown } },
    { says: 'decision 8: an unknown key is an error', method: 'sessions.compact', params: { key: 'nobody' }, error: refusal('No session found: nobody', { reason: 'SESSION_NOT_FOUND' }) },
    { says: '§2 sessions.compact: maxLines from 1', method: 'sessions.compact', params: { key: 'lab', maxLines: 0 }, error: invalid('sessions.compact', 'at /maxLines: must be >= 1') },
    { says: '§2 sessions.compaction.list', method: 'sessions.compaction.list', params: { key: 'lab' }, payload: { ok: true, key: 'agent:main:lab', checkpoints: [] } },
    { says: '§2 sessions.compaction.get: unknown', method: 'sessions.compaction.get', params: { key: 'lab', checkpointId: 'x' }, error: refusal('checkpoint not found: x', { reason: 'CHECKPOINT_NOT_FOUND' }) },
    { says: '§4 reset: a new id, the label stays, counters begin anew', method: 'sessions.reset', params: { key: 'lab' }, payload: { ok: true, key: 'agent:main:lab', entry: { label: 'Lab work', systemSent: false, abortedLastRun: false, inputTokens: 0, outputTokens: 0, totalTokens: 0, totalTokensFresh: true, modelProvider: expect.any(String) as unknown, model: expect.any(String) as unknown }, previousSessionId: expect.stringMatching(UUID) as unknown } },
    { says: '§2 sessions.reset: the reason is a known word', method: 'sessions.reset', params: { key: 'lab', reason: 'bored' }, error: refusal(expect.stringMatching(/^invalid sessions\.reset params: at \/reason: must be equal to constant/u)) },
    { says: '§2 sessions.reset: an unknown key makes one', method: 'sessions.reset', params: { key: 'brand-new' }, payload: { ok: true, key: 'agent:main:brand-new' } },
    { says: '§2 sessions.delete: the main session stays', method: 'sessions.delete', params: { key: 'main' }, error: refusal('Cannot delete the main session (agent:main:main).', { reason: 'MAIN_PROTECTED' }) },
    { says: '§2 sessions.delete: unknown', method: 'sessions.delete', params: { key: 'nobody' }, payload: { ok: true, key: 'agent:main:nobody', deleted: false, archived: [] } },
    { says: '§4 delete: the transcript is set aside', method: 'sessions.delete', params: { key: 'lab' }, payload: { ok: true, deleted: true, archived: expect.arrayContaining([expect.stringMatching(/\.jsonl\.deleted\.\d{4}-/u)]) as unknown } },
    { says: '§4 delete: it is gone', method: 'sessions.describe', params: { key: 'lab' }, payload: { session: null }, shape: false },
    { says: '§2 sessions.cleanup: unknown agent', method: 'sessions.cleanup', params: { agent: 'x' }, error: refusal(expect.stringMatching(/^Unknown agent id "x"\. Use "openclaw agents list"/u)) },
    { says: '§2 sessions.cleanup, decision 2', method: 'sessions.cleanup', params: {}, payload: { mode: 'warn', dryRun: false, applied: false } },
  ],
  'usage and the rest': [
    { says: '§2 sessions.usage', method: 'sessions.usage', params: {}, payload: { cacheStatus: { status: 'fresh' } } },
    { says: '§2 sessions.usage.timeseries: without a key', method: 'sessions.usage.timeseries', params: {}, error: refusal('key is required for timeseries') },
    { says: '§2 sessions.usage.timeseries: unknown', method: 'sessions.usage.timeseries', params: { key: 'nobody' }, error: refusal('No transcript found for session: nobody') },
    { says: '§2 agents.list', method: 'agents.list', params: {}, payload: { defaultId: 'main', mainKey: 'main' } },
    { says: '§7 agent.identity.get', method: 'agent.identity.get', params: { sessionKey: 'agent:main:main' }, payload: { agentId: 'main' } },
    { says: '§7 config.get', method: 'config.get', params: {}, payload: { valid: true } },
    { says: '§7 health', method: 'health', params: {}, payload: { ok: true, defaultAgentId: 'main' } },
    { says: '§1 status', method: 'status', params: {}, payload: { sessions: { defaults: { contextTokens: expect.any(Number) as unknown } } } },
    ...['system-presence', 'diagnostics.stability', 'tasks.list', 'cron.list', 'plugin.approval.list'].map((method) => ({ says: `a dashboard asks for ${method} beside the sessions`, method, params: {} })),
    { says: '§1 unknown method', method: 'sessions.explode', params: {}, error: refusal('unknown method: sessions.explode', { reason: 'UNSUPPORTED' }) },
    { says: '§1 second connect', method: 'connect', params: {}, error: refusal('connect is only valid as the first request') },
  ],
};

describe.each(Object.entries(BLOCKS))('%s', (_block, rows) => {
  it.each(rows.map((row) => [row.says, row] as const))('%s', async (_says, { method, params, payload, error, shape }) => {
    const answer = await socket.request(method, params);
    if (error !== undefined) {
      expect([answer.ok, answer.error]).toMatchObject([false, { code: 'INVALID_REQUEST', ...error }]);
      return;
    }
    expect([answer.error, answer.ok]).toEqual([undefined, true]);
    expect(answer.payload).toMatchObject(payload ?? {});
    if (shape !== false) expect(misfits(answer.payload, ANSWERS[method] ?? 'a shape for this method')).toEqual([]);
  });
});

describe('scopes', () => {
  it.each([['cli', 'cli'], ['openclaw-tui', 'ui'], ['gateway-client', 'backend'], ['test', 'test']])('rpc §2: a %s client with a token and without a device keeps the scopes it asked for', async (id, mode) => {
    const client = await openSocket(gateway);
    const { payload } = await client.request('connect', { ...CONNECT, client: { ...CLIENT, id, mode }, scopes: ['operator.read', 'operator.write'] });
    expect(payload).toMatchObject({ auth: { role: 'operator', scopes: ['operator.read', 'operator.write'] } });
    expect((await client.request('sessions.create', {})).ok).toBe(true);
    client.close();
  });

  it.each([
    ['operator.read', 'sessions.list', 'served'], ['operator.read', 'sessions.create', 'missing scope: operator.write'], ['operator.read', 'sessions.patch', 'missing scope: operator.admin'],
    ['operator.write', 'sessions.list', 'served'], ['operator.write', 'sessions.reset', 'missing scope: operator.admin'], ['operator.read', 'no.such.method', 'missing scope: operator.admin'],
    ['something.else', 'sessions.list', 'missing scope: operator.read'],
  ])('§1: a connection with %s that calls %s: %s', async (scope, method, outcome) => {
    const client = await scene.socket(gateway, { scopes: [scope] });
    const { ok, error } = await client.request(method, {});
    expect(ok === true ? 'served' : error?.message).toBe(outcome);
    client.close();
  });
});
