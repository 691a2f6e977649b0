/** A turn from its notice to its end, over a real bus and a model that is a real server. */
import { contextProblems } from '@sessions/domain';
import { openHouse, until, type RunnerHouse } from './testing/runner-house';

const runData = (house: RunnerHouse): Record<string, unknown>[] =>
  house.events.flatMap(({ body }) => (body?.$case === 'run' ? [{ stream: body.value.stream, ...(JSON.parse(body.value.dataJson.toString('utf8')) as object) }] : []));

describe.each(['openai-completions', 'anthropic-messages'] as const)('a turn over %s', (api) => {
  let house: RunnerHouse;
  afterEach(() => house.close());

  it('answers: told word by word, written in the transcript\'s format, finished with text and usage', async () => {
    house = await openHouse({ api });
    const runId = await house.owner.deliver('Hello');
    const end = await house.owner.ended(runId);
    expect(end).toMatchObject({ outcome: 'ok', text: 'Good day', attempt: 1, stopReason: 'stop' });
    expect(end.usage).toMatchObject([{ inputTokens: 10, outputTokens: 2, totalTokens: 12, modelProvider: 'local', model: 'small' }]);
    const [, answer] = house.owner.messages();
    expect(answer).toEqual({ role: 'assistant', content: [{ type: 'text', text: 'Good day' }], api, provider: 'local', model: 'small', usage: { input: 10, output: 2, cacheRead: 0, cacheWrite: 0, totalTokens: 12 }, stopReason: 'stop', timestamp: expect.any(Number) });
    expect(house.owner.lines[1]).toMatchObject({ type: 'message', id: expect.stringMatching(/^[0-9a-f]{8}$/u), timestamp: expect.any(String) });
    // Told before the owner hears it; what is told arrives in its own time.
    await until(() => runData(house).at(-1)?.['phase'] === 'end');
    const told = runData(house);
    expect(told.filter(({ stream }) => stream === 'assistant').map(({ delta }) => delta).join('')).toBe('Good day');
    expect(told.slice(-2)).toMatchObject([{ phase: 'finishing' }, { phase: 'end', text: 'Good day', stopReason: 'stop' }]);
    const seqs = house.events.map(({ seq }) => seq);
    // The first is the owner's, which tells that the run begins.
    expect(seqs).toEqual(seqs.map((_, at) => at + 2));
    await until(() => house.runner.running === 0);
  });
});

