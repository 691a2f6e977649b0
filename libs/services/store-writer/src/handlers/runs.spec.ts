/** Runs at their owner: journalled before anybody hears of them, one at a time, each ended once with a stated outcome. */
import { readFileSync, readdirSync } from 'node:fs';
import * as path from 'node:path';
import { ReadUsageRequest, AgentRuntimeService, AppendRecordsRequest, CancelRunRequest, DeliverRequest, FollowUp, InterSession, SendExchange, ListPendingRequest, PatchEntryRequest, ReplyRoute, RunRequest, StoreServiceAckDeliveryRequest, DeliveryResult, StoreServiceResetSessionRequest, TokenUsage, TurnJob } from '@sessions/contracts';
import { serveService } from '@sessions/bus';
import { WITH_MODEL, ROUTE, turnOf, begin, finish, runOf } from '../testing/run-calls';
import { KEY, bench, cleanUpBenches, history, restart, sessionsDir, subjects, telegram, transcriptLines, until, type Bench } from '../testing/writer-bench';

cleanUpBenches();

const append = (made: Bench, runId: string, sessionId: string, message: object, attempt = 1) =>
  made.client.appendRecords(AppendRecordsRequest.create({ agentId: 'main', key: KEY, sessionId, runId, attempt, lines: [Buffer.from(JSON.stringify({ type: 'message', message }))] }));
const pending = (made: Bench, kinds: string[] = []) => made.client.listPending(ListPendingRequest.create({ agentId: 'main', kinds }));
const entryOf = async (made: Bench): Promise<Record<string, unknown>> => JSON.parse((await made.client.getEntry({ agentId: 'main', by: { $case: 'key', value: KEY }, includeFacts: false, entryOffset: undefined })).entryJson.toString('utf8')) as Record<string, unknown>;
const ack = (made: Bench, deliveryId: string, result: Partial<DeliveryResult> = { ok: true }) => made.client.ackDelivery(StoreServiceAckDeliveryRequest.create({ agentId: 'main', deliveryId, result: DeliveryResult.create(result) }));

async function jobsOf(made: Bench): Promise<TurnJob[]> {
  const jobs: TurnJob[] = [];
  await made.bus.jobs.consume(subjects.jobs('turn'), TurnJob, async (job) => {
    jobs.push(job.value);
    await job.ack();
  });
  return jobs;
}

it('counts what a run cost by the configured prices, for what follows it too', async () => {
  const priced = { models: { providers: { openai: { models: [{ id: 'gpt-5', cost: { input: 1.25, output: 10 } }] } } }, agents: { defaults: { model: 'openai/gpt-5' } } };
  const made = await bench({ config: priced });
  const exchange = { requesterKey: 'agent:main:telegram:direct:9', targetKey: KEY, step: 'request', turnsLeft: 2, requestText: 'how much?', hops: 1 };
  const followUp = FollowUp.create({ kind: { $case: 'exchange', value: SendExchange.create(exchange) } });
  await made.client.deliver(turnOf('how much?', 'r1', { source: 'sessions_send', deliver: false, followUp }));
  await begin(made, 'r1');
  await finish(made, 'r1', { usage: [TokenUsage.create({ inputTokens: 1000, outputTokens: 100, totalTokens: 1100, modelProvider: 'openai', model: 'gpt-5' })] });
  expect((await runOf(made, 'r1'))?.usage).toMatchObject([{ costUsd: 0.00225 }]);
  const { deliveries } = await pending(made, ['delivery']);
  expect(deliveries[0]?.toSession?.interSession).toMatchObject({ costUsd: 0.00225 });
});

