import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { signedTexts } from '../auth/device';
import { FAILURES_MAX } from '../auth/failure-limit';
import { TestClient, connectParams, startRouter } from '../testing/router-harness';
import type { Answer, RunningRouter } from '../testing/router-harness';

let running: RunningRouter;
beforeAll(async () => void (running = await startRouter()));
afterAll(() => running.stop());

interface Attempt {
  readonly answer: Answer;
  readonly client: TestClient;
}

async function attempt(more: Record<string, unknown>, headers: Record<string, string> = {}): Promise<Attempt> {
  const client = await TestClient.open(running.wsUrl, headers);
  return { client, answer: await client.request('connect', connectParams(more)) };
}

async function refused(more: Record<string, unknown>, headers: Record<string, string> = {}) {
  const { client, answer } = await attempt(more, headers);
  expect(answer.ok).toBe(false);
  return { error: answer.error, close: await client.whenClosed() };
}

function device(nonce: string, platform = 'linux') {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  const unsigned = { id: createHash('sha256').update(raw).digest('hex'), publicKey: raw.toString('base64url'), signature: '', signedAt: Date.now(), nonce };
  const claim = {
    clientId: 'gateway-client', clientMode: 'backend', role: 'operator', scopes: ['operator.admin'], token: 'a-test-token', platform, deviceFamily: undefined,
  };
  return { ...unsigned, signature: sign(null, Buffer.from(signedTexts(unsigned, claim)[0] ?? ''), privateKey).toString('base64url') };
}

