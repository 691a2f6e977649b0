import path from 'node:path';
import { Metadata, credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import type { Client, ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import {
  Attachment, CleanupFlags, CleanupRequest, CompactSessionRequest, CreateSessionRequest, Envelope, GetHistoryRequest, GetUsageRequest, ListSessionsRequest, PatchSessionRequest, PreviewSessionsRequest,
  ResolveSessionRequest, RouterServiceService, Sender, SessionRow, SubmitMessageRequest, SubscribeRequest, WaitRunRequest,
} from '@sessions/contracts';
import type {
  CreateSessionResponse, GetHistoryResponse, ListSessionsResponse, ResolveSessionResponse, SubmitMessageResponse, SubscribeResponse,
} from '@sessions/contracts';
import { errorFromHeaders } from '@sessions/bus';
import { TOKEN, configOf, startRouter } from '../testing/router-harness';
import type { RunningRouter } from '../testing/router-harness';

const PROTO_DIR = path.resolve(__dirname, '../../../../../proto');
const RouterClient = makeGenericClientConstructor(RouterServiceService, 'RouterService');

let running: RunningRouter;
let client: Client & Record<string, (...args: unknown[]) => unknown>;
const others: Client[] = [];

beforeEach(async () => {
  running = await startRouter({}, { grpcListen: { host: '127.0.0.1', port: 0 } });
  client = new RouterClient(address(), credentials.createInsecure()) as unknown as typeof client;
});
afterEach(async () => {
  for (const open of [client, ...others.splice(0)]) open.close();
  await running.stop();
});

const address = (): string => `127.0.0.1:${String(running.router.grpcAddress()?.port)}`;

function metadata(own: Record<string, string> = {}): Metadata {
  const made = new Metadata();
  for (const [name, value] of Object.entries({ authorization: `Bearer ${TOKEN}`, ...own })) if (value !== '') made.set(name, value);
  return made;
}

function call<T>(method: string, request: unknown, meta = metadata(), options: object = {}): Promise<T> {
  return new Promise((resolve, reject) => {
    const begin = client[method];
    begin?.call(client, request, meta, options, (error: ServiceError | null, answer: T) => (error === null ? resolve(answer) : reject(error)));
  });
}

async function refusal(made: Promise<unknown>): Promise<ServiceError> {
  try {
    await made;
  } catch (error) {
    return error as ServiceError;
  }
  throw new Error('the call was not refused');
}

const detailsOf = (error: ServiceError) =>
  errorFromHeaders({ 'Grpc-Status': String(error.code), 'Grpc-Message': '', 'Grpc-Details': String(error.metadata.get('grpc-details')[0]) });

const hello = SubmitMessageRequest.create({
  envelope: Envelope.create({ channel: 'telegram', messageId: '1', chatType: 'direct', sender: { id: '5', name: undefined, username: undefined, authority: undefined }, text: 'hello' }),
});

describe('RouterService over gRPC', () => {
  it('takes a message in and lists its session', async () => {
    const submitted = await call<SubmitMessageResponse>('submitMessage', hello);
    expect(submitted).toMatchObject({ status: 'accepted', agentId: 'main', sessionKey: 'agent:main:main', matchedBy: 'default' });
    expect(submitted.runId).toBeUndefined();
    expect(await call<SubmitMessageResponse>('submitMessage', hello)).toMatchObject({ status: 'duplicate' });
    const list = await call<ListSessionsResponse>('listSessions', ListSessionsRequest.create({}));
    expect(list.encodedRows.map((row) => SessionRow.decode(row).key)).toEqual(['agent:main:main']);
  });

  it('creates, resolves and patches', async () => {
    const made = await call<CreateSessionResponse>('createSession', CreateSessionRequest.create({ key: 'notes' }));
    expect(made).toMatchObject({ key: 'agent:main:notes', created: true });
    const resolved = await call<ResolveSessionResponse>('resolveSession', ResolveSessionRequest.create({ by: { $case: 'sessionId', value: made.sessionId } }));
    expect(resolved).toMatchObject({ key: 'agent:main:notes', agentId: 'main' });
    const patchJson = Buffer.from('{"sendPolicy":"deny"}');
    await call('patchSession', PatchSessionRequest.create({ key: 'notes', patchJson }));
    expect(running.stores.entry('main', 'agent:main:notes')).toMatchObject({ sendPolicy: 'deny' });
  });

  it('patches no member that a service alone sets, whoever asks', async () => {
    await call('createSession', CreateSessionRequest.create({ key: 'notes' }));
    const before = running.stores.entry('main', 'agent:main:notes');
    const inner = ['boundSession', 'threadBinding', 'yieldingRun', 'providerOverride', 'modelOverrideSource', 'authProfileOverride', 'cleanup', 'archiveAt', 'pluginExtensions', 'sessionFile', 'sessionId', 'openRuns', 'key', '__proto__'];
    for (const name of inner) {
      const patchJson = Buffer.from(`{"label":"L",${JSON.stringify(name)}:null}`);
      const error = await refusal(call('patchSession', PatchSessionRequest.create({ key: 'notes', patchJson })));
      expect([name, error.code, error.details]).toEqual([name, 3, `the field "${name}" cannot be patched`]);
    }
    expect(running.stores.entry('main', 'agent:main:notes')).toEqual(before);
    expect(running.stores.calls.filter((one) => one.startsWith('patchEntry'))).toEqual([]);
  });

  it('makes one session of a request that is made again', async () => {
    const meta = metadata({ 'sess-idempotency-key': 'make-1' });
    const first = await call<CreateSessionResponse>('createSession', CreateSessionRequest.create({}), meta);
    expect(first.key).toMatch(/^agent:main:dashboard:[0-9a-f-]{36}$/);
    expect(await call<CreateSessionResponse>('createSession', CreateSessionRequest.create({}), meta)).toMatchObject({ key: first.key, sessionId: first.sessionId });
  });

  it('streams history', async () => {
    await call('submitMessage', hello);
    const begin = client.getHistory;
    const stream = begin?.call(client, GetHistoryRequest.create({ key: 'main' }), metadata()) as AsyncIterable<GetHistoryResponse>;
    const items: GetHistoryResponse[] = [];
    for await (const item of stream) items.push(item);
    expect(items).toMatchObject([{ item: { $case: 'page', value: { sessionKey: 'agent:main:main', hasMore: false, records: [{ messageSeq: 1, role: 'user' }] } } }]);
  });

  it('refuses inside a stream with the same details', async () => {
    const begin = client.getHistory;
    const stream = begin?.call(client, GetHistoryRequest.create({ key: 'nope' }), metadata()) as AsyncIterable<GetHistoryResponse>;
    const error = await refusal((async () => {
      for await (const item of stream) void item;
    })());
    expect([error.code, error.details, detailsOf(error)?.reason]).toEqual([5, 'Session not found: agent:main:nope', 'SESSION_NOT_FOUND']);
  });

  it('streams events until the client leaves', async () => {
    const begin = client.subscribe;
    const stream = begin?.call(client, SubscribeRequest.create({ all: true }), metadata()) as AsyncIterable<SubscribeResponse> & { cancel(): void };
    const reading = (async () => {
      for await (const { event } of stream) return event?.sessionKey;
      return undefined;
    })();
    // Until the subscription stands, events pass it by.
    let seen: string | undefined;
    void reading.then((key) => (seen = key));
    for (let place = 0; seen === undefined; place += 1) {
      await call('createSession', CreateSessionRequest.create({ key: `n-${place}` }));
    }
    expect(await reading).toMatch(/^agent:main:n-\d+$/);
  });

  it('ends a stream whose rights have gone', async () => {
    const gateway = (agents: readonly string[] | undefined) => ({ agents: { list: [{ id: 'main' }, { id: 'work' }] }, gateway: { auth: { tokens: agents === undefined ? [] : [{ name: 'ann', token: 'of-ann', scopes: ['operator.write'], agents }] } } });
    for (const [agents, code] of [[undefined, 16], [['work'], 7]] as const) {
      let config = configOf(gateway(['main']));
      const open = await startRouter({}, { config: () => config, grpcListen: { host: '127.0.0.1', port: 0 } });
      const ann = new RouterClient(`127.0.0.1:${String(open.router.grpcAddress()?.port)}`, credentials.createInsecure()) as unknown as typeof client;
      others.push(ann);
      const begin = ann['subscribe'];
      const stream = begin?.call(ann, SubscribeRequest.create({ all: true }), metadata({ authorization: 'Bearer of-ann' })) as NodeJS.ReadableStream;
      const heard: unknown[] = [];
      const ended = new Promise<ServiceError>((resolve) => void stream.on('data', (one) => heard.push(one)).on('error', (error) => resolve(error as ServiceError)));
      const admin = await open.client();
      const send = (message: string) => admin.request('chat.send', { sessionKey: 'agent:main:main', message, idempotencyKey: message });
      for (let tries = 0; heard.length === 0 && tries < 50; tries += 1) {
        await send(`before-${String(tries)}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      config = configOf(gateway(agents));
      await send('afterwards');
      expect(await ended).toMatchObject({ code });
      expect(JSON.stringify(heard)).not.toContain('afterwards');
      await open.stop();
    }
  });

  it('ends its streams when the router drains', async () => {
    const begin = client.subscribe;
    const stream = begin?.call(client, SubscribeRequest.create({ all: true }), metadata()) as AsyncIterable<SubscribeResponse>;
    const ended = (async () => {
      for await (const answer of stream) void answer;
    })();
    await call('createSession', CreateSessionRequest.create({ key: 'a' }));
    await Promise.all([running.router.drain(), expect(ended).rejects.toMatchObject({ code: 14 })]);
  });

  it('wants the token, and says so with details', async () => {
    for (const own of [{ authorization: '' }, { authorization: 'Bearer wrong' }]) {
      const error = await refusal(call('listSessions', ListSessionsRequest.create({}), metadata(own)));
      expect([error.code, error.details]).toEqual([16, 'Unauthorized']);
      expect(detailsOf(error)?.reason).toBe('UNAUTHENTICATED');
    }
  });

  it('names fields as its contract does, and what the caller said as it was said', async () => {
    const text = async (method: string, request: unknown): Promise<string> => (await refusal(call(method, request))).details;
    expect(await text('listSessions', ListSessionsRequest.create({ activeMinutes: 0 }))).toBe('active_minutes must be a whole number, at least 1');
    expect(await text('previewSessions', PreviewSessionsRequest.create({ keys: ['main'], maxChars: 1 }))).toMatch(/^max_chars must be at least/);
    expect(await text('compactSession', CompactSessionRequest.create({ key: 'main', maxLines: 0 }))).toBe('max_lines must be at least 1');
    expect(await text('getUsage', GetUsageRequest.create({ startDate: 'startDate' }))).toBe('invalid start_date: expected a valid YYYY-MM-DD calendar date');
    expect(await text('getUsage', GetUsageRequest.create({ startDate: '2026-02-02', endDate: '2026-02-01' }))).toBe('start_date must not be after end_date');
    expect(await text('waitRun', WaitRunRequest.create({ runId: '' }))).toBe('run_id required');
    expect(await text('cleanup', CleanupRequest.create({ flags: CleanupFlags.create({ activeKey: ' ' }) }))).toMatch(/^active_key must name a session key/);
    // The members of a patch are JSON.
    await call('createSession', CreateSessionRequest.create({ key: 'main' }));
    expect(await text('patchSession', PatchSessionRequest.create({ key: 'main', patchJson: Buffer.from('{"agentId":1}') }))).toContain('"agentId"');
    expect(await text('patchSession', PatchSessionRequest.create({ key: 'main', patchJson: Buffer.from('{"thinkingLevel":7}') }))).toContain('thinkingLevel');
    expect(await text('resolveSession', ResolveSessionRequest.create({ by: { $case: 'key', value: 'agentId' } }))).toBe('No session found: agentId');
  });

  it('names the fields of an envelope as its contract does', async () => {
    const envelope = Envelope.create({ channel: 'telegram', chatType: 'weird', sender: Sender.create({ id: '1', name: 'n'.repeat(300) }), attachments: [Attachment.create({ name: 'a', mimeType: 'none', content: Buffer.from('x') })] });
    const { details } = await refusal(call('submitMessage', SubmitMessageRequest.create({ envelope })));
    expect(details).toContain('message_id: is required');
    expect(details).toContain('chat_type: must be one of direct, group, channel');
    expect(details).toContain('attachments[0].mime_type: must be a type such as image/png');
    expect(details).not.toMatch(/[a-z][A-Z]/);
  });

  it('decodes nothing of who may not call, and only little of what anybody may', async () => {
    const decode = jest.spyOn(ListSessionsRequest, 'decode');
    const list = (meta: Metadata): Promise<unknown> => call('listSessions', ListSessionsRequest.create({ search: 'x'.repeat(8 * 1024 * 1024) }), meta);
    try {
      for (const own of [{ authorization: '' }, { authorization: 'Bearer wrong' }]) {
        const error = await refusal(list(metadata(own)));
        expect([error.code, error.details, detailsOf(error)?.reason]).toEqual([16, 'Unauthorized', 'UNAUTHENTICATED']);
      }
      const narrowed = await refusal(list(metadata({ 'x-openclaw-scopes': 'operator.approvals' })));
      expect([narrowed.code, detailsOf(narrowed)?.reason]).toEqual([7, 'SCOPE_MISSING']);
      expect(decode).not.toHaveBeenCalled();
      await call('listSessions', ListSessionsRequest.create({}));
      expect(decode).toHaveBeenCalledTimes(1);
    } finally {
      decode.mockRestore();
    }
    const check = (service: string): Promise<unknown> =>
      new Promise((resolve, reject) => {
        const bytes = Buffer.concat([Buffer.from([0x0a, (service.length & 0x7f) | 0x80, service.length >> 7]), Buffer.from(service)]);
        (client as unknown as Client).makeUnaryRequest('/grpc.health.v1.Health/Check', (given: Buffer) => given, (given: Buffer) => given, bytes, new Metadata(), (error, answer) => (error === null ? resolve(answer) : reject(error)));
      });
    expect((await refusal(check('n'.repeat(4000)))).code).toBe(5);
    expect((await refusal(check('n'.repeat(5000)))).code).toBe(13);
  });

  it('answers refusals as status and reason', async () => {
    const unknown = await refusal(call('resolveSession', ResolveSessionRequest.create({ by: { $case: 'key', value: 'nope' } })));
    expect([unknown.code, unknown.details, detailsOf(unknown)?.reason]).toEqual([5, 'No session found: nope', 'SESSION_NOT_FOUND']);
    await call('createSession', CreateSessionRequest.create({ key: 'main' }));
    running.stores.unserved.add('requestCompaction');
    const later = await refusal(call('compactSession', CompactSessionRequest.create({ key: 'main' })));
    expect([later.code, detailsOf(later)?.reason]).toEqual([12, 'UNSUPPORTED']);
    const peerless = await refusal(call('submitMessage', SubmitMessageRequest.create({ envelope: Envelope.create({ text: 'x' }) })));
    expect(detailsOf(peerless)?.reason).toBe('VALIDATION');
  });

  it('names the number that is too wide, and its bounds, wherever it stands, once it knows who calls', async () => {
    const wide = (definition: { requestStream: false; responseStream: boolean; path: string }, bytes: number[], meta = metadata()): Promise<ServiceError> =>
      refusal(new Promise((resolve, reject) => {
        const raw = client as unknown as Client;
        if (!definition.responseStream) return void raw.makeUnaryRequest(definition.path, (given: Buffer) => given, (given: Buffer) => given, Buffer.from(bytes), meta, (error, answer) => (error === null ? resolve(answer) : reject(error)));
        raw.makeServerStreamRequest(definition.path, (given: Buffer) => given, (given: Buffer) => given, Buffer.from(bytes), meta).on('error', reject).on('data', resolve);
      }));
    const { searchSessions, getHistory, patchSession } = RouterServiceService;
    const beyond = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]; // 2^53
    const below = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xef, 0xff, 0x01]; // -2^53 - 1
    const bounds = 'must be a whole number from -9007199254740991 to 9007199254740991';
    for (const [definition, bytes, field] of [
      [searchSessions, [0x0a, 1, 0x78, 0x38, ...beyond], 'since_at_ms'],
      [searchSessions, [0x0a, 1, 0x78, 0x40, ...below], 'until_at_ms'],
      [getHistory, [0x20, ...beyond], 'before_seq'],
      [getHistory, [0x0a, 1, 0x78, 0x3a, 1 + beyond.length, 0x10, ...beyond], 'after.message_seq'],
      [patchSession, [0x20, ...beyond], 'expected_updated_at_ms'],
    ] as const) {
      const error = await wide(definition, [...bytes]);
      expect([error.code, error.details, detailsOf(error)?.reason, detailsOf(error)?.facts]).toEqual([3, `${field} ${bounds}`, 'VALIDATION', { field }]);
      const stranger = await wide(definition, [...bytes], metadata({ authorization: 'Bearer wrong' }));
      expect([stranger.code, stranger.details]).toEqual([16, 'Unauthorized']);
    }
    // The widest that fits is taken.
    const most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f];
    expect((await wide(searchSessions, [0x0a, 1, 0x78, 0x12, 1, 0x78, 0x22, 1, 0x78, 0x38, ...most]).catch(() => undefined))?.details ?? '').not.toContain(bounds);
    // Beyond what is looked at it is refused without a name; however many fields there are.
    const many = await wide(searchSessions, [...Array.from({ length: 40_000 }, (_, at) => (at % 2 === 0 ? 0x48 : 1)), 0x38, ...beyond]);
    expect([many.code, many.details]).toEqual([3, 'the request is no message of this method: it cannot be decoded']);
    const broken = await wide(searchSessions, [0x0a, 0x7f, 0x78]);
    expect([broken.code, broken.details]).toEqual([3, 'the request is no message of this method: it cannot be decoded']);
  });

  it('takes the idempotency key from metadata, and believes nothing else of the caller', async () => {
    const meta = metadata({ 'sess-idempotency-key': 'k1', 'sess-scopes': '', 'sess-caller': 'service:evil/1' });
    const message = SubmitMessageRequest.create({ envelope: Envelope.create({ originKind: 'webchat', text: 'a' }) });
    expect(await call<SubmitMessageResponse>('submitMessage', message, meta)).toMatchObject({ status: 'accepted' });
    expect(await call<SubmitMessageResponse>('submitMessage', message, meta)).toMatchObject({ status: 'duplicate' });
  });

  it('serves health and reflection', async () => {
    const own = await startRouter({}, { grpcListen: { host: '127.0.0.1', port: 0 }, protoDir: PROTO_DIR });
    const address = `127.0.0.1:${String(own.router.grpcAddress()?.port)}`;
    const health = loadSync(require.resolve('grpc-health-check/proto/health/v1/health.proto'), {});
    const Health = makeGenericClientConstructor(health['grpc.health.v1.Health'] as never, 'Health');
    const healthClient = new Health(address, credentials.createInsecure()) as unknown as typeof client;
    others.push(healthClient);
    const status = await new Promise((resolve, reject) => {
      const check = healthClient.Check;
      check?.call(healthClient, { service: 'sessions.v1.RouterService' }, (error: unknown, answer: unknown) => (error === null ? resolve(answer) : reject(error as Error)));
    });
    // Enum values of a definition loaded without options are numbers: 1 is SERVING.
    expect(status).toMatchObject({ status: 1 });
    const reflection = loadSync(require.resolve('@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto'), {});
    const Reflection = makeGenericClientConstructor(reflection['grpc.reflection.v1.ServerReflection'] as never, 'ServerReflection');
    const reflectionClient = new Reflection(address, credentials.createInsecure()) as unknown as typeof client;
    others.push(reflectionClient);
    const info = reflectionClient.ServerReflectionInfo;
    const stream = info?.call(reflectionClient) as { write(request: unknown): void; end(): void } & AsyncIterable<{ listServicesResponse: { service: { name: string }[] } }>;
    stream.write({ listServices: '' });
    stream.end();
    const names: string[] = [];
    for await (const answer of stream) names.push(...answer.listServicesResponse.service.map(({ name }) => name));
    // All that the server serves, and a file for each.
    expect(names.sort()).toEqual(['grpc.health.v1.Health', 'grpc.reflection.v1.ServerReflection', 'grpc.reflection.v1alpha.ServerReflection', 'sessions.v1.RouterService']);
    const described = info?.call(reflectionClient) as { write(request: unknown): void; end(): void } & AsyncIterable<{ fileDescriptorResponse?: { fileDescriptorProto: unknown[] } }>;
    for (const fileContainingSymbol of names) described.write({ fileContainingSymbol });
    described.end();
    const files: number[] = [];
    for await (const answer of described) files.push(answer.fileDescriptorResponse?.fileDescriptorProto.length ?? 0);
    expect(files.every((count) => count > 0)).toBe(true);
    expect(files).toHaveLength(names.length);
    await own.stop();
  });
});