it('counts what a run under way has spent where the cost is limited, and once when it has ended, over restarts', async () => {
  const priced = (maxCostUsd: number) => ({ models: { providers: { openai: { models: [{ id: 'gpt-5', cost: { input: 1, output: 10 } }] } } }, agents: { defaults: { model: 'openai/gpt-5' } }, tools: { agentToAgent: { maxCostUsd } } });
  const usage = { input: 100_000, output: 10_000, cacheRead: 0, cacheWrite: 0, totalTokens: 110_000 };
  const answer = { role: 'assistant', content: [{ type: 'text', text: 'x' }], provider: 'openai', model: 'gpt-5', usage };
  const of = async (bench: Bench): Promise<number | undefined> => (await bench.client.getTraceCost({ agentId: 'main', traceId: 'root' })).costUsd;
  const made = await bench({ config: priced(1) });
  const interSession = InterSession.create({ sourceSessionKey: 'agent:main:other', sourceTool: 'sessions_send', hops: 1, traceId: 'root' });
  const { sessionId } = await made.client.deliver(turnOf('go', 'branch', {}, { interSession }));
  await begin(made, 'branch');
  expect(await of(made)).toBeUndefined();
  for (let at = 1; at <= 2; at += 1) await append(made, 'branch', sessionId ?? '', answer);
  await append(made, 'branch', sessionId ?? '', { ...answer, model: 'nobody-knows' });
  expect(await of(made)).toBeCloseTo(0.4, 9);
  const next = await restart(made, { config: priced(1) });
  expect(await of(next)).toBeCloseTo(0.4, 9);
  await begin(next, 'branch');
  await finish(next, 'branch', { usage: [TokenUsage.create({ inputTokens: 200_000, outputTokens: 20_000, totalTokens: 220_000, modelProvider: 'openai', model: 'gpt-5' })] });
  expect(await of(next)).toBeCloseTo(0.4, 9);
  expect((await entryOf(next))['openRuns']).toBeUndefined();
});

it('keeps which agents a trace has reached that began with its own', async () => {
  const made = await bench({ config: WITH_MODEL });
  await made.client.deliver(turnOf('one', 'root'));
  const note = (traceId: string, reachedAgentId: string) => made.client.noteTraceAgent({ agentId: 'main', traceId, reachedAgentId });
  for (const reached of ['work', 'ops', 'work']) await note('root', reached);
  await note('root:2', 'elsewhere');
  const next = await restart(made, { config: WITH_MODEL });
  const { agentIds, costUsd } = await next.client.getTraceCost({ agentId: 'main', traceId: 'root' });
  expect([[...agentIds].sort(), costUsd]).toEqual([['ops', 'work'], undefined]);
  await expect(next.client.noteTraceAgent({ agentId: 'main', traceId: 'root', reachedAgentId: '../x' })).rejects.toMatchObject({ reason: 'VALIDATION' });
});

it('knows what the runs of one trace cost, whatever session they ran in, over restarts', async () => {
  const made = await bench({ config: WITH_MODEL });
  const of = async (bench: Bench, traceId: string): Promise<number | undefined> => (await bench.client.getTraceCost({ agentId: 'main', traceId })).costUsd;
  const run = async (runId: string, traceId: string | undefined, costUsd: number | undefined): Promise<void> => {
    const interSession = traceId === undefined ? undefined : InterSession.create({ sourceSessionKey: 'agent:main:other', sourceTool: 'sessions_send', hops: 1, traceId });
    await made.client.deliver(turnOf(runId, runId, {}, interSession === undefined ? {} : { interSession }));
    await begin(made, runId);
    await finish(made, runId, { usage: [TokenUsage.create({ inputTokens: 1, totalTokens: 1, costUsd, modelProvider: 'demo', model: costUsd === undefined ? 'nobody-knows' : 'echo' })] });
  };
  expect(await of(made, 'root')).toBeUndefined();
  await run('root', undefined, 0.25);
  await run('branch:1', 'root', 0.5);
  await run('branch:2', 'root', 0.125);
  await run('unpriced', 'root', undefined);
  await run('elsewhere', 'root:2', 8);
  await run('nothing', 'unknown', undefined);
  const next = await restart(made, { config: WITH_MODEL });
  expect([await of(next, 'root'), await of(next, 'root:2'), await of(next, 'unknown'), await of(next, 'nothing')]).toEqual([0.875, 8, undefined, undefined]);
  await expect(next.client.getTraceCost({ agentId: 'main', traceId: 'with space' })).rejects.toMatchObject({ reason: 'VALIDATION' });
});

