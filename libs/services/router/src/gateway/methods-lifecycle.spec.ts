/** Methods that change, end, remove and bring back sessions: shapes, codes and texts as clients know them. */
import { CompactResponse, CostOfKinds, CompactionResult, CompactionServiceService, MaintenanceServiceCleanupResponse, MaintenanceServiceService, TokenUsage, UsageLine } from '@sessions/contracts';
import { createSubjects, serveService } from '@sessions/bus';
import { memoryRun } from '../testing/memory-operations';
import { startRouter } from '../testing/router-harness';
import type { RunningRouter, TestClient } from '../testing/router-harness';

const ID = (digit: number): string => `0190aaaa-0000-7000-8000-00000000000${digit}`;
const HOME = 'agent:main:main';
const LAB = 'agent:main:lab';

let running: RunningRouter;
let client: TestClient;

beforeEach(async () => {
  running = await startRouter({ agents: { list: [{ id: 'main', default: true, name: 'Mona' }, { id: 'work' }] } });
  running.stores.put('main', HOME, { sessionId: ID(1), updatedAt: 100 }, [{ role: 'user', text: 'hello' }]);
  const compactionCheckpoints = [{ checkpointId: 'c-1', sessionId: ID(2) }];
  running.stores.put('main', LAB, { sessionId: ID(2), updatedAt: 200, label: 'Lab', compactionCheckpoints }, [
    { role: 'user', text: 'one' },
    { role: 'assistant', text: 'two' },
    { role: 'user', text: 'three' },
  ]);
  const now = Date.now();
  running.stores.put('main', 'agent:main:paid', { sessionId: ID(3), updatedAt: now, inputTokens: 10, outputTokens: 5, totalTokens: 15, estimatedCostUsd: 0.25, model: 'm', modelProvider: 'p' });
  running.stores.put('work', 'agent:work:free', { sessionId: ID(4), updatedAt: now, inputTokens: 7, outputTokens: 1, totalTokens: 8 });
  client = await running.client();
});
afterEach(() => running.stop());

const payloadOf = (method: string, params?: unknown): Promise<Record<string, unknown>> => client.payloadOf(method, params);
const errorOf = async (method: string, params?: unknown) => (await client.request(method, params)).error;

describe('sessions.reset', () => {
  it('gives the key another session id and tells everybody', async () => {
    await payloadOf('sessions.subscribe');
    const reset = await payloadOf('sessions.reset', { key: 'lab', reason: 'new' });
    expect(reset).toMatchObject({ ok: true, key: LAB, previousSessionId: ID(2), entry: { label: 'Lab' } });
    expect(reset.sessionId).not.toBe(ID(2));
    expect(reset.archived).toHaveLength(1);
    const told = await client.until(() => client.events('sessions.changed')[0]);
    expect(told.payload).toMatchObject({ sessionKey: LAB, reason: 'new', previousSessionId: ID(2) });
    expect(await payloadOf('sessions.reset', { key: 'fresh' })).toMatchObject({ key: 'agent:main:fresh' });
  });

  it('names what is wrong with its parameters', async () => {
    expect((await errorOf('sessions.reset', { reason: 'daily', bogus: 1 })).message).toBe(
      "invalid sessions.reset params: must have required property 'key'; at /reason: must be equal to constant; at /reason: must match a schema in anyOf; at root: unexpected property 'bogus'",
    );
    expect((await errorOf('sessions.reset', { key: 'x', agentId: 'ghost' })).message).toBe('Unknown agent id "ghost"');
  });
});

describe('sessions.delete and sessions.restore', () => {
  it('take a session away and bring it back', async () => {
    expect(await payloadOf('sessions.delete', { key: 'lab' })).toEqual({ ok: true, key: LAB, deleted: true, archived: [expect.stringContaining('.deleted.')] });
    expect(await payloadOf('sessions.delete', { key: 'lab' })).toEqual({ ok: true, key: LAB, deleted: false, archived: [] });
    expect(await payloadOf('sessions.archives.list', { key: 'lab' })).toMatchObject({ archives: [{ key: LAB, sessionId: ID(2), reason: 'delete', restorable: true }] });
    expect(await payloadOf('sessions.restore', { key: 'lab' })).toMatchObject({ ok: true, key: LAB, sessionId: ID(2), entry: { label: 'Lab' } });
    expect(await errorOf('sessions.restore', { key: 'nope' })).toMatchObject({ message: 'No archive found for agent:main:nope', details: { reason: 'ARCHIVE_NOT_FOUND' } });
  });

  it('leave the main session where it is, and files where they are asked to', async () => {
    expect(await errorOf('sessions.delete', { key: 'main' })).toMatchObject({ code: 'INVALID_REQUEST', message: 'Cannot delete the main session (agent:main:main).' });
    expect(await payloadOf('sessions.delete', { key: 'lab', deleteTranscript: false })).toMatchObject({ deleted: true, archived: [] });
    expect(await payloadOf('sessions.delete', { key: ID(9) })).toMatchObject({ deleted: false });
  });
});