describe('a turn', () => {
  let house: RunnerHouse;
  afterEach(() => house.close());

  it('has demo/echo repeat what was said when that is configured', async () => {
    house = await openHouse({ settings: { agents: { defaults: { model: { primary: 'demo/echo' } } } } });
    expect(await house.owner.ended(await house.owner.deliver('one two'))).toMatchObject({ outcome: 'ok', text: 'Echo: one two' });
    expect(house.model.asked).toHaveLength(0);
  });

  it('is told to its last word before the answer stands in the transcript', async () => {
    house = await openHouse();
    const { lines } = house.owner;
    const toldBefore: string[] = [];
    const push = lines.push.bind(lines);
    lines.push = (...added) => {
      toldBefore.push(runData(house).flatMap(({ stream, delta }) => (stream === 'assistant' ? [delta] : [])).join(''));
      return push(...added);
    };
    await house.owner.ended(await house.owner.deliver('Hello'));
    expect(toldBefore).toEqual(['', 'Good day']);
  });

  it('says what to configure when no model is', async () => {
    house = await openHouse({ settings: {} });
    expect(await house.owner.ended(await house.owner.deliver('Hello'))).toMatchObject({ outcome: 'error', errorMessage: expect.stringContaining('agents.defaults.model.primary') });
    expect(runData(house).at(-1)).toMatchObject({ phase: 'error', errorMessage: expect.stringContaining('no model') });
  });

  it('asks a model that is away again, then the one that stands in for it', async () => {
    house = await openHouse({ settings: { agents: { defaults: { model: { primary: 'local/small', fallbacks: ['local/spare'] } } } } });
    house.model.answer = ({ model }) => (model === 'small' ? { status: 503 } : { chunks: ['spare'] });
    const end = await house.owner.ended(await house.owner.deliver('Hello'));
    expect(end).toMatchObject({ outcome: 'ok', text: 'spare' });
    expect(house.model.asked.map(({ model }) => model)).toEqual(['small', 'small', 'small', 'spare']);
    expect(house.owner.messages()[1]).toMatchObject({ model: 'spare' });
  });

  it('fails with what was said when a model breaks off after its first word', async () => {
    house = await openHouse();
    house.model.answer = () => ({ chunks: ['half '], breaks: true });
    const end = await house.owner.ended(await house.owner.deliver('Hello'));
    expect(end).toMatchObject({ outcome: 'error', text: 'half ' });
    expect(house.model.asked).toHaveLength(1);
    expect(house.owner.messages()[1]).toMatchObject({ content: [{ text: 'half ' }], stopReason: 'error' });
    expect(contextProblems(house.owner.messages())).toEqual([]);
  });

  it('ends in time: the outcome is a time-out, and what was said stays', async () => {
    house = await openHouse();
    house.model.answer = () => ({ chunks: ['so far'], hangs: 'after-chunks' });
    const end = await house.owner.ended(await house.owner.deliver('Hello', { timeoutMs: 400 }));
    expect(end).toMatchObject({ outcome: 'timeout', text: 'so far' });
    expect(house.owner.messages()[1]).toMatchObject({ stopReason: 'aborted' });
    await until(() => house.model.open === 0);
  });

  it('is stopped by its owner, with the partial answer under the key that clients know', async () => {
    house = await openHouse({ runner: { heartbeatMs: 20 } });
    house.model.answer = () => ({ chunks: ['part'], hangs: 'after-chunks' });
    const runId = await house.owner.deliver('Hello');
    await until(() => runData(house).some(({ stream }) => stream === 'assistant'));
    house.owner.cancel(runId, 'abort');
    expect(await house.owner.ended(runId)).toMatchObject({ outcome: 'aborted', text: 'part' });
    expect(house.owner.messages()[1]).toMatchObject({ stopReason: 'aborted', idempotencyKey: `${runId}:assistant`, openclawAbort: { aborted: true, origin: 'abort', runId } });
    expect(runData(house).at(-1)).toMatchObject({ phase: 'end', aborted: true, stopReason: 'rpc', text: 'part' });
    await until(() => house.model.open === 0);
  });

  it('takes up a message that comes while it answers, and answers that too', async () => {
    house = await openHouse();
    house.model.answer = ({ number }) => (number === 1 ? { chunks: ['first', ' answer'], chunkDelayMs: 100 } : { chunks: ['second answer'] });
    const runId = await house.owner.deliver('Hello');
    await until(() => house.model.asked.length === 1);
    house.owner.steer(runId, 'And this');
    const end = await house.owner.ended(runId);
    expect(end).toMatchObject({ outcome: 'ok', text: 'first answer\n\nsecond answer' });
    expect(house.model.asked[1]?.text).toContain('And this');
    expect(house.owner.messages().map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'assistant']);
  });

  it('stops without another word when another attempt holds the run', async () => {
    house = await openHouse({ runner: { heartbeatMs: 20 } });
    house.model.answer = ({ number }) => (number === 1 ? { chunks: ['lost'], hangs: 'after-chunks' } : { chunks: ['kept'] });
    const runId = await house.owner.deliver('Hello');
    await until(() => runData(house).some(({ stream }) => stream === 'assistant'));
    await house.owner.nextAttempt(runId);
    expect(await house.owner.ended(runId)).toMatchObject({ outcome: 'ok', text: 'kept', attempt: 2 });
    await until(() => house.runner.running === 0);
    expect(house.owner.messages()).toHaveLength(2);
  });

  it('does not ask a model again for an answer that an earlier attempt wrote', async () => {
    house = await openHouse();
    const runId = await house.owner.deliver('Hello');
    await house.owner.ended(runId);
    const run = house.owner.runs.get(runId);
    if (run !== undefined) run.finished = undefined;
    await house.owner.nextAttempt(runId);
    const end = await house.owner.ended(runId);
    expect(end).toMatchObject({ outcome: 'ok', text: 'Good day', attempt: 2, usage: [{ inputTokens: 10, outputTokens: 2 }] });
    expect(house.model.asked).toHaveLength(1);
  });

  it('is left open when its process stops, and goes on elsewhere', async () => {
    house = await openHouse({ runner: { drainMs: 50 } });
    house.model.answer = ({ number }) => (number === 1 ? { chunks: ['half'], hangs: 'after-chunks' } : { chunks: ['whole'] });
    const runId = await house.owner.deliver('Hello');
    await until(() => house.model.asked.length === 1);
    await house.runner.drain();
    expect(house.runner.running).toBe(0);
    expect(house.owner.runs.get(runId)?.finished).toBeUndefined();
    await house.startRunner();
    await house.owner.nextAttempt(runId);
    expect(await house.owner.ended(runId)).toMatchObject({ outcome: 'ok', text: 'whole' });
    expect(house.owner.messages()).toHaveLength(2);
  });

  it('leaves a run whose session was reset to its owner', async () => {
    house = await openHouse();
    house.model.answer = () => ({ chunks: ['late'], delayMs: 200 });
    const runId = await house.owner.deliver('Hello');
    await until(() => house.model.asked.length === 1);
    house.owner.reset();
    await until(() => house.runner.running === 0);
    expect(house.owner.runs.get(runId)?.finished).toBeUndefined();
    expect(house.owner.messages()).toHaveLength(1);
  });
});