it('answers a message: told, begun, written, finished, delivered, and asked for after a restart', async () => {
  const made = await bench({ config: WITH_MODEL });
  const jobs = await jobsOf(made);
  const accepted = await made.client.deliver(turnOf('hello', 'r1'));
  expect(accepted).toMatchObject({ status: 'accepted', runId: 'r1', queued: false, messageSeq: 1 });
  expect(await runOf(made, 'r1')).toMatchObject({ state: 'queued', messageId: accepted.messageId, sessionKey: KEY });
  await until(() => jobs.length === 1);
  expect(jobs[0]).toMatchObject({ agentId: 'main', runId: 'r1', attempt: 1, sessionKey: KEY });
  const begun = await begin(made, 'r1');
  expect(begun).toMatchObject({ sessionKey: KEY, sessionId: accepted.sessionId, tipId: accepted.messageId, messageId: accepted.messageId, cancelled: false, settings: { run: { runId: 'r1', replyRoute: { to: '123' } } } });
  expect(JSON.parse(begun.settings?.entryJson.toString('utf8') ?? '')).not.toHaveProperty('openRuns');
  expect(await entryOf(made)).toMatchObject({ status: 'running', abortedLastRun: false, startedAt: expect.any(Number) as number });
  await append(made, 'r1', begun.sessionId, { role: 'assistant', content: [{ type: 'text', text: 'answer to r1' }] });
  const usage = [TokenUsage.create({ inputTokens: 12, outputTokens: 5, totalTokens: 17, costUsd: 0.5, modelProvider: 'demo', model: 'echo' })];
  const finished = await finish(made, 'r1', { usage });
  expect(finished.deliveryIds).toHaveLength(1);
  expect(await entryOf(made)).toMatchObject({ status: 'done', endedAt: expect.any(Number) as number, runtimeMs: expect.any(Number) as number, inputTokens: 12, outputTokens: 5, totalTokens: 17, estimatedCostUsd: 0.5, modelProvider: 'demo', model: 'echo', abortedLastRun: false });
  expect((await made.client.readUsage(ReadUsageRequest.create({ agentId: 'main' }))).totals).toMatchObject({ inputTokens: 12, outputTokens: 5, costUsd: 0.5, unpricedCount: 0 });
  expect((await finish(made, 'r1', { outcome: 'error' })).deliveryIds).toEqual(finished.deliveryIds);
  const { deliveries } = await pending(made, ['delivery']);
  expect(deliveries).toMatchObject([{ deliveryId: finished.deliveryIds[0], runId: 'r1', sessionKey: KEY, text: 'answer to r1', route: { channel: 'telegram', to: '123' }, inReplyTo: { messageId: 'm-r1' }, attempt: 1, state: 'open' }]);
  const next = await restart(made, { config: WITH_MODEL });
  expect(await runOf(next, 'r1')).toMatchObject({ state: 'ended', outcome: 'ok', text: 'answer to r1', usage: [{ inputTokens: 12 }], messageId: accepted.messageId });
  expect((await pending(next)).deliveries).toHaveLength(1);
  const id = finished.deliveryIds[0] ?? '';
  expect(await ack(next, id, { ok: false, retry: true })).toMatchObject({ state: 'open' });
  expect(await ack(next, id)).toMatchObject({ state: 'delivered' });
  expect(await ack(next, id)).toMatchObject({ state: 'delivered' });
  expect(await ack(next, 'nobody')).toMatchObject({ state: 'unknown' });
  expect((await pending(next)).deliveries).toEqual([]);
  const phases = made.events.flatMap(({ body }) => (body?.$case === 'changed' && body.value.phase !== undefined ? [body.value.phase] : []));
  expect(phases).toEqual(['start', 'end']);
});

it('keeps a message and starts no turn where no model is configured', async () => {
  const made = await bench();
  const answer = await made.client.deliver(turnOf('hello', 'r1'));
  expect(answer).toMatchObject({ status: 'accepted', queued: false });
  expect(answer.runId).toBeUndefined();
  expect(await entryOf(made)).not.toHaveProperty('openRuns');
  expect((await pending(made)).turns).toEqual([]);
});

