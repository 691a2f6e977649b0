/** Kill, tools, hooks and deliveries over HTTP, and the document that describes the door. */
import { Delivery } from '@sessions/contracts';
import { memoryRun } from '../testing/memory-operations';
import { TOKEN, startRouter } from '../testing/router-harness';
import type { RunningRouter } from '../testing/router-harness';
import { OPERATIONS } from '../auth/operations';
import { SMALL_BODY_BYTES_MAX } from './http-answer';

const HOOK_TOKEN = 'for-hooks';
let running: RunningRouter;
beforeEach(async () => {
  running = await startRouter({ hooks: { enabled: true, token: HOOK_TOKEN, path: '/in', allowRequestSessionKey: true } });
  running.stores.put('main', 'agent:main:main', { sessionId: '0190aaaa-0000-7000-8000-000000000001', updatedAt: 1 });
});
afterEach(() => running.stop());

async function ask(path: string, init: { method?: string; body?: unknown; token?: string; headers?: Record<string, string> } = {}) {
  const { method = 'POST', body = {}, token = TOKEN, headers = {} } = init;
  const answer = await fetch(running.url + path, {
    method,
    headers: { ...(token !== '' && { authorization: `Bearer ${token}` }), ...headers },
    ...(method === 'POST' && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, text, json: /json/.test(answer.headers.get('content-type') ?? '') ? (JSON.parse(text) as Record<string, unknown>) : undefined, allow: answer.headers.get('allow') };
}

describe('POST /sessions/{key}/kill', () => {
  it('ends what runs, and says when nothing does', async () => {
    expect(await ask('/sessions/main/kill')).toMatchObject({ status: 200, json: { ok: true, killed: false } });
    running.stores.aside('main').runs.set('r', memoryRun({ runId: 'r', sessionKey: 'agent:main:main' }));
    expect(await ask('/sessions/agent%3Amain%3Amain/kill')).toMatchObject({ status: 200, json: { ok: true, killed: true } });
  });

  it('is refused before anything is looked up, and then by what is there', async () => {
    expect(await ask('/sessions/nope/kill', { token: '' })).toMatchObject({ status: 401, json: { error: { message: 'Unauthorized', type: 'unauthorized' } } });
    expect(await ask('/sessions/nope/kill', { headers: { 'x-openclaw-scopes': 'operator.read', 'x-openclaw-requester-session-key': 'agent:main:main' } })).toMatchObject({
      status: 403, json: { ok: false, error: { type: 'forbidden', message: 'missing scope: operator.admin' } },
    });
    expect(await ask('/sessions/nope/kill')).toMatchObject({ status: 404, json: { ok: false, error: { type: 'not_found', message: 'Session not found: agent:main:nope' } } });
    expect(await ask('/sessions/main/kill', { method: 'GET' })).toMatchObject({ status: 405, allow: 'POST' });
    running.stores.unserved.add('cancelRun');
    expect(await ask('/sessions/main/kill')).toMatchObject({ status: 503, json: { error: { type: 'unavailable', reason: 'UNSUPPORTED' } } });
  });
});

describe('POST /tools/invoke', () => {
  it('has the session tools and no others, and says so', async () => {
    expect(await ask('/tools/invoke', { body: { tool: 'read_file' } })).toMatchObject({ status: 404, json: { ok: false, error: { message: 'Tool not available: read_file' } } });
    expect(await ask('/tools/invoke', { body: {} })).toMatchObject({ status: 400, json: { ok: false, error: { type: 'invalid_request' } } });
    expect(await ask('/tools/invoke', { body: '{' })).toMatchObject({ status: 400, json: { error: { type: 'invalid_request_error' } } });
  });
});

describe('a body', () => {
  const large = (members: Record<string, unknown>) => ({ ...members, more: 'x'.repeat(SMALL_BODY_BYTES_MAX) });

  it('has a small bound wherever no attachment comes', async () => {
    const refused = { status: 413, json: { ok: false, error: { type: 'too_large', reason: 'TOO_LARGE', message: `the body is larger than ${SMALL_BODY_BYTES_MAX} bytes` } } };
    expect(await ask('/v1/deliveries/d-1/ack', { body: large({ ok: true }) })).toMatchObject(refused);
    for (const path of ['/in/agent', '/in/wake']) expect(await ask(path, { token: HOOK_TOKEN, body: large({ message: 'x', text: 'x' }) })).toMatchObject(refused);
    // What is wrong with it is said, not how large it is: it was read.
    expect(await ask('/tools/invoke', { body: large({ tool: '' }) })).toMatchObject({ status: 400, json: { error: { message: 'tools.invoke requires a tool' } } });
    expect(await ask('/v1/messages', { body: large({}) })).toMatchObject({ status: 400, json: { error: { message: expect.stringContaining('more: is not a known member') } } });
  });
});

describe('webhooks', () => {
  it('put a message into a session of its own, or the one they name', async () => {
    const own = await ask('/in/agent', { token: HOOK_TOKEN, body: { message: 'Build failed', name: 'build' } });
    expect(own).toMatchObject({ status: 200, json: { ok: true, runId: expect.any(String), sessionKey: expect.stringMatching(/^agent:main:hook:/) } });
    expect(await ask('/in/agent', { token: HOOK_TOKEN, body: { message: 'x', sessionKey: 'hook:my-hook' } })).toMatchObject({ json: { sessionKey: 'agent:main:hook:my-hook' } });
    expect(await ask('/in/wake', { token: HOOK_TOKEN, body: { text: 'a note' } })).toMatchObject({ status: 200, json: { ok: true, mode: 'now' } });
    expect(running.stores.texts('main', 'agent:main:main')).toEqual(['a note']);
  });

  it('reach the agents and the sessions that the configuration leaves them, however they name them', async () => {
    const agents = { list: [{ id: 'main', default: true }, { id: 'ops' }] };
    const limits = { allowRequestSessionKey: true, allowedAgentIds: ['ops'], allowedSessionKeyPrefixes: ['hook:', 'agent:'] };
    const limited = await startRouter({ agents, hooks: { enabled: true, token: HOOK_TOKEN, ...limits } });
    const hook = async (body: object): Promise<unknown> => (await fetch(`${limited.url}/hooks/agent`, { method: 'POST', headers: { authorization: `Bearer ${HOOK_TOKEN}` }, body: JSON.stringify({ message: 'x', ...body }) })).json();
    const notAllowed = { error: { type: 'invalid_request', message: 'agentId is not allowed by hooks.allowedAgentIds' } };
    for (const body of [{}, { agentId: 'main' }, { sessionKey: 'hook:a' }, { agentId: 'ops', sessionKey: 'agent:MAIN:hook:a' }]) expect(await hook(body)).toMatchObject(notAllowed);
    expect(await hook({ agentId: 'ops', sessionKey: ' main' })).toMatchObject({ error: { message: 'sessionKey must start with one of: hook:, agent:' } });
    expect(await hook({ agentId: 'ops', sessionKey: 'HOOK:a' })).toMatchObject({ ok: true, sessionKey: 'agent:ops:hook:a' });
    expect(await hook({ agentId: 'ops' })).toMatchObject({ ok: true, sessionKey: expect.stringMatching(/^agent:ops:hook:/) });
    await limited.stop();
    const shared = await startRouter({ hooks: { enabled: true, token: HOOK_TOKEN, defaultSessionKey: 'hook:all' } });
    const answer = await fetch(`${shared.url}/hooks/agent`, { method: 'POST', headers: { authorization: `Bearer ${HOOK_TOKEN}` }, body: '{"message":"x"}' });
    expect(await answer.json()).toMatchObject({ ok: true, sessionKey: 'agent:main:hook:all' });
    await shared.stop();
  });

  it('want their own token and a text', async () => {
    for (const token of ['', TOKEN, 'wrong']) expect(await ask('/in/agent', { token, body: { message: 'x' } })).toMatchObject({ status: 401, text: 'Unauthorized' });
    expect(await ask('/in/agent', { token: HOOK_TOKEN })).toMatchObject({ status: 400, json: { error: { message: 'message required' } } });
    expect(await ask('/in/wake', { token: HOOK_TOKEN, body: { text: 'x', mode: 'later' } })).toMatchObject({ status: 400 });
    const without = await startRouter();
    expect((await fetch(`${without.url}/hooks/agent`, { method: 'POST', body: '{}' })).status).toBe(404);
    await without.stop();
  });
});

describe('deliveries', () => {
  it('are streamed until they are acknowledged', async () => {
    const delivery = Delivery.create({ deliveryId: 'd-1', agentId: 'main', route: { channel: 'telegram', to: '5' }, text: 'hi', attempt: 1, state: 'open' });
    running.stores.aside('main').deliveries.set('d-1', delivery);
    const leaving = new AbortController();
    const stream = await fetch(`${running.url}/v1/deliveries?channel=telegram`, { headers: { authorization: `Bearer ${TOKEN}` }, signal: leaving.signal });
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of stream.body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(chunk);
      if (text.includes('d-1')) break;
    }
    leaving.abort();
    expect(text).toContain('event: delivery\nid: d-1\n');
    expect(await ask('/v1/deliveries/d-1/ack', { body: { ok: true } })).toMatchObject({ status: 200, json: { ok: true, state: 'delivered' } });
    expect(await ask('/v1/deliveries/d-1/ack', { body: { ok: true } })).toMatchObject({ status: 404, json: { ok: false, state: 'unknown' } });
    expect(await ask('/v1/deliveries', { method: 'GET' })).toMatchObject({ status: 400 });
  });
});

interface Described {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required?: boolean }[];
  readonly responses: Record<string, object>;
  readonly requestBody?: object;
  readonly security?: readonly object[];
}

