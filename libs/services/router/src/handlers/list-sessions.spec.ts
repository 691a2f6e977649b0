import { ListSessionsRequest, ListSessionsResponse, RouterServiceService, SessionRow } from '@sessions/contracts';
import { LIST_ANSWER_BYTES, createClient, createSubjects } from '@sessions/bus';
import { createRecordingLogger } from '@sessions/host/testing';
import type { Connection } from '../gateway/connection';
import { JsonText } from '../gateway/gateway-frames';
import type { GatewayDeps, MethodCall } from '../gateway/method';
import { ANSWER_BYTES_MAX, sessionsList } from '../gateway/methods/sessions-list';
import { createGatewayRows } from '../gateway/rows';
import { TOKEN, configOf, startRouter } from '../testing/router-harness';
import { readRowHead } from './row-order';

const ID = (place: number): string => `0190aaaa-0000-7000-8000-${String(place).padStart(12, '0')}`;

describe('a list on the bus', () => {
  it('is cut before it is too large for a message, and goes on where it was cut', async () => {
    const running = await startRouter();
    const client = createClient(running.bus, RouterServiceService, { caller: 'service:test/1', subject: (method) => createSubjects().router(method) });
    for (const agentId of ['main', 'work']) {
      for (let place = 0; place < 4; place += 1) {
        running.stores.put(agentId, `agent:${agentId}:k${place}`, { sessionId: ID(place), updatedAt: place, subject: 'x'.repeat(200_000) });
      }
    }
    const keys: string[] = [];
    let offset: number | undefined;
    do {
      const page = await client.listSessions(ListSessionsRequest.create({ allAgents: true, discover: true, offset }));
      expect(page.encodedRows.reduce((sum, row) => sum + row.length, 0)).toBeLessThanOrEqual(LIST_ANSWER_BYTES);
      expect(page.totalCount).toBe(8);
      expect(page.hasMore).toBe(page.nextOffset !== undefined);
      keys.push(...page.encodedRows.map((row) => SessionRow.decode(row).key));
      offset = page.nextOffset;
    } while (offset !== undefined);
    expect(keys).toEqual([3, 2, 1, 0].flatMap((place) => [`agent:main:k${place}`, `agent:work:k${place}`]));
    await running.stop();
  });

  it('gives the default agent alone, or the one that is named', async () => {
    const running = await startRouter({ agents: { list: [{ id: 'main' }, { id: 'work', default: true }] } });
    const client = createClient(running.bus, RouterServiceService, { caller: 'service:test/1', subject: (method) => createSubjects().router(method) });
    for (const agentId of ['main', 'work', 'disk']) running.stores.put(agentId, `agent:${agentId}:main`, { sessionId: ID(1), updatedAt: 1 });
    const keysOf = async (request: Partial<ListSessionsRequest>): Promise<string[]> =>
      (await client.listSessions(ListSessionsRequest.create(request))).encodedRows.map((row) => SessionRow.decode(row).key);
    expect(await keysOf({})).toEqual(['agent:work:main']);
    expect(await keysOf({ agentId: 'main' })).toEqual(['agent:main:main']);
    expect(await keysOf({ allAgents: true })).toEqual(['agent:main:main', 'agent:work:main']);
    expect(await keysOf({ allAgents: true, discover: true })).toEqual(['agent:main:main', 'agent:work:main', 'agent:disk:main']);
    await expect(client.listSessions(ListSessionsRequest.create({ limit: 0 }))).rejects.toMatchObject({ reason: 'VALIDATION' });
    await running.stop();
  });
});

describe('a list for clients', () => {
  it('is cut at a row before its JSON passes the bound', async () => {
    const encodedRows = [0, 1, 2].map((place) =>
      Buffer.from(SessionRow.encode(SessionRow.create({ key: `k${place}`, agentId: 'main', subject: 'x'.repeat(10 * 1024 * 1024) })).finish()),
    );
    const answer = ListSessionsResponse.create({ encodedRows, totalCount: 3, limitApplied: 100, atMs: 1 });
    const deps = { handlers: { listSessions: async () => answer }, rows: createGatewayRows(() => configOf({})) } as unknown as GatewayDeps;
    const call: MethodCall = { method: 'sessions.list', params: {}, connection: {} as Connection, context: {} as MethodCall['context'] };
    const { payload } = await sessionsList(deps, call);
    const text = (payload as JsonText).text;
    expect(text.length).toBeLessThan(ANSWER_BYTES_MAX);
    expect(JSON.parse(text)).toMatchObject({ count: 2, totalCount: 3, hasMore: true, nextOffset: 2, sessions: [{ key: 'agent:main:k0' }, { key: 'agent:main:k1' }] });
  });

  it('reads the head of a row from its bytes', () => {
    const row = SessionRow.encode(SessionRow.create({ key: 'agent:main:ключ', agentId: 'main', sessionId: 'x', updatedAtMs: 1_780_000_000_000, label: 'L' })).finish();
    expect(readRowHead(row)).toEqual({ key: 'agent:main:ключ', updatedAtMs: 1_780_000_000_000 });
    expect(readRowHead(SessionRow.encode(SessionRow.create({ key: 'k', label: 'L' })).finish())).toEqual({ key: 'k', updatedAtMs: undefined });
  });
});

describe('what is logged', () => {
  it('holds no text, token, key or person', async () => {
    const logger = createRecordingLogger();
    const running = await startRouter({ session: { dmScope: 'per-peer' } }, { logger });
    const post = (token: string, body: string): Promise<Response> =>
      fetch(`${running.url}/v1/messages`, { method: 'POST', headers: { authorization: `Bearer ${token}` }, body });
    const message = { channel: 'telegram', messageId: '1', chatType: 'direct', sender: { id: 'peer-4711', name: 'Ann Other' }, text: 'planted-secret' };
    await post(TOKEN, JSON.stringify(message));
    await post(TOKEN, JSON.stringify({ ...message, bogus: 'planted-secret' }));
    await post('planted-token', JSON.stringify(message));
    await post(TOKEN, '{"planted-secret');
    const metrics = await (await fetch(`${running.url}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } })).text();
    const shown = JSON.stringify(logger.lines) + metrics;
    for (const secret of ['planted-secret', 'planted-token', TOKEN, 'peer-4711', 'Ann Other']) expect(shown).not.toContain(secret);
    expect(logger.lines.length).toBeGreaterThan(0);
    await running.stop();
  });
});