describe('keys in capitals, as other programs store them', () => {
  const BOB = 'agent:main:telegram:direct:@Bob';
  const CANONICAL = 'agent:main:telegram:direct:@bob';
  const rowAt = (key: string) => running.stores.entry('main', key);

  beforeEach(() => running.stores.put('main', BOB, { sessionId: ID(5), updatedAt: 300 }, [{ role: 'user', text: 'one' }, { role: 'assistant', text: 'two' }, { role: 'user', text: 'three' }]));

  it('are found, changed, cleared and removed where they stand, and no row is made beside them', async () => {
    expect(await payloadOf('sessions.describe', { key: BOB })).toMatchObject({ session: { key: BOB, sessionId: ID(5) } });
    expect(await payloadOf('sessions.resolve', { key: BOB })).toMatchObject({ ok: true, key: BOB });
    expect((await payloadOf('chat.history', { sessionKey: BOB })).messages).toHaveLength(3);
    expect(await payloadOf('sessions.patch', { key: BOB, label: 'Bob' })).toMatchObject({ ok: true, key: BOB });
    expect(await payloadOf('sessions.create', { key: BOB })).toMatchObject({ key: BOB, sessionId: ID(5) });
    expect(await payloadOf('sessions.compact', { key: BOB, maxLines: 3 })).toMatchObject({ ok: true, key: BOB, compacted: true });
    await payloadOf('sessions.messages.subscribe', { key: BOB });
    await payloadOf('sessions.send', { key: BOB, message: 'four' });
    expect(running.stores.texts('main', BOB)).toContain('four');
    expect((await client.until(() => client.events('session.message')[0])).payload).toMatchObject({ sessionKey: BOB });
    expect(await payloadOf('sessions.reset', { key: BOB, reason: 'clear' })).toMatchObject({ key: BOB, previousSessionId: ID(5), archived: [expect.any(String)] });
    expect(await payloadOf('sessions.delete', { key: BOB })).toMatchObject({ key: BOB, deleted: true });
    expect(rowAt(BOB)).toBeUndefined();
    expect(rowAt(CANONICAL)).toBeUndefined();
  });

  it('win over the canonical spelling only where they are asked for', async () => {
    running.stores.put('main', CANONICAL, { sessionId: ID(6), updatedAt: 900 });
    expect(await payloadOf('sessions.describe', { key: BOB })).toMatchObject({ session: { sessionId: ID(5) } });
    expect(await payloadOf('sessions.describe', { key: CANONICAL })).toMatchObject({ session: { sessionId: ID(6) } });
    // No row has these letters: the canonical one is meant.
    expect(await payloadOf('sessions.delete', { key: 'agent:main:telegram:direct:@BOB' })).toMatchObject({ key: CANONICAL, deleted: true });
    expect(rowAt(BOB)).toMatchObject({ sessionId: ID(5) });
  });

  it('are found without their agent too', async () => {
    running.stores.put('main', 'Ada Bot', { sessionId: ID(7), updatedAt: 300 });
    expect(await payloadOf('sessions.delete', { key: 'Ada Bot' })).toMatchObject({ key: 'Ada Bot', deleted: true });
    expect(await payloadOf('sessions.delete', { key: 'telegram:direct:@Bob' })).toMatchObject({ key: BOB, deleted: true });
  });

  it('do not open a way to the main session', async () => {
    running.stores.put('main', 'agent:main:MAIN', { sessionId: ID(8), updatedAt: 300 });
    expect(await errorOf('sessions.delete', { key: 'agent:main:MAIN' })).toMatchObject({ details: { reason: 'MAIN_PROTECTED' } });
  });
});

