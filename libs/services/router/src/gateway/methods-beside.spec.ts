import { startRouter } from '../testing/router-harness';
import type { RunningRouter, TestClient } from '../testing/router-harness';
import { CONFIG, startKnownRouter } from '../testing/known-sessions';

let running: RunningRouter;
let client: TestClient;

beforeEach(async () => {
  ({ running, client } = await startKnownRouter());
});
afterEach(() => running.stop());

const payloadOf = (method: string, params?: unknown): Promise<Record<string, unknown>> => client.payloadOf(method, params);
const messageOf = async (method: string, params?: unknown): Promise<string> => (await client.request(method, params)).error.message;

describe('what dashboards ask beside the sessions', () => {
  const page = { total: 0, offset: 0, hasMore: false, nextOffset: null };
  it.each([
    ['tasks.list', {}, { tasks: [] }],
    ['cron.list', { limit: 5, offset: 3 }, { jobs: [], limit: 5, ...page, deliveryPreviews: {} }],
    ['cron.runs', {}, { entries: [], limit: 50, ...page }],
    ['cron.status', {}, { enabled: false, jobs: 0, nextWakeAtMs: null }],
    ['node.list', {}, { ts: expect.any(Number) as unknown, nodes: [] }],
    ['last-heartbeat', {}, null],
    ['plugin.approval.list', {}, []],
    ['channels.status', { probe: false, timeoutMs: 8000 }, expect.objectContaining({ channels: {}, channelAccounts: {}, channelOrder: [], channelMeta: [] }) as unknown],
    ['diagnostics.stability', { limit: 25, type: 'payload.large', sinceSeq: 3 }, { generatedAt: expect.any(String) as unknown, capacity: 0, count: 0, dropped: 0, events: [], summary: { byType: {} } }],
    ['system-presence', {}, [expect.objectContaining({ mode: 'gateway', reason: 'self', version: '0.0.0-test', text: expect.stringContaining('mode gateway') as unknown })]],
  ])('%s answers in the shape that they read', async (method, params, payload) => {
    expect(await payloadOf(method, params)).toEqual(payload);
  });

  it.each([
    ['diagnostics.stability', { limit: 0 }, 'limit must be between 1 and 1000'],
    ['diagnostics.stability', { limit: 1001 }, 'limit must be between 1 and 1000'],
    ['diagnostics.stability', { sinceSeq: -1 }, 'sinceSeq must be a non-negative integer'],
    ['diagnostics.stability', { type: 5 }, 'type must be a non-empty string'],
    ['tasks.list', { limit: 501 }, 'invalid tasks.list params: at /limit: must be <= 500'],
    ['tasks.list', { status: 'x' }, 'invalid tasks.list params: at /status: must be equal to constant; at /status: must match a schema in anyOf; at /status: must be array'],
    ['cron.list', { sortBy: 'z' }, 'invalid cron.list params: at /sortBy: must be equal to constant; at /sortBy: must match a schema in anyOf'],
    ['channels.status', { bogus: 1 }, "invalid channels.status params: at root: unexpected property 'bogus'"],
  ])('%s names what is wrong with %j', async (method, params, message) => {
    expect(await messageOf(method, params)).toBe(message);
  });

  it('shows the machine to nobody who sees some agents alone', async () => {
    const open = await startRouter({ ...CONFIG, gateway: { auth: { tokens: [{ name: 'ann', token: 'of-ann', scopes: ['operator.read'], agents: ['work'] }] } } });
    const ann = await open.client(['operator.read'], 'of-ann');
    expect((await ann.request('system-presence')).payload).toEqual([]);
    expect(JSON.stringify((await ann.request('status')).payload)).not.toMatch(/\/state|agent:main|"main"/u);
    await open.stop();
  });
});