describe('the handshake', () => {
  it('challenges first, and says hello to the right token', async () => {
    const { client, answer } = await attempt({});
    expect(client.nonce).toMatch(/^[0-9a-f-]{36}$/);
    expect(answer.payload).toMatchObject({
      type: 'hello-ok',
      protocol: 4,
      server: { version: '0.0.0-test' },
      auth: { role: 'operator', scopes: ['operator.admin'] },
      policy: { maxPayload: 26_214_400, maxBufferedBytes: 52_428_800, tickIntervalMs: 30_000 },
      snapshot: { sessionDefaults: { defaultAgentId: 'main', mainKey: 'main', mainSessionKey: 'agent:main:main', scope: 'per-sender' }, stateDir: '/state' },
    });
    const { methods } = answer.payload.features as unknown as { methods: string[] };
    expect(methods).toContain('sessions.list');
    expect(methods).not.toContain('sessions.get');
    await client.until(() => client.events('health')[0]);
    expect(client.events('health')[0]?.seq).toBe(1);
    client.close();
  });

  it('keeps paths of the host from clients that are no administrators', async () => {
    const { answer, client } = await attempt({ scopes: ['operator.read'] });
    expect(answer.payload.snapshot).not.toHaveProperty('stateDir');
    expect(answer.payload.snapshot).not.toHaveProperty('configPath');
    client.close();
  });

  it('names the highest protocol that both know', async () => {
    for (const [minProtocol, maxProtocol, protocol] of [[3, 3, 3], [1, 4, 4], [3, 9, 4]] as const) {
      const { answer, client } = await attempt({ minProtocol, maxProtocol });
      expect(answer.payload.protocol).toBe(protocol);
      client.close();
    }
    const { error, close } = await refused({ minProtocol: 5, maxProtocol: 6 });
    expect(error).toMatchObject({ code: 'INVALID_REQUEST', message: 'protocol mismatch', details: { code: 'PROTOCOL_MISMATCH', clientMinProtocol: 5, clientMaxProtocol: 6, expectedProtocol: 4 } });
    expect(close.code).toBe(1002);
  });

  it('refuses a wrong token, and says what to do about it', async () => {
    const { error, close } = await refused({ auth: { token: 'wrong' } });
    expect(error).toEqual({
      code: 'INVALID_REQUEST',
      message: 'unauthorized: gateway token mismatch (provide gateway auth token)',
      details: { code: 'AUTH_TOKEN_MISMATCH', authReason: 'token_mismatch', canRetryWithDeviceToken: false, recommendedNextStep: 'update_auth_credentials' },
    });
    expect(close).toEqual({ code: 1008, reason: error.message });
    const cli = await refused({ auth: { token: 'wrong' }, client: { id: 'cli', version: '1', platform: 'linux', mode: 'cli' } });
    expect(cli.error.message).toBe('unauthorized: gateway token mismatch (set gateway.remote.token to match gateway.auth.token)');
    expect(cli.error.details).toMatchObject({ canRetryWithDeviceToken: true, recommendedNextStep: 'retry_with_device_token' });
  });

  it('tells a missing token from no credentials at all', async () => {
    const password = await refused({ auth: { password: 'x' } });
    expect(password.error).toMatchObject({ details: { code: 'AUTH_TOKEN_MISSING', authReason: 'token_missing' } });
    const nothing = await refused({ auth: undefined });
    expect(nothing.error).toMatchObject({ code: 'NOT_PAIRED', message: 'device identity required', details: { code: 'DEVICE_IDENTITY_REQUIRED' } });
    expect(nothing.close.code).toBe(1008);
  });

  it('refuses unknown clients, roles and members in the known words', async () => {
    const client = { id: 'nobody', version: '1', platform: 'linux', mode: 'backend' };
    expect((await refused({ client })).error.message).toBe('invalid connect params: at /client/id: must be equal to one of the allowed values');
    expect((await refused({ extra: 1 })).error.message).toBe("invalid connect params: at root: unexpected property 'extra'");
    expect((await refused({ client: { ...client, id: 'cli', mode: undefined } })).error.message).toBe("invalid connect params: at /client: must have required property 'mode'");
    expect((await refused({ role: 'king' })).error.message).toBe('invalid role');
  });

  it('verifies a device that is presented', async () => {
    const good = await TestClient.open(running.wsUrl);
    expect((await good.request('connect', connectParams({ device: device(good.nonce) }))).ok).toBe(true);
    good.close();
    expect((await refused({ device: device('another-nonce') })).error).toMatchObject({ message: 'device nonce mismatch', details: { code: 'DEVICE_AUTH_NONCE_MISMATCH' } });
    const forged = await TestClient.open(running.wsUrl);
    const answer = await forged.request('connect', connectParams({ device: device(forged.nonce, 'darwin') }));
    expect(answer.error).toMatchObject({ message: 'device signature invalid', details: { code: 'DEVICE_AUTH_SIGNATURE_INVALID' } });
    forged.close();
  });

  it('lets the control UI in from its own host only', async () => {
    const client = { id: 'openclaw-control-ui', version: 'control-ui', platform: 'web', mode: 'webchat' };
    expect((await refused({ client })).error).toMatchObject({ details: { code: 'CONTROL_UI_ORIGIN_NOT_ALLOWED' } });
    expect((await refused({ client }, { origin: 'https://evil.example' })).error).toMatchObject({ details: { code: 'CONTROL_UI_ORIGIN_NOT_ALLOWED' } });
    const { answer, client: socket } = await attempt({ client }, { origin: running.url });
    expect(answer.ok).toBe(true);
    socket.close();
  });

  it('lets in the pages of origins that the configuration names, and of no others', async () => {
    const listed = await startRouter({ gateway: { controlUi: { allowedOrigins: ['https://panel.example/'] } } });
    const client = { id: 'openclaw-control-ui', version: 'control-ui', platform: 'web', mode: 'webchat' };
    const judged = async (origin: string): Promise<boolean> => {
      const page = await TestClient.open(listed.wsUrl, { origin });
      const { ok } = await page.request('connect', connectParams({ client }));
      page.close();
      return ok;
    };
    expect(await judged('https://panel.example')).toBe(true);
    for (const origin of ['http://panel.example', 'https://panel.example:8443', 'https://panel.example.evil', 'null', 'noise']) expect([origin, await judged(origin)]).toEqual([origin, false]);
    await listed.stop();
  });

  it('lets no page of another site in where no secret is asked for', async () => {
    const open = await startRouter({}, { auth: {} });
    const page = await TestClient.open(open.wsUrl, { origin: 'https://evil.example' });
    expect((await page.request('connect', connectParams({ auth: undefined }))).error).toMatchObject({ details: { code: 'CONTROL_UI_ORIGIN_NOT_ALLOWED' } });
    const program = await TestClient.open(open.wsUrl);
    expect((await program.request('connect', connectParams({ auth: undefined }))).ok).toBe(true);
    program.close();
    await open.stop();
  });

  it('judges its own clients whatever the pages of other sites try', async () => {
    for (let tried = 0; tried <= FAILURES_MAX; tried += 1) {
      const page = await TestClient.open(running.wsUrl, { origin: 'https://evil.example' });
      await page.request('connect', connectParams({ auth: { token: `guess-${tried}` } }));
      page.close();
    }
    const { answer, client } = await attempt({}, { origin: 'https://evil.example' });
    expect(answer.error).toMatchObject({ details: { code: 'AUTH_RATE_LIMITED' } });
    client.close();
    const own = await attempt({});
    expect(own.answer.ok).toBe(true);
    own.client.close();
  });

  it('wants connect first', async () => {
    const client = await TestClient.open(running.wsUrl);
    const answer = await client.request('health');
    expect(answer.error.message).toBe('invalid handshake: first request must be connect');
    expect(await client.whenClosed()).toEqual({ code: 1008, reason: 'invalid handshake: first request must be connect' });
    const noise = await TestClient.open(running.wsUrl);
    noise.send('not json');
    expect((await noise.whenClosed()).code).toBe(1000);
  });

  it('cuts off a client that sends much before it is let in', async () => {
    const client = await TestClient.open(running.wsUrl);
    client.send(`{"type":"req","id":"1","method":"connect","params":{"pathEnv":"${'x'.repeat(200_000)}"}}`);
    const { code } = await client.whenClosed();
    expect([1006, 1009]).toContain(code);
    expect(client.frames.filter((frame) => frame.type === 'res')).toEqual([]);
  });

  it('answers requests that came together with connect after it', async () => {
    const client = await TestClient.open(running.wsUrl);
    client.send({ type: 'req', id: 'c', method: 'connect', params: connectParams() });
    client.send({ type: 'req', id: 'l', method: 'sessions.list' });
    expect((await client.answerTo('l')).ok).toBe(true);
    client.close();
  });
});