it.each([
  ['sessions.compact', { maxLines: 3 }],
  ['sessions.reset', {}],
  ['sessions.delete', {}],
  ['sessions.patch', { label: 'x' }],
  ['sessions.restore', {}],
])('%s refuses an agent beside a key of another, and changes neither', async (method, more) => {
  expect(await errorOf(method, { key: LAB, agentId: 'work', ...more })).toMatchObject({ code: 'INVALID_REQUEST', message: 'session key agent does not match agentId', details: { reason: 'VALIDATION' } });
  expect(await payloadOf('sessions.describe', { key: LAB })).toMatchObject({ session: { sessionId: ID(2), label: 'Lab' } });
});

describe('sessions.compact', () => {
  it('cuts a transcript to its last lines', async () => {
    expect(await payloadOf('sessions.compact', { key: 'lab', maxLines: 3 })).toEqual({ ok: true, key: LAB, compacted: true, archived: expect.stringContaining('.bak.'), kept: 3 });
    expect(await payloadOf('sessions.compact', { key: 'lab', maxLines: 3 })).toEqual({ ok: true, key: LAB, compacted: false, kept: 3, reason: 'below limit' });
    expect(await errorOf('sessions.compact', { key: 'nope', maxLines: 3 })).toMatchObject({ message: 'No session found: nope', details: { reason: 'SESSION_NOT_FOUND' } });
    expect((await errorOf('sessions.compact', { key: 'lab', maxLines: 0 })).message).toBe('invalid sessions.compact params: at /maxLines: must be >= 1');
  });

  it('says that a summary is pending while no worker answers, and gives it when one does', async () => {
    expect(await payloadOf('sessions.compact', { key: 'lab' })).toEqual({ ok: true, key: LAB, compacted: false, result: { details: { pending: true } } });
    const result = CompactionResult.create({ ok: true, compacted: true, summary: 'S', firstKeptEntryId: 'e', tokensBefore: 9, tokensAfter: 3, detailsJson: Buffer.from('{"readFiles":[]}') });
    const served = await serveService(running.bus, CompactionServiceService, { compact: async () => CompactResponse.create({ result }) }, { subjectFor: (method) => createSubjects().compaction(method) });
    expect(await payloadOf('sessions.compact', { key: 'lab' })).toEqual({
      ok: true, key: LAB, compacted: true, result: { summary: 'S', firstKeptEntryId: 'e', tokensBefore: 9, tokensAfter: 3, details: { readFiles: [] } },
    });
    await served.stop();
  });

  it('is unavailable, with the reason, while the owner does not serve it', async () => {
    running.stores.unserved.add('truncateTranscript');
    expect(await errorOf('sessions.compact', { key: 'lab', maxLines: 3 })).toMatchObject({
      code: 'UNAVAILABLE', message: expect.stringContaining('sessions.compact is not available'), details: { reason: 'UNSUPPORTED' }, retryable: false,
    });
  });
});

describe('sessions.compaction', () => {
  it('lists, shows, branches from and goes back to checkpoints', async () => {
    expect(await payloadOf('sessions.compaction.list', { key: 'lab' })).toEqual({ ok: true, key: LAB, checkpoints: [{ checkpointId: 'c-1', sessionId: ID(2) }] });
    const named = { key: 'lab', checkpointId: 'c-1' };
    expect(await payloadOf('sessions.compaction.get', named)).toMatchObject({ ok: true, checkpoint: { checkpointId: 'c-1' } });
    expect((await errorOf('sessions.compaction.get', { key: 'lab', checkpointId: 'x' })).message).toBe('checkpoint not found: x');
    const branch = await payloadOf('sessions.compaction.branch', named);
    expect(branch).toMatchObject({ ok: true, sourceKey: LAB, key: expect.stringMatching(/^agent:main:dashboard:/), entry: { parentSessionKey: LAB } });
    expect(await payloadOf('sessions.compaction.restore', named)).toMatchObject({ ok: true, key: LAB, checkpoint: { checkpointId: 'c-1' } });
  });
});

