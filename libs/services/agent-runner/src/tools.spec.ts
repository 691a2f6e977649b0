/** Tools of a turn: called once under names that last, their failures are results, and the prompt is valid after any interruption. */
import { Event } from '@sessions/contracts';
import { REDACTED_CONTENT, SessionError, contextProblems, type JsonObject } from '@sessions/domain';
import { openHouse, until, type RunnerHouse } from './testing/runner-house';

const TOOLS = ['look', 'send', 'rest'].map((name) => ({ name, description: name, parameters: { type: 'object', properties: {} } as JsonObject }));
const offered = { offerTools: () => TOOLS };
const call = (id: string, name: string, given: object = {}) => ({ id, name, arguments: given });
const result = (message: JsonObject | undefined): unknown => JSON.parse((message?.['content'] as { text: string }[])[0]?.text ?? 'null');

describe.each(['openai-completions', 'anthropic-messages'] as const)('tools over %s', (api) => {
  let house: RunnerHouse;
  afterEach(() => house.close());

  it('are called under the identity of the session, and the model goes on with what they say', async () => {
    house = await openHouse({ api, runner: offered });
    const seen: unknown[] = [];
    await house.serveTools(async ({ name, argumentsJson, runId, sessionKey }, { caller, idempotencyKey }) => {
      seen.push({ name, given: JSON.parse(Buffer.from(argumentsJson).toString('utf8')), runId, sessionKey, caller, key: idempotencyKey });
      return { result: { found: 3 } };
    });
    house.model.answer = ({ number }) => (number === 1 ? { chunks: ['Looking.'], toolCalls: [call('c1', 'look', { at: 1 }), call('c2', 'look', { at: 2 })] } : { chunks: ['Found 3.'] });
    const runId = await house.owner.deliver('How many?');
    expect(await house.owner.ended(runId)).toMatchObject({ outcome: 'ok', text: 'Found 3.' });
    expect(seen).toMatchObject([{ name: 'look', given: { at: 1 }, runId, caller: 'agent:agent:main:main' }, { given: { at: 2 } }]);
    expect(new Set(seen.map((one) => (one as { key: string }).key)).size).toBe(2);
    const messages = house.owner.messages();
    expect(messages.map(({ role, stopReason }) => [role, stopReason])).toEqual([['user', undefined], ['assistant', 'toolUse'], ['toolResult', undefined], ['toolResult', undefined], ['assistant', 'stop']]);
    expect(messages[1]?.['content']).toEqual([{ type: 'text', text: 'Looking.' }, { type: 'toolCall', id: 'c1', name: 'look', arguments: { at: 1 } }, { type: 'toolCall', id: 'c2', name: 'look', arguments: { at: 2 } }]);
    expect(messages[2]).toMatchObject({ toolCallId: 'c1', toolName: 'look', isError: false });
    expect(house.model.asked[1]?.text).toContain('"found":3');
    const told = house.events.flatMap(({ body }) => (body?.$case === 'tool' ? [[body.value.phase, body.value.toolCallId, body.value.ok]] : []));
    expect(told).toEqual([['start', 'c1', undefined], ['result', 'c1', true], ['start', 'c2', undefined], ['result', 'c2', true]]);
  });
});

describe.each(['openai-completions', 'anthropic-messages'] as const)('a call over %s', (api) => {
  let house: RunnerHouse;
  afterEach(() => house.close());

  it('does nothing where its arguments cannot be read, tells the model so and keeps none of them', async () => {
    house = await openHouse({ api, runner: offered });
    const called: string[] = [];
    await house.serveTools(async ({ name, argumentsJson }) => {
      called.push(`${name} ${Buffer.from(argumentsJson).toString('utf8')}`);
      return { result: {} };
    });
    house.model.answer = ({ number }) => (number === 1 ? { toolCalls: [{ id: 'c1', name: 'rest', arguments: 'a secret' }, { id: 'c2', name: 'look', arguments: ['a secret'] }, call('c3', 'look')] } : { chunks: ['well'] });
    expect(await house.owner.ended(await house.owner.deliver('go'))).toMatchObject({ outcome: 'ok', text: 'well' });
    expect(called).toEqual(['look {}']);
    const [first, second] = house.owner.messages().filter(({ role }) => role === 'toolResult');
    for (const message of [first, second]) {
      expect(message).toMatchObject({ isError: true });
      expect(result(message)).toEqual({ status: 'error', error: 'the arguments are not one whole JSON object; nothing was done' });
    }
    expect(JSON.stringify(house.owner.messages())).not.toContain('secret');
  });
});