describe('an open connection', () => {
  it('answers what is no request and stays open', async () => {
    const client = await running.client();
    client.send('noise');
    client.send({ type: 'req', id: 'x', method: 'health', extra: true });
    expect((await client.answerTo('x')).error).toMatchObject({ code: 'INVALID_REQUEST', message: "invalid request frame: at root: unexpected property 'extra'" });
    expect((await client.request('connect', connectParams())).error.message).toBe('connect is only valid as the first request');
    expect((await client.request('sessions.list')).ok).toBe(true);
  });

  it('asks for the scope of each method', async () => {
    const reader = await running.client(['operator.read']);
    expect((await reader.request('sessions.list')).ok).toBe(true);
    expect((await reader.request('sessions.patch', { key: 'main' })).error).toMatchObject({ code: 'INVALID_REQUEST', message: 'missing scope: operator.admin' });
    expect((await reader.request('no.such.method')).error.message).toBe('missing scope: operator.admin');
    const nobody = await running.client([]);
    expect((await nobody.request('sessions.list')).error.message).toBe('missing scope: operator.read');
    const admin = await running.client();
    expect((await admin.request('no.such.method')).error).toMatchObject({ code: 'INVALID_REQUEST', message: 'unknown method: no.such.method' });
    expect((await admin.request('config.schema')).error).toMatchObject({ code: 'UNAVAILABLE', details: { reason: 'UNSUPPORTED' } });
  });

  it('says goodbye when the router drains', async () => {
    const own = await startRouter();
    const client = await own.client();
    const drained = own.router.drain();
    expect(await client.whenClosed()).toEqual({ code: 1012, reason: 'service restart' });
    expect(client.events('shutdown')).toHaveLength(1);
    await drained;
    await own.stop();
  });
});