describe('sessions.send, steer and abort', () => {
  it('keep a message and end at once when nothing runs', async () => {
    expect(await payloadOf('sessions.send', { key: 'lab', message: 'four', idempotencyKey: 'k-1' })).toEqual({ runId: 'k-1', status: 'started', messageSeq: 4 });
    expect((await client.until(() => client.events('chat')[0])).payload).toMatchObject({ runId: 'k-1', sessionKey: LAB, state: 'error' });
    expect(await payloadOf('sessions.send', { key: 'lab', message: 'four', idempotencyKey: 'k-1' })).toMatchObject({ runId: 'k-1', status: 'ok' });
    expect(await payloadOf('sessions.steer', { key: 'lab', message: 'five' })).toMatchObject({ status: 'started', messageSeq: 5 });
    expect(running.stores.delivered.map(({ run, interrupt, requireExisting }) => [run?.source, run?.queueMode, interrupt, requireExisting])).toEqual([
      ['sessions.send', '', false, true], ['sessions.send', '', false, true], ['sessions.send', 'interrupt', true, true],
    ]);
  });

  it('refuse in the known words', async () => {
    expect((await errorOf('sessions.send', { key: 'Nope', message: 'x' })).message).toBe('session not found: Nope');
    expect((await errorOf('sessions.send', { key: 'lab', message: ' ' })).message).toBe('message or attachment required');
    await payloadOf('sessions.patch', { key: 'lab', sendPolicy: 'deny' });
    expect((await errorOf('sessions.send', { key: 'lab', message: 'x' })).message).toBe('send blocked by session policy');
    expect((await errorOf('chat.send', { sessionKey: 'lab', message: 'x', idempotencyKey: 'k' })).message).toBe('send blocked by session policy');
    expect((await errorOf('sessions.abort', {})).message).toBe('key required');
  });

  it('end what runs', async () => {
    expect(await payloadOf('sessions.abort', { key: 'lab' })).toEqual({ ok: true, abortedRunId: null, status: 'no-active-run' });
    const { runs } = running.stores.aside('main');
    const begin = (): void => void runs.set('r-1', memoryRun({ runId: 'r-1', sessionKey: LAB })).set('r-2', memoryRun({ runId: 'r-2', sessionKey: LAB, state: 'queued' }));
    begin();
    expect(await payloadOf('sessions.abort', { key: 'lab' })).toEqual({ ok: true, abortedRunId: 'r-1', status: 'aborted' });
    begin();
    expect(await payloadOf('chat.abort', { sessionKey: 'main', runId: 'r-1' })).toEqual({ ok: true, aborted: true, runIds: ['r-1'] });
    begin();
    expect(await payloadOf('chat.send', { sessionKey: 'lab', message: '/stop', idempotencyKey: 's' })).toEqual({ ok: true, aborted: true, runIds: ['r-1', 'r-2'] });
  });
});

it('knows no extension of a plug-in, and says which', async () => {
  expect(await errorOf('sessions.pluginPatch', { key: 'lab', pluginId: 'x', namespace: 'n', value: 1 })).toMatchObject({ code: 'INVALID_REQUEST', message: 'unknown plugin session extension: x/n' });
});

describe('agent, agent.wait and chat.inject', () => {
  it('answer twice under one id', async () => {
    client.send({ type: 'req', id: 'a', method: 'agent', params: { message: 'hi', idempotencyKey: 'run-1', sessionKey: 'lab' } });
    const answers = await client.until(() => {
      const found = client.frames.filter((frame) => frame.type === 'res' && frame.id === 'a');
      return found.length === 2 ? found : undefined;
    });
    expect(answers[0]).toMatchObject({ ok: true, payload: { runId: 'run-1', status: 'accepted', sessionKey: LAB } });
    expect(answers[1]).toMatchObject({ ok: false, payload: { runId: 'run-1', status: 'error' }, error: { code: 'UNAVAILABLE' } });
    expect((await errorOf('agent', { message: 'x' })).message).toBe("invalid agent params: must have required property 'idempotencyKey'");
  });

  it('tell how a run ended', async () => {
    const { runs } = running.stores.aside('main');
    runs.set('done', memoryRun({ runId: 'done', state: 'ended', outcome: 'ok', text: 'yes', endedAtMs: 5, stopReason: 'stop' }));
    runs.set('stopped', memoryRun({ runId: 'stopped', state: 'ended', outcome: 'aborted', endedAtMs: 6 }));
    runs.set('busy', memoryRun({ runId: 'busy' }));
    expect(await payloadOf('agent.wait', { runId: 'done' })).toMatchObject({ runId: 'done', status: 'ok', endedAt: 5, stopReason: 'stop', reply: 'yes' });
    expect(await payloadOf('agent.wait', { runId: 'stopped' })).toEqual({ runId: 'stopped', status: 'timeout', stopReason: 'rpc', endedAt: 6 });
    expect(await payloadOf('agent.wait', { runId: 'busy', timeoutMs: 20 })).toEqual({ runId: 'busy', status: 'timeout', timeoutPhase: 'gateway_draining' });
    expect(await payloadOf('agent.wait', { runId: 'none' })).toEqual({ runId: 'none', status: 'timeout', timeoutPhase: 'queue', providerStarted: false });
  });

  it('put an assistant message into a session that there is', async () => {
    const { messageId } = await payloadOf('chat.inject', { sessionKey: 'lab', message: 'note', label: 'L' });
    expect(await payloadOf('chat.message.get', { sessionKey: 'lab', messageId })).toMatchObject({ ok: true, message: { role: 'assistant' } });
    expect(await payloadOf('chat.message.get', { sessionKey: 'lab', messageId: 'x' })).toEqual({ ok: false, unavailableReason: 'not_found' });
    expect((await errorOf('chat.inject', { sessionKey: 'nope', message: 'x' })).message).toBe('session not found');
  });
});