describe('tools', () => {
  let house: RunnerHouse;
  afterEach(() => house.close());

  it.each([
    ['that are new in each answer', (answer: number) => `c${String(answer)}`],
    ['that begin anew in each answer', () => 'c'],
  ])('send so often in one turn and no more under ids %s, and others go on', async (_, prefix) => {
    const sends = (answer: number) => Array.from({ length: 60 }, (_none, at) => call(`${prefix(answer)}-${String(at)}`, at % 2 === 0 ? 'sessions_send' : 'sessions_spawn', { message: 'm' }));
    const names = ['look', 'sessions_send', 'sessions_spawn'];
    house = await openHouse({ runner: { offerTools: () => names.map((name) => ({ name, description: name, parameters: { type: 'object', properties: {} } as JsonObject })) } });
    const called = new Map<string, number>();
    await house.serveTools(async ({ name }) => {
      called.set(name, (called.get(name) ?? 0) + 1);
      return { result: { status: 'accepted' } };
    });
    house.model.answer = ({ number }) => (number <= 2 ? { toolCalls: [...sends(number), call('l', 'look')] } : { chunks: ['well'] });
    expect(await house.owner.ended(await house.owner.deliver('go'))).toMatchObject({ outcome: 'ok', text: 'well' });
    expect(Object.fromEntries(called)).toEqual({ sessions_send: 50, sessions_spawn: 50, look: 2 });
    const refused = house.owner.messages().filter(({ role, isError }) => role === 'toolResult' && isError === true);
    expect(refused).toHaveLength(20);
    for (const message of refused) expect(result(message)).toEqual({ status: 'forbidden', error: expect.stringMatching(/sent and spawned 100 times/) as string });
  });

  it('fail as results that the model reads: refused, unknown, or nobody there', async () => {
    house = await openHouse({ runner: offered });
    await house.serveTools(async ({ name }) => {
      if (name === 'look') throw new SessionError('NOT_VISIBLE', 'not for you');
      return { result: { status: 'forbidden', error: 'no' } };
    });
    house.model.answer = ({ number }) => (number === 1 ? { toolCalls: [call('c1', 'look'), call('c2', 'send'), call('c3', 'unheard')] } : { chunks: ['well'] });
    expect(await house.owner.ended(await house.owner.deliver('go'))).toMatchObject({ outcome: 'ok', text: 'well' });
    const results = house.owner.messages().filter(({ role }) => role === 'toolResult');
    expect(results.map(result)).toEqual([{ status: 'error', error: 'not for you' }, { status: 'forbidden', error: 'no' }, { status: 'error', error: 'Tool not available: unheard' }]);
    expect(results.every(({ isError }) => isError === true)).toBe(true);
  });

  it('hand files over whose contents stand in no transcript and no event', async () => {
    house = await openHouse({ runner: { offerTools: () => [{ name: 'sessions_spawn', description: 'd', parameters: { type: 'object', properties: {} } }] } });
    const given: unknown[] = [];
    await house.serveTools(async ({ argumentsJson }) => {
      given.push(JSON.parse(Buffer.from(argumentsJson).toString('utf8')));
      return { result: { status: 'accepted' } };
    });
    const spawn = { task: 't', attachments: [{ name: 'key.pem', content: 'c2VjcmV0', encoding: 'base64' }] };
    house.model.answer = ({ number }) => (number === 1 ? { toolCalls: [call('c1', 'sessions_spawn', spawn)] } : { chunks: ['spawned'] });
    expect(await house.owner.ended(await house.owner.deliver('go'))).toMatchObject({ outcome: 'ok' });
    expect(given).toEqual([spawn]);
    expect(house.owner.messages()[1]?.['content']).toMatchObject([{ name: 'sessions_spawn', arguments: { task: 't', attachments: [{ name: 'key.pem', content: REDACTED_CONTENT }] } }]);
    expect(JSON.stringify([house.owner.messages(), house.events.map((event) => Event.toJSON(event))])).not.toContain('c2VjcmV0');
    const told = house.events.flatMap(({ body }) => (body?.$case === 'tool' ? [Buffer.from(body.value.dataJson ?? []).toString('utf8')] : []));
    expect(told.join()).not.toContain('c2VjcmV0');
  });

  it('are called again under the same key when the router goes away in between', async () => {
    house = await openHouse({ runner: offered });
    const keys: (string | undefined)[] = [];
    const first = await house.serveTools(async (_, { idempotencyKey }) => {
      keys.push(idempotencyKey);
      throw new SessionError('SHUTTING_DOWN', 'going');
    });
    house.model.answer = ({ number }) => (number === 1 ? { toolCalls: [call('c1', 'send')] } : { chunks: ['sent'] });
    const runId = await house.owner.deliver('go');
    await until(() => keys.length > 0);
    await first.stop();
    await house.serveTools(async (_, { idempotencyKey }) => {
      keys.push(idempotencyKey);
      return { result: { status: 'ok' } };
    });
    expect(await house.owner.ended(runId)).toMatchObject({ outcome: 'ok', text: 'sent' });
    expect(new Set(keys).size).toBe(1);
  });

  it('end the turn when the tool says so', async () => {
    house = await openHouse({ runner: offered });
    await house.serveTools(async () => ({ result: { status: 'yielded' }, endsTurn: true }));
    house.model.answer = () => ({ chunks: ['I wait.'], toolCalls: [call('c1', 'rest')] });
    expect(await house.owner.ended(await house.owner.deliver('go'))).toMatchObject({ outcome: 'ok', text: 'I wait.' });
    expect(house.model.asked).toHaveLength(1);
  });

  it('leave off when the turn is stopped, and the call has a result', async () => {
    house = await openHouse({ runner: { ...offered, heartbeatMs: 20 } });
    let hasLeft = false;
    await house.serveTools((_, { signal }) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => {
      hasLeft = true;
      reject(new Error('left'));
    })));
    house.model.answer = () => ({ toolCalls: [call('c1', 'look'), call('c2', 'look')] });
    const runId = await house.owner.deliver('go');
    await until(() => house.events.some(({ body }) => body?.$case === 'tool'));
    house.owner.cancel(runId, 'abort');
    expect(await house.owner.ended(runId)).toMatchObject({ outcome: 'aborted' });
    await until(() => hasLeft);
    expect(house.owner.messages().filter(({ role }) => role === 'toolResult')).toMatchObject([{ toolCallId: 'c1', isError: true }]);
  });

  it('are called only once their call is durable', async () => {
    house = await openHouse({ runner: offered });
    const before: number[] = [];
    await house.serveTools(async () => {
      before.push(house.owner.messages().filter(({ role }) => role === 'assistant').length);
      return { result: 1 };
    });
    house.model.answer = ({ number }) => (number === 1 ? { toolCalls: [call('c1', 'look')] } : { chunks: ['done'] });
    await house.owner.ended(await house.owner.deliver('go'));
    expect(before).toEqual([1]);
  });

  it('show the model a beginning of what is too long', async () => {
    house = await openHouse({ runner: offered });
    await house.serveTools(async () => ({ result: 'x'.repeat(300_000) }));
    house.model.answer = ({ number }) => (number === 1 ? { toolCalls: [call('c1', 'look')] } : { chunks: ['long'] });
    await house.owner.ended(await house.owner.deliver('go'));
    const text = (house.owner.messages()[2]?.['content'] as { text: string }[])[0]?.text ?? '';
    expect(text.length).toBeLessThan(101_000);
    expect(text).toContain('[cut: the result has 300002 characters]');
    expect(house.events.flatMap(({ body }) => (body?.$case === 'tool' && body.value.phase === 'result' ? [body.value.cut] : []))).toEqual([true]);
  });

  it('of a runtime that is lost are called again under their old names, and the model is asked with a valid prompt', async () => {
    house = await openHouse({ runner: offered });
    const keys: (string | undefined)[] = [];
    await house.serveTools(async ({ argumentsJson }, { idempotencyKey }) => {
      keys.push(idempotencyKey);
      return { result: { got: JSON.parse(Buffer.from(argumentsJson).toString('utf8')) } };
    });
    const runId = 'run-x';
    house.model.answer = () => ({ chunks: ['went on'] });
    const asked = house.owner.deliver('go', { runId });
    const broken = { type: 'message', id: 'aaaa0001', message: { role: 'assistant', content: [{ type: 'toolCall', id: 'c1', name: 'send', arguments: { n: 1 } }], stopReason: 'toolUse', timestamp: 2 } };
    house.owner.lines.push({ ...broken, parentId: house.owner.lines.at(-1)?.['id'] ?? null });
    await asked;
    expect(await house.owner.ended(runId)).toMatchObject({ outcome: 'ok', text: 'went on' });
    expect(keys).toHaveLength(1);
    expect(result(house.owner.messages()[2])).toEqual({ got: { n: 1 } });
    expect(contextProblems(house.owner.messages())).toEqual([]);
  });
});