describe('the OpenAPI document', () => {
  it('describes every route that is served, and only those', async () => {
    const { json, status } = await ask('/openapi.json', { method: 'GET', token: '' });
    expect(status).toBe(200);
    const paths = json?.paths as Record<string, Record<string, Described>>;
    const described = Object.entries(paths).flatMap(([path, item]) => Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`));
    const open = ['GET /health', 'GET /healthz', 'GET /ready', 'GET /readyz', 'GET /openapi.json', 'POST /hooks/agent', 'POST /hooks/wake'];
    expect([...described].sort()).toEqual([...OPERATIONS.flatMap(({ routes = [] }) => routes), ...open].sort());
    for (const route of described) {
      const [method = '', path = ''] = route.split(' ');
      const answer = await ask(path.replace('/hooks/', '/in/').replace(/\{\w+\}/, 'nope'), { method, token: '' });
      expect([route, answer.status]).not.toEqual([route, 405]);
      if (answer.status === 404) expect([route, answer.text]).not.toEqual([route, 'Not Found']);
    }
  });

  it('is whole: ids are unique, parameters are declared, references lead somewhere', async () => {
    const { json } = await ask('/openapi.json', { method: 'GET', token: '' });
    expect(json).toMatchObject({ openapi: '3.1.0', info: { title: expect.any(String), version: '0.0.0-test' } });
    const ids: string[] = [];
    for (const [path, item] of Object.entries(json?.paths as Record<string, Record<string, Described>>)) {
      for (const [method, { operationId, parameters = [], responses, requestBody }] of Object.entries(item)) {
        ids.push(operationId);
        const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
        expect([path, parameters.filter((one) => one.in === 'path').map(({ name, required }) => (required === true ? name : `${name}?`))]).toEqual([path, names]);
        expect(Object.keys(responses).every((status) => /^[1-5]\d\d$/.test(status))).toBe(true);
        expect([path, method === 'get' && requestBody !== undefined]).toEqual([path, false]);
      }
    }
    expect(new Set(ids).size).toBe(ids.length);
    const at = (reference: string): unknown => reference.slice(2).split('/').reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], json);
    const references = [...JSON.stringify(json).matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference]) => reference ?? '');
    expect(references.length).toBeGreaterThan(10);
    for (const reference of references) expect([reference, typeof at(reference)]).toEqual([reference, 'object']);
    const schemes = Object.keys((json?.components as { securitySchemes: object }).securitySchemes);
    for (const [, scheme] of JSON.stringify(json).matchAll(/\{"(\w+)":\[\]\}/g)) expect(schemes).toContain(scheme);
  });
});