describe('sessions.cleanup and sessions.usage', () => {
  it('pass a clean-up to the service that plans it', async () => {
    expect(await errorOf('sessions.cleanup', {})).toMatchObject({ code: 'UNAVAILABLE', message: 'no maintenance-scheduler is running', retryable: true });
    expect((await errorOf('sessions.cleanup', { agent: 'ghost' })).message).toMatch(/^Unknown agent id "ghost"\. Use "openclaw agents list"/);
    for (const activeKey of ['', ' \n']) expect(await errorOf('sessions.cleanup', { enforce: true, activeKey })).toMatchObject({ code: 'INVALID_REQUEST' });
    const asked: unknown[] = [];
    const cleanup = async (request: unknown): Promise<MaintenanceServiceCleanupResponse> => {
      asked.push(request);
      return MaintenanceServiceCleanupResponse.create({ reports: [{ agentId: 'main', storePath: '/s', mode: 'warn', beforeCount: 3, afterCount: 3 }] });
    };
    const served = await serveService(running.bus, MaintenanceServiceService, { cleanup }, { subjectFor: (method) => createSubjects().maintenance(method) });
    expect(await payloadOf('sessions.cleanup', { fixMissing: true })).toMatchObject({ agentId: 'main', storePath: '/s', mode: 'warn', dryRun: false, beforeCount: 3, diskBudget: null, skipped: [] });
    expect(await payloadOf('sessions.cleanup', { allAgents: true })).toMatchObject({ allAgents: true, stores: [{ agentId: 'main' }] });
    expect(asked).toMatchObject([{ flags: { agentIds: ['main'], fixMissing: true } }, { flags: { agentIds: [], allAgents: true } }]);
    await served.stop();
  });

  it('add up what the ledger has, also of sessions that are gone, and leave out what is not known', async () => {
    const nowMs = Date.UTC(2026, 5, 1, 12);
    const line = (runId: string, key: string, usage: Partial<TokenUsage>): UsageLine =>
      UsageLine.create({ atMs: nowMs, key, sessionId: 's-9', runId, usage: TokenUsage.create({ inputTokens: 10, outputTokens: 5, modelProvider: 'openai', model: 'gpt-5', ...usage }) });
    running.stores.aside('main').usage.push(line('r-1', 'agent:main:gone', { costUsd: 0.25 }), line('r-2', 'agent:main:gone', { costUsd: 0.5 }));
    running.stores.aside('work').usage.push(line('r-3', 'agent:work:free', { model: 'local', modelProvider: undefined }));
    const range = { startDate: '2026-06-01', endDate: '2026-06-01' };
    const usage = await payloadOf('sessions.usage', range);
    expect(usage).toMatchObject({ totals: { input: 30, output: 15, totalTokens: 45, totalCost: 0.75, missingCostEntries: 1 }, cacheStatus: { status: 'fresh' } });
    const free = (usage.sessions as { key: string; usage: object }[]).find(({ key }) => key === 'agent:work:free');
    expect(free?.usage).not.toHaveProperty('totalCost');
    const priced = { input: 20, output: 10, cacheRead: 0, cacheWrite: 0, totalTokens: 30, totalCost: 0.75, missingCostEntries: 0 };
    const unpriced = { input: 10, output: 5, cacheRead: 0, cacheWrite: 0, totalTokens: 15, missingCostEntries: 1 };
    const all = { input: 30, output: 15, cacheRead: 0, cacheWrite: 0, totalTokens: 45, totalCost: 0.75, missingCostEntries: 1 };
    expect(usage.aggregates).toMatchObject({
      byModel: [{ provider: 'openai', model: 'gpt-5', count: 2, totals: priced }, { provider: null, model: 'local', count: 1, totals: unpriced }],
      byProvider: [{ provider: 'openai', count: 2, totals: priced }, { provider: null, count: 1, totals: unpriced }],
      byAgent: [{ agentId: 'main', count: 2, totals: priced }, { agentId: 'work', count: 1, totals: unpriced }],
      modelDaily: [{ date: '2026-06-01', provider: 'openai', model: 'gpt-5', tokens: 30, cost: 0.75, count: 2 }, { date: '2026-06-01', provider: null, model: 'local', tokens: 15, count: 1 }],
      byChannel: [],
      daily: [{ date: '2026-06-01', tokens: 45, cost: 0.75, ...all }],
      tools: { tools: [] },
      messages: { total: 0 },
    });
    expect(await payloadOf('usage.cost', range)).toMatchObject({ days: 1, daily: [{ date: '2026-06-01', ...all }], totals: all, cacheStatus: { status: 'fresh' } });
    expect(await payloadOf('usage.cost', { ...range, agentId: 'work' })).toMatchObject({ daily: [{ date: '2026-06-01', ...unpriced }], totals: unpriced });
    expect((await payloadOf('usage.cost', { range: 'all' })).totals).toEqual(all);
    // What is beyond the limit counts for its agent all the same.
    expect((await payloadOf('sessions.usage', { ...range, limit: 1 })).aggregates).toMatchObject({ byAgent: [{ agentId: 'main', totals: priced }, { agentId: 'work', totals: unpriced }] });
    expect(await payloadOf('usage.status')).toMatchObject({ providers: [] });
    expect(await payloadOf('sessions.usage', { ...range, key: 'gone' })).toMatchObject({ sessions: [{ key: 'agent:main:gone', sessionId: 's-9' }], totals: { totalCost: 0.75 } });
    expect((await payloadOf('sessions.usage', { ...range, limit: 1 })).totals).toMatchObject({ totalCost: 0.75 });
    expect(await payloadOf('sessions.usage', { startDate: '2026-05-01', endDate: '2026-05-31', key: 'gone' })).toMatchObject({ sessions: [], totals: { totalTokens: 0, totalCost: 0 } });
    expect(await payloadOf('sessions.usage', { key: 'lab' })).toMatchObject({ sessions: [], totals: { totalTokens: 0, missingCostEntries: 0 } });
    expect(await payloadOf('sessions.usage.timeseries', { key: 'gone' })).toMatchObject({ sessionId: 's-9', points: [{ timestamp: nowMs, runId: 'r-1', totalCost: 0.25 }, { runId: 'r-2' }] });
    expect(await payloadOf('sessions.usage.logs', { key: 'gone', limit: 1 })).toMatchObject({ logs: [{ runId: 'r-2', model: 'gpt-5', provider: 'openai', sessionId: 's-9' }] });
  });

  it('tell what costs are made of, without the noise of binary fractions, and by the channel of the key', async () => {
    const nowMs = Date.UTC(2026, 5, 1, 12);
    const line = (runId: string, key: string, costUsd: number, inputUsd?: number): UsageLine =>
      UsageLine.create({ atMs: nowMs, key, sessionId: 's-9', runId, usage: TokenUsage.create({ inputTokens: 10, outputTokens: 5, modelProvider: 'openai', model: 'gpt-5', costUsd, costs: inputUsd === undefined ? undefined : CostOfKinds.create({ inputUsd, outputUsd: 0.1 }) }) });
    const ledgers = ['main', 'work'].map((agentId) => running.stores.aside(agentId).usage);
    ledgers[0]?.push(line('r-1', 'agent:main:telegram:direct:1', 0.2, 0.1), line('r-2', 'agent:main:one', 0.3, 0.2));
    ledgers[1]?.push(line('r-3', 'agent:work:telegram:direct:1', 0.4, 0.3));
    const range = { startDate: '2026-06-01', endDate: '2026-06-01' };
    const costs = { inputCost: 0.6, outputCost: 0.3, cacheReadCost: 0, cacheWriteCost: 0 };
    const { totals, aggregates } = await payloadOf('sessions.usage', range);
    expect(totals).toEqual({ input: 30, output: 15, cacheRead: 0, cacheWrite: 0, totalTokens: 45, totalCost: 0.9, ...costs, missingCostEntries: 0 });
    expect(aggregates).toMatchObject({
      byChannel: [{ channel: 'telegram', count: 2, totals: { totalCost: 0.6, inputCost: 0.4, outputCost: 0.2 } }],
      byProvider: [{ provider: 'openai', totals: { totalCost: 0.9, ...costs } }],
      daily: [{ date: '2026-06-01', cost: 0.9, ...costs }],
      modelDaily: [{ date: '2026-06-01', cost: 0.9, count: 3 }],
    });
    expect(await payloadOf('usage.cost', range)).toMatchObject({ totals: { totalCost: 0.9, ...costs } });
    ledgers[1]?.push(line('r-4', 'agent:work:one', 0.1));
    expect((await payloadOf('sessions.usage', range)).totals).toMatchObject({ totalCost: 1 });
    expect((await payloadOf('sessions.usage', range)).totals).not.toHaveProperty('inputCost');
  });

  it('name what was wrong with a question about usage', async () => {
    expect((await errorOf('sessions.usage', { startDate: '2026-13-99' })).message).toBe('invalid startDate: expected a valid YYYY-MM-DD calendar date');
    expect((await errorOf('usage.cost', { endDate: '2026-02-30' })).message).toBe('invalid endDate: expected a valid YYYY-MM-DD calendar date');
    expect((await errorOf('sessions.usage', { agentScope: 'all', key: 'lab' })).message).toBe('agentScope=all cannot be combined with key or agentId');
    expect((await errorOf('sessions.usage', { key: 'nope' })).message).toBe('No session found: nope');
    expect((await errorOf('sessions.usage.timeseries', {})).message).toBe('key is required for timeseries');
    expect((await errorOf('sessions.usage.timeseries', { key: 'nope' })).message).toBe('No transcript found for session: nope');
    for (const key of ['lab', 'nope']) expect(await payloadOf('sessions.usage.logs', { key })).toEqual({ logs: [] });
  });
});