it('queues messages behind a run, in order, large ones in files, and writes each when its turn begins', async () => {
  const made = await bench({ config: WITH_MODEL });
  const long = 'x'.repeat(20_000);
  const { sessionId = '' } = await made.client.deliver(turnOf('one', 'r1'));
  await begin(made, 'r1');
  expect(await made.client.deliver(turnOf(long, 'r2', { queueMode: 'queue' }))).toMatchObject({ queued: true, position: 1, runId: 'r2' });
  const third = await made.client.deliver(turnOf('three', 'r3', { queueMode: 'queue' }));
  expect(third).toMatchObject({ queued: true, position: 2 });
  expect(third.messageId).toBeUndefined();
  expect(await made.client.deliver(turnOf('three', 'r3'), { idempotencyKey: 'other' } as never).catch((error: unknown) => error)).toMatchObject({ reason: 'IDEMPOTENCY_MISMATCH' });
  await expect(begin(made, 'r2')).rejects.toMatchObject({ reason: 'RUN_STILL_ACTIVE' });
  expect((await history(made)).texts).toEqual(['one']);
  expect(await runOf(made, 'r3')).toMatchObject({ state: 'queued', position: 2 });
  expect(readdirSync(path.join(sessionsDir(made.stateDir), '.store', 'runs'))).toHaveLength(1);
  await append(made, 'r1', sessionId, { role: 'assistant', content: [{ type: 'text', text: 'to one' }] });
  expect(await finish(made, 'r1')).toMatchObject({ nextRunId: 'r2' });
  const next = await restart(made, { config: WITH_MODEL });
  const jobs = await jobsOf(next);
  await next.client.listPending(ListPendingRequest.create({ agentId: 'main' }));
  await until(() => jobs.some(({ runId }) => runId === 'r2'));
  await begin(next, 'r2');
  expect((await history(next)).texts).toEqual(['one', 'to one', long]);
  await finish(next, 'r2');
  await begin(next, 'r3');
  await finish(next, 'r3');
  expect((await history(next)).texts).toEqual(['one', 'to one', long, 'three']);
  expect(await entryOf(next)).not.toHaveProperty('openRuns');
});

