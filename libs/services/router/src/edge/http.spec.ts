import { Agent, get as getOver, request } from 'node:http';
import { FAILURES_MAX } from '../auth/failure-limit';
import { TOKEN, startRouter } from '../testing/router-harness';
import type { RunningRouter } from '../testing/router-harness';

let running: RunningRouter;
beforeEach(async () => void (running = await startRouter({ session: { dmScope: 'per-peer' } })));
afterEach(() => running.stop());

const headers = { authorization: `Bearer ${TOKEN}` };
const MESSAGE = { channel: 'telegram', messageId: '501', chatType: 'direct', sender: { id: '123', name: 'Ann' }, text: 'Hello' };

const get = (path: string, own: Record<string, string> = headers): Promise<Response> => fetch(running.url + path, { headers: own });
const post = (body: unknown, path = '/v1/messages', own: Record<string, string> = headers): Promise<Response> =>
  fetch(running.url + path, { method: 'POST', headers: own, body: typeof body === 'string' ? body : JSON.stringify(body) });
const json = async (response: Promise<Response>): Promise<{ status: number; body: Record<string, unknown> }> => {
  const answered = await response;
  return { status: answered.status, body: (await answered.json()) as Record<string, unknown> };
};

describe('health over HTTP', () => {
  it('needs no token', async () => {
    for (const path of ['/health', '/healthz']) expect(await json(get(path, {}))).toEqual({ status: 200, body: { ok: true, status: 'live' } });
    for (const path of ['/ready', '/readyz']) expect(await json(get(path, {}))).toMatchObject({ status: 200, body: { ready: true, failing: [] } });
    const head = await fetch(`${running.url}/health`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });
});

describe('the door', () => {
  it('answers the known text without a good token', async () => {
    for (const own of [{}, { authorization: 'Bearer wrong' }] as Record<string, string>[]) {
      expect(await json(post(MESSAGE, '/v1/messages', own))).toEqual({ status: 401, body: { error: { message: 'Unauthorized', type: 'unauthorized' } } });
    }
    expect((await get('/metrics', {})).status).toBe(401);
    expect(await (await get('/metrics')).text()).toContain('sessions_http_requests_total');
  });

  it('asks programs for nothing where no secret is set, but refuses pages of other sites', async () => {
    const open = await startRouter({}, { auth: {} });
    const status = async (own: Record<string, string>): Promise<number> => (await fetch(`${open.url}/metrics`, { headers: own })).status;
    expect(await status({})).toBe(200);
    expect(await status({ origin: open.url })).toBe(200);
    for (let tried = 0; tried <= FAILURES_MAX; tried += 1) expect(await status({ origin: 'https://evil.example' })).toBe(401);
    // Nobody was shut out by what the page did.
    expect(await status({})).toBe(200);
    await open.stop();
  });

  it('is not reached over a name that somebody else points at this machine', async () => {
    const open = await startRouter({}, { auth: {} });
    const { port } = new URL(open.url);
    const status = (host: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        getOver({ port, path: '/metrics', headers: { host } }, (answer) => resolve(answer.resume().statusCode)).on('error', reject);
      });
    for (const own of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`]) expect([own, await status(own)]).toEqual([own, 200]);
    for (const foreign of [`evil.example:${port}`, `127.0.0.1.evil.example:${port}`, 'evil.example']) expect([foreign, await status(foreign)]).toEqual([foreign, 401]);
    await open.stop();
  });

  it('names the methods of a path, and knows no other paths', async () => {
    const wrong = await get('/v1/messages');
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'POST']);
    expect((await post('', '/health')).status).toBe(405);
    expect((await get('/api/nothing')).status).toBe(404);
  });

  it('lets a header narrow the scopes, never widen them', async () => {
    const own = { ...headers, 'x-openclaw-scopes': 'operator.read' };
    expect(await json(post(MESSAGE, '/v1/messages', own))).toMatchObject({ status: 403, body: { ok: false, error: { type: 'forbidden', message: 'missing scope: operator.write', reason: 'SCOPE_MISSING' } } });
  });
});

describe('POST /v1/messages', () => {
  it('takes a message in, once', async () => {
    const first = await json(post(MESSAGE));
    expect(first).toEqual({
      status: 202,
      body: { ok: true, status: 'accepted', agentId: 'main', sessionKey: 'agent:main:direct:123', sessionId: expect.stringMatching(/-/) as unknown, matchedBy: 'default' },
    });
    expect(await json(post(MESSAGE))).toMatchObject({ status: 200, body: { status: 'duplicate', sessionKey: 'agent:main:direct:123' } });
    expect(running.stores.texts('main', 'agent:main:direct:123')).toEqual(['Hello']);
  });

  it('refuses the same key with another content', async () => {
    const own = { ...headers, 'idempotency-key': 'one' };
    expect((await post(MESSAGE, '/v1/messages', own)).status).toBe(202);
    expect(await json(post({ ...MESSAGE, text: 'Other' }, '/v1/messages', own))).toMatchObject({ status: 409, body: { error: { type: 'conflict', reason: 'IDEMPOTENCY_MISMATCH' } } });
  });

  it('refuses two keys that are not one, and keeps nothing', async () => {
    const both = { ...MESSAGE, idempotencyKey: 'two' };
    expect(await json(post(both, '/v1/messages', { ...headers, 'idempotency-key': 'one' }))).toMatchObject({ status: 400, body: { error: { reason: 'VALIDATION', message: expect.stringContaining('Idempotency-Key') as unknown } } });
    expect(running.stores.texts('main', 'agent:main:direct:123')).toEqual([]);
    expect((await post(both, '/v1/messages', { ...headers, 'idempotency-key': 'two' })).status).toBe(202);
  });

  it('refuses what is no envelope, naming it', async () => {
    expect(await json(post('{'))).toMatchObject({ status: 400, body: { ok: false, error: { type: 'invalid_request', reason: 'VALIDATION' } } });
    const extra = await json(post({ ...MESSAGE, bogus: 1 }));
    expect(extra.status).toBe(400);
    expect((extra.body.error as { message: string }).message).toContain('bogus');
    expect(await json(post({ ...MESSAGE, sender: {} }))).toMatchObject({ status: 400, body: { error: { reason: 'PEER_MISSING' } } });
    expect((await post({ ...MESSAGE, text: 'x'.repeat(300 * 1024) })).status).toBe(413);
  });

  it('refuses a body that is too large', async () => {
    expect((await post('x'.repeat(26 * 1024 * 1024))).status).toBe(413);
  });

  it('answers a body that is too large to a client that is still sending it, its length told or not', async () => {
    const { port } = new URL(running.url);
    const answerOf = (own: Record<string, string>): Promise<{ status: number | undefined; unsentCount: number }> =>
      new Promise((resolve, reject) => {
        const chunk = Buffer.alloc(1024 * 1024, 'x');
        let left = 27;
        // An answer that overtakes the body comes with the end of the connection, which a sender may meet first.
        const sent = request({ port, method: 'POST', path: '/v1/messages', headers: { ...headers, ...own } }, (response) => resolve({ status: response.resume().statusCode, unsentCount: left }));
        sent.on('error', reject);
        const write = (): void => {
          while (left > 0) {
            left -= 1;
            if (!sent.write(chunk)) return void sent.once('drain', write);
          }
          sent.end();
        };
        write();
      });
    expect(await answerOf({ 'content-length': String(27 * 1024 * 1024) })).toEqual({ status: 413, unsentCount: 0 });
    expect(await answerOf({ 'transfer-encoding': 'chunked' })).toEqual({ status: 413, unsentCount: 0 });
    expect((await post(MESSAGE)).status).toBe(202);
  });

  it('judges the wait, and does not wait for a run that does not begin', async () => {
    expect((await post(MESSAGE, '/v1/messages?wait=soon')).status).toBe(400);
    expect((await post(MESSAGE, '/v1/messages?wait=600001')).status).toBe(400);
    expect((await post(MESSAGE, '/v1/messages?wait=600000')).status).toBe(202);
  });

  it('sends a webhook made again to the session of its first try', async () => {
    const hook = { origin: { kind: 'hook' }, hook: { name: 'build' }, idempotencyKey: 'b-1', text: 'Build failed' };
    const first = await json(post(hook));
    expect(first.body.sessionKey).toMatch(/^agent:main:hook:[0-9a-f-]{36}$/);
    expect(await json(post(hook))).toMatchObject({ status: 200, body: { status: 'duplicate', sessionKey: first.body.sessionKey } });
  });

  it('carries attachments that are larger than one bus message', async () => {
    const content = Buffer.alloc(1_500_000, 7).toString('base64');
    const answer = await json(post({ ...MESSAGE, attachments: [{ name: 'a.bin', mimeType: 'image/png', content }] }));
    // The store in memory takes no uploads; what matters here is that they were asked for.
    expect(answer.body).toMatchObject({ error: { reason: 'UNSUPPORTED' } });
    expect(running.stores.calls.at(-1)).not.toBe('deliver main');
  });
});

describe('GET /sessions/{key}/history', () => {
  beforeEach(() => {
    const texts = Array.from({ length: 5 }, (_, place) => ({ role: place === 2 ? 'toolResult' : 'user', text: `m${place + 1}` }));
    running.stores.put('main', 'agent:main:main', { sessionId: '0190aaaa-0000-7000-8000-000000000001', updatedAt: 1 }, texts);
  });
  const seqs = (body: Record<string, unknown>): number[] => (body.items as { __openclaw: { seq: number } }[]).map((item) => item.__openclaw.seq);

  it('gives the newest page first, each page ascending', async () => {
    const { status, body } = await json(get('/sessions/main/history?limit=2&includeTools=1'));
    expect(status).toBe(200);
    expect(body).toMatchObject({ sessionKey: 'agent:main:main', sessionId: '0190aaaa-0000-7000-8000-000000000001', hasMore: true, nextCursor: '4' });
    expect(seqs(body)).toEqual([4, 5]);
    expect(body.messages).toEqual(body.items);
    const older = await json(get('/sessions/agent%3Amain%3Amain/history?limit=2&includeTools=1&cursor=seq:4'));
    expect(seqs(older.body)).toEqual([2, 3]);
    const oldest = await json(get('/sessions/agent:main:main/history?includeTools=1&cursor=2'));
    expect(oldest.body).toMatchObject({ hasMore: false });
    expect(oldest.body).not.toHaveProperty('nextCursor');
  });

  it('leaves tool rows out unless asked, and takes a session id', async () => {
    expect(seqs((await json(get('/sessions/0190aaaa-0000-7000-8000-000000000001/history'))).body)).toEqual([1, 2, 4, 5]);
  });

  it('judges its parameters', async () => {
    for (const query of ['limit=0', 'limit=x', 'cursor=x', 'cursor=0', 'cursor=seq:0', 'includeTools=maybe']) {
      const { status, body } = await json(get(`/sessions/main/history?${query}`));
      expect(status).toBe(400);
      expect((body.error as { message: string }).message).toContain(query.split('=')[0]);
    }
    for (const most of ['5000', '9'.repeat(30)]) expect(seqs((await json(get(`/sessions/main/history?limit=${most}`))).body)).toHaveLength(4);
  });

  it('does not know unknown sessions', async () => {
    expect(await json(get('/sessions/nope/history'))).toEqual({
      status: 404,
      body: { ok: false, error: { type: 'not_found', message: 'Session not found: agent:main:nope', reason: 'SESSION_NOT_FOUND' } },
    });
  });
});

describe('a router that drains', () => {
  it('answers what is under way and ends kept connections, so that a client that never rests does not hold it', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    let isOver = false;
    const client = (async () => {
      const statuses: (number | string)[] = [];
      while (!isOver) {
        statuses.push(
          await new Promise<number | string>((resolve) => {
            request(`${running.url}/health`, { agent }, (response) => response.resume().on('end', () => resolve(response.statusCode ?? 0)))
              .on('error', () => resolve('refused'))
              .end();
          }),
        );
      }
      return new Set(statuses);
    })();
    await new Promise((resolve) => setTimeout(resolve, 100));
    await running.router.drain();
    isOver = true;
    expect((await client).has(200)).toBe(true);
    agent.destroy();
  });
});