describe('agents and configuration', () => {
  it('are shown without secrets', async () => {
    expect(await payloadOf('agent.identity.get', { sessionKey: 'main' })).toMatchObject({ agentId: 'main' });
    const shown = await payloadOf('config.get');
    expect(shown).toMatchObject({ path: '/state/openclaw.json', valid: true, issues: [] });
    expect(JSON.stringify(shown)).not.toContain('a-test-token');
  });

  it('are shown as the file has them, with what of it is not in force', async () => {
    const source = { gateway: { auth: { token: 'T-1' } }, session: { dmScope: 'per-peer' }, channels: { telegram: { botToken: 'T-2' } }, plugins: { enabled: false } };
    const problems = [{ path: 'session.dmScope', value: '"x"', message: 'must be one of these' }];
    let state = { exists: true, source: source as unknown, problems: [] as typeof problems, warnings: [{ path: 'session.odd', value: '1', message: 'is not known' }] };
    const open = await startRouter(source, { configFile: () => state });
    // For readers, as the original has it.
    const asked = await open.client(['operator.read']);
    const config = { gateway: { auth: { token: '__OPENCLAW_REDACTED__' } }, session: { dmScope: 'per-peer' }, channels: { telegram: { botToken: '__OPENCLAW_REDACTED__' } }, plugins: { enabled: false } };
    const shown = (await asked.request('config.get')).payload;
    expect(shown).toMatchObject({ exists: true, valid: true, raw: null, config, parsed: config, sourceConfig: config, resolved: config, runtimeConfig: config, issues: [], legacyIssues: [], warnings: [{ path: 'session.odd', message: 'is not known' }] });
    expect(shown['config']).toEqual(config);
    expect(shown['inForce']).toMatchObject({ session: { dmScope: 'per-peer', mainKey: 'main' } });
    expect(JSON.stringify(shown)).not.toMatch(/T-\d/u);
    state = { ...state, problems };
    expect((await asked.request('config.get')).payload).toMatchObject({ valid: false, issues: [{ path: 'session.dmScope', message: 'must be one of these' }], config });
    state = { exists: false, source: undefined, problems: [], warnings: [] };
    expect((await asked.request('config.get')).payload).toMatchObject({ exists: false, valid: true, config: {} });
    await open.stop();
  });
});