it('refuses a superseded attempt, closes its calls and ends after the third', async () => {
  const made = await bench({ config: WITH_MODEL, claimMs: 2_500 });
  const jobs = await jobsOf(made);
  const { sessionId = '' } = await made.client.deliver(turnOf('hello', 'r1'));
  await begin(made, 'r1');
  await expect(begin(made, 'r1', 1, 'runner/b')).rejects.toMatchObject({ reason: 'STALE_PLAN' });
  await append(made, 'r1', sessionId, { role: 'assistant', content: [{ type: 'toolCall', id: 'c1', name: 'look', arguments: {} }] });
  await until(() => jobs.some(({ attempt }) => attempt === 2));
  await expect(append(made, 'r1', sessionId, { role: 'assistant', content: 'late' })).rejects.toMatchObject({ reason: 'STALE_PLAN' });
  await expect(finish(made, 'r1')).rejects.toMatchObject({ reason: 'STALE_PLAN' });
  await begin(made, 'r1', 2, 'runner/b');
  await history(made);
  expect(transcriptLines(made.stateDir, sessionId).at(-1)).toMatchObject({ message: { role: 'toolResult', toolCallId: 'c1', isError: true } });
  await until(() => jobs.some(({ attempt }) => attempt === 3));
  await begin(made, 'r1', 3, 'runner/c');
  await until(() => made.events.some(({ body }) => body?.$case === 'run' && !body.value.dataJson.toString('utf8').includes('"start"')));
  expect(await runOf(made, 'r1')).toMatchObject({ state: 'ended', outcome: 'error', errorMessage: expect.stringContaining('lost') as string });
  expect(await entryOf(made)).toMatchObject({ status: 'failed' });
  expect(jobs.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
});

it('cancels what waits at once, its message kept, and tells the one that runs', async () => {
  const made = await bench({ config: WITH_MODEL });
  const told: string[] = [];
  await serveService(made.bus, AgentRuntimeService, { cancelTurn: ({ runId, reason }: { runId: string; reason: string }) => Promise.resolve((told.push(`${runId} ${reason}`), { state: 'stopping' })) } as never, { subjectFor: (method) => (method === 'CancelTurn' ? subjects.run('r1', method) : undefined) });
  await made.client.deliver(turnOf('one', 'r1'));
  await begin(made, 'r1');
  await made.client.deliver(turnOf('two', 'r2', { queueMode: 'queue' }));
  const cancelled = await made.client.cancelRun(CancelRunRequest.create({ agentId: 'main', by: { $case: 'key', value: KEY }, reason: 'abort' }));
  expect(cancelled).toMatchObject({ state: 'stopping', activeRunId: 'r1', cancelledRunIds: ['r2'] });
  expect(await runOf(made, 'r2')).toMatchObject({ state: 'ended', outcome: 'cancelled' });
  expect(await runOf(made, 'r1')).toMatchObject({ state: 'stopping' });
  await until(() => told.length > 0);
  expect(told).toEqual(['r1 abort']);
  expect(await begin(made, 'r1')).toMatchObject({ cancelled: true, cancelReason: 'abort' });
  await finish(made, 'r1', { outcome: 'aborted', text: undefined });
  expect((await history(made)).texts).toEqual(['one', 'two']);
  expect(await entryOf(made)).toMatchObject({ status: 'killed', abortedLastRun: true });
  expect(await made.client.cancelRun(CancelRunRequest.create({ agentId: 'main', by: { $case: 'key', value: KEY }, reason: 'abort' }))).toMatchObject({ state: 'idle' });
});

it('hands steered messages to the turn that runs, and they end with it', async () => {
  const made = await bench({ config: WITH_MODEL });
  await made.client.deliver(turnOf('one', 'r1'));
  await begin(made, 'r1');
  await made.client.deliver(turnOf('and two', 'r2'));
  await made.client.deliver(turnOf('for bob', 'r3', { replyRoute: ReplyRoute.create({ channel: 'telegram', to: '456' }) }));
  expect((await begin(made, 'r1')).steerMessages).toEqual([]);
  expect((await begin(made, 'r1', 1, 'runner/a', true)).steerMessages).toMatchObject([{ text: 'and two' }]);
  expect((await begin(made, 'r1', 1, 'runner/a', true)).steerMessages).toEqual([]);
  const { deliveryIds } = await finish(made, 'r1');
  expect(deliveryIds).toHaveLength(1);
  expect(await runOf(made, 'r2')).toMatchObject({ state: 'ended', outcome: 'ok', text: 'answer to r1' });
  expect(await runOf(made, 'r3')).toMatchObject({ state: 'queued' });
  expect((await history(made)).texts).toEqual(['one', 'and two']);
});

it('resets only after the run has ended; what waited is in the transcript before', async () => {
  const made = await bench({ config: WITH_MODEL });
  const { sessionId = '' } = await made.client.deliver(turnOf('one', 'r1'));
  await begin(made, 'r1');
  await made.client.deliver(turnOf('two', 'r2', { queueMode: 'queue' }));
  const reset = (waitMs: number) => made.client.resetSession(StoreServiceResetSessionRequest.create({ agentId: 'main', key: KEY, reason: 'reset', waitMs }));
  await expect(reset(50)).rejects.toMatchObject({ reason: 'RUN_STILL_ACTIVE' });
  const resetting = reset(20_000);
  await finish(made, 'r1', { outcome: 'aborted' });
  const done = await resetting;
  expect(done.previousSessionId).toBe(sessionId);
  const archived = readFileSync(done.archived[0] ?? '', 'utf8');
  expect(archived).toContain('"text":"one"');
  expect(archived).toContain('"text":"two"');
  expect(await runOf(made, 'r2')).toMatchObject({ state: 'ended', outcome: 'cancelled' });
  expect(await made.client.deliver(turnOf('three', 'r3'))).toMatchObject({ queued: false, sessionId: done.sessionId });
});

it('stops runs from the chat, those of children too, and answers through the outbox with their number', async () => {
  const made = await bench({ config: WITH_MODEL });
  const childKey = 'agent:main:subagent:11111111-1111-4111-8111-111111111111';
  await made.client.deliver(turnOf('one', 'r1'));
  await begin(made, 'r1');
  await made.client.deliver(turnOf('two', 'r2', { queueMode: 'queue' }));
  const child = DeliverRequest.create({
    ...turnOf('task', 'r3', { replyRoute: undefined, deliver: false, source: 'spawn' }),
    route: { ...telegram('').route, sessionKey: childKey, originKind: 'webchat' } as never,
    child: { spawnedBy: KEY, spawnDepth: 1, label: 'helper', cleanup: 'keep', membersJson: Buffer.from('{"subagentRole":"leaf","sessionId":"mine"}') } as never,
  });
  expect(await made.client.deliver(child)).toMatchObject({ created: true, runId: 'r3', sessionKey: childKey });
  expect(await made.client.deliver({ ...child, run: RunRequest.create({ ...child.run, runId: 'r4' }), message: { ...child.message, channelMessage: undefined } as never }).catch((error: unknown) => error)).toMatchObject({ reason: 'ENTRY_CHANGED' });
  const { entryJson } = await made.client.getEntry({ agentId: 'main', by: { $case: 'key', value: childKey }, includeFacts: false, entryOffset: undefined });
  expect(JSON.parse(entryJson.toString('utf8'))).toMatchObject({ spawnedBy: KEY, spawnDepth: 1, label: 'helper', cleanup: 'keep', subagentRole: 'leaf', sessionId: expect.not.stringMatching(/^mine$/u) as string });
  const stopped = await made.client.deliver(telegram('/stop', { messageId: 'stop-1', authority: 'owner' }));
  expect(stopped).toMatchObject({ status: 'handled', reply: 'Stopped 3 runs.' });
  expect(await runOf(made, 'r3')).toMatchObject({ state: 'ended', outcome: 'cancelled' });
  expect((await pending(made, ['delivery'])).deliveries).toMatchObject([{ text: 'Stopped 3 runs.', route: { channel: 'telegram', to: '123' }, inReplyTo: { messageId: 'stop-1' } }]);
});

it('lets an interrupting message go first, in place of a run that nobody has begun', async () => {
  const made = await bench({ config: WITH_MODEL });
  await made.client.deliver(turnOf('one', 'r1'));
  expect(await made.client.deliver(turnOf('rather two', 'r2', {}, { interrupt: true }))).toMatchObject({ queued: false, interruptedRunId: 'r1', messageSeq: 2 });
  expect(await runOf(made, 'r1')).toMatchObject({ state: 'ended', outcome: 'cancelled' });
  await begin(made, 'r2');
  await made.client.deliver(turnOf('three', 'r3', { queueMode: 'queue' }));
  expect(await made.client.deliver(turnOf('no, four', 'r4', {}, { interrupt: true }))).toMatchObject({ queued: true, position: 1, interruptedRunId: 'r2' });
  expect(await begin(made, 'r2')).toMatchObject({ cancelled: true, cancelReason: 'steer' });
  expect(await finish(made, 'r2', { outcome: 'aborted' })).toMatchObject({ nextRunId: 'r4' });
  await begin(made, 'r4');
  expect((await history(made)).texts).toEqual(['one', 'rather two', 'no, four']);
});

describe('a turn that yielded', () => {
  const OTHER = ReplyRoute.create({ channel: 'telegram', to: '456' });
  const yields = (made: Bench, runId: string) => made.client.patchEntry(PatchEntryRequest.create({ agentId: 'main', key: KEY, changes: [{ name: 'yieldingRun', valueJson: Buffer.from(JSON.stringify(runId)) }] }));
  /** As the router hands it over from the sub-agent that the turn at `replyRoute` spawned. */
  const result = (made: Bench, runId: string, replyRoute: ReplyRoute | undefined) =>
    made.client.deliver(turnOf(`result ${runId}`, runId, { deliver: false, source: 'announce', replyRoute, extraSystemPrompt: 'A result. What you answer stays in this session.' }, { message: { ...telegram('').message, role: 'user', text: `result ${runId}`, channelMessage: undefined } as never, interSession: InterSession.create({ sourceSessionKey: 'agent:main:subagent:x', sourceTool: 'sessions_spawn', hops: 1, traceId: 'first' }) }));
  const answered = async (made: Bench): Promise<unknown[]> => (await pending(made, ['delivery'])).deliveries.map(({ text, route, inReplyTo }) => [text, route?.to, inReplyTo?.messageId]);

  it('is answered when its results have come, bound to its message, over a restart and once', async () => {
    let made = await bench({ config: WITH_MODEL });
    await made.client.deliver(turnOf('compare them', 'first'));
    await begin(made, 'first');
    await yields(made, 'first');
    // The first result is there before the turn has ended.
    await result(made, 'one', ROUTE);
    await finish(made, 'first', { text: '' });
    made = await restart(made, { config: WITH_MODEL });
    const begun = await begin(made, 'one');
    expect(begun.settings?.run).toMatchObject({ deliver: true, replyRoute: { to: '123' }, extraSystemPrompt: expect.stringContaining('sessions_yield') });
    expect(begun.settings?.run?.extraSystemPrompt).not.toContain('stays in this session');
    await yields(made, 'one');
    await finish(made, 'one', { text: '' });
    // A message of the person meanwhile has its own answer.
    await made.client.deliver(turnOf('how long?', 'between'));
    await begin(made, 'between');
    await finish(made, 'between', { text: 'not long' });
    await result(made, 'two', ROUTE);
    await begin(made, 'two');
    await finish(made, 'two', { text: 'both together' });
    await result(made, 'three', ROUTE);
    expect((await begin(made, 'three')).settings?.run).toMatchObject({ deliver: false, extraSystemPrompt: 'A result. What you answer stays in this session.' });
    await finish(made, 'three', { text: 'told twice' });
    expect(await answered(made)).toEqual([['not long', '123', 'm-between'], ['both together', '123', 'm-first']]);
    expect(await entryOf(made)).not.toHaveProperty('yieldedTurns');
    expect(await entryOf(made)).not.toHaveProperty('yieldingRun');
  });

  it('is not answered with what somebody else had asked for, by silence, or in a session that was begun anew', async () => {
    const made = await bench({ config: WITH_MODEL });
    await made.client.deliver(turnOf('compare them', 'first'));
    await begin(made, 'first');
    await yields(made, 'first');
    await finish(made, 'first', { text: 'wait' });
    for (const [runId, route] of [['other', OTHER], ['none', undefined]] as const) {
      await result(made, runId, route);
      expect((await begin(made, runId)).settings?.run?.deliver).toBe(false);
      await finish(made, runId);
    }
    await result(made, 'silent', ROUTE);
    expect((await begin(made, 'silent')).settings?.run?.deliver).toBe(true);
    await finish(made, 'silent', { text: 'NO_REPLY' });
    expect(await answered(made)).toEqual([['wait', '123', 'm-first']]);
    await made.client.resetSession(StoreServiceResetSessionRequest.create({ agentId: 'main', key: KEY, reason: 'new' }));
    await result(made, 'late', ROUTE);
    expect((await begin(made, 'late')).settings?.run?.deliver).toBe(false);
  });
});

it('spawns a child that begins with the branch of its parent', async () => {
  const made = await bench({ config: WITH_MODEL });
  const childKey = 'agent:main:subagent:22222222-2222-4222-8222-222222222222';
  const parent = await made.client.deliver(telegram('what was said'));
  await made.client.appendRecords(AppendRecordsRequest.create({ agentId: 'main', key: KEY, sessionId: parent.sessionId, lines: [Buffer.from(JSON.stringify({ type: 'message', message: { role: 'assistant', content: [{ type: 'text', text: 'noted' }] } }))] }));
  const child = DeliverRequest.create({
    ...turnOf('the task', 'r1', { deliver: false, replyRoute: undefined, source: 'spawn' }),
    route: { ...telegram('').route, sessionKey: childKey, originKind: 'webchat' } as never,
    child: { spawnedBy: KEY, spawnDepth: 1, cleanup: 'keep', fork: true } as never,
  });
  const spawned = await made.client.deliver(child, { idempotencyKey: 'spawn-1' });
  expect(spawned).toMatchObject({ runId: 'r1', sessionKey: childKey });
  expect(await made.client.deliver(child, { idempotencyKey: 'spawn-1' })).toMatchObject({ status: 'duplicate', runId: 'r1', sessionId: spawned.sessionId });
  const { texts } = await history(made, { by: { $case: 'key', value: childKey } });
  expect(texts).toEqual(['what was said', 'noted', 'the task']);
  const { entryJson } = await made.client.getEntry({ agentId: 'main', by: { $case: 'key', value: childKey }, includeFacts: false, entryOffset: undefined });
  expect(JSON.parse(entryJson.toString('utf8'))).toMatchObject({ spawnedBy: KEY, spawnDepth: 1, parentSessionKey: KEY });
});
