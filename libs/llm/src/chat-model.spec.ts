/** Both protocols against a server that speaks them: the same words, the same endings, the same failures. */
import { parseConfig, type JsonObject, type SessionConfig } from '@sessions/domain';
import { ModelFailure, collectAnswer, openModel, withModelRetries, type ChatModel, type ModelLimits } from './index';
import { startModelServer, type ModelServer, type ScriptedAnswer } from './testing';

const SECRET = 'the sentence that must not leave';
const ask = { system: 'sum up', messages: [{ role: 'user', content: SECRET }] as JsonObject[] };
const FAST: ModelLimits = { wholeMs: 5_000, silenceMs: 5_000 };

describe.each(['openai-completions', 'anthropic-messages'] as const)('a model behind %s', (api) => {
  let server: ModelServer;
  beforeEach(async () => {
    server = await startModelServer();
  });
  afterEach(() => server.close());

  const open = (limits = FAST): ChatModel => {
    const config = (parseConfig({ models: { providers: { local: { baseUrl: server.baseUrl, apiKey: 'k1', api, models: [{ id: 'small', maxTokens: 77 }] } } } }) as { config: SessionConfig }).config;
    return openModel(config, { provider: 'local', model: 'small' }, limits);
  };
  const failureOf = (script: ScriptedAnswer, limits?: ModelLimits, signal?: AbortSignal): Promise<ModelFailure> => {
    server.answer = () => script;
    return collectAnswer(open(limits), ask, signal === undefined ? {} : { signal }).then(
      () => {
        throw new Error('it answered');
      },
      (error: unknown) => error as ModelFailure,
    );
  };

  it('streams text, tool calls and usage, and sends what it was told', async () => {
    server.answer = () => ({ chunks: ['one ', 'two'], toolCalls: [{ id: 'c1', name: 'look', arguments: { at: 3 } }], usage: { input: 12, output: 5 } });
    const messages: JsonObject[] = [
      { role: 'user', content: [{ type: 'text', text: 'hi' }, { type: 'image', data: 'AAAA', mimeType: 'image/png' }] },
      { role: 'assistant', content: [{ type: 'toolCall', id: 'c0', name: 'look', arguments: { at: 1 } }] },
      { role: 'toolResult', toolCallId: 'c0', toolName: 'look', content: [{ type: 'text', text: 'seen' }] },
    ];
    const answer = await collectAnswer(open(), { system: 'rules', messages, tools: [{ name: 'look', description: 'd', parameters: { type: 'object', properties: {} } }] });
    expect(answer).toEqual({ text: 'one two', toolCalls: [{ type: 'tool-call', id: 'c1', name: 'look', arguments: { at: 3 } }], stopReason: 'tool-use', usage: { inputTokens: 12, outputTokens: 5, cacheReadTokens: 0, cacheWriteTokens: 0 } });
    expect(server.asked[0]).toMatchObject({ api, model: 'small', body: { stream: true, max_tokens: 77 } });
    expect(server.asked[0]?.text).toContain('seen');
    expect(JSON.stringify(server.asked[0]?.headers)).toContain('k1');
  });

  it('does not make nothing of a count that the server left out', async () => {
    server.answer = () => ({ chunks: ['one'], usage: { input: 12 } });
    const answer = await collectAnswer(open(), ask);
    expect(answer.usage).toMatchObject({ inputTokens: 12, outputTokens: undefined });
  });

  it('streams what a model thinks, and hands its own thoughts back to it', async () => {
    server.answer = () => ({ thinking: 'hm', chunks: ['yes'] });
    const events: unknown[] = [];
    for await (const event of open().stream({ ...ask, thinking: 'low' })) if (event.type !== 'end') events.push(event);
    const signed = api === 'anthropic-messages';
    expect(events).toEqual([{ type: 'thinking', text: 'hm' }, ...(signed ? [{ type: 'thinking', text: '', signature: 'signed' }] : []), { type: 'text', text: 'yes' }]);
    expect(server.asked[0]?.body).toMatchObject(signed ? { thinking: { budget_tokens: 2_048 }, max_tokens: 77 + 2_048 } : { reasoning_effort: 'low' });
    const thought = { type: 'thinking', thinking: 'hm', thinkingSignature: 'signed' };
    const before = (model: string): JsonObject => ({ role: 'assistant', provider: 'local', model, content: [thought, { type: 'text', text: 'yes' }] });
    await collectAnswer(open(), { messages: [{ role: 'user', content: 'a' }, before('small'), { role: 'user', content: 'b' }, before('other'), { role: 'user', content: 'c' }] });
    const sent = JSON.stringify(server.asked[1]?.body);
    expect(sent.split('"signature":"signed"')).toHaveLength(signed ? 2 : 1);
  });

  it('says why it gave no answer, in kinds, and never repeats what was said', async () => {
    const failures = [
      await failureOf({ status: 401, errorText: SECRET }),
      await failureOf({ status: 429, errorText: SECRET, retryAfterSeconds: 2 }),
      await failureOf({ status: 500, errorText: SECRET }),
      await failureOf({ status: 400, errorText: `${SECRET}: context length exceeded` }),
      await failureOf({ status: 400, errorText: SECRET }),
      await failureOf({ chunks: [SECRET], breaks: true }),
    ];
    expect(failures.map(({ kind }) => kind)).toEqual(['unauthorised', 'rate-limited', 'overloaded', 'overflow', 'refused', expect.stringMatching(/unreachable|broken-stream/u)]);
    expect(failures[1]?.retryAfterMs).toBe(2_000);
    for (const failure of failures) {
      expect(failure).toMatchObject({ reason: 'MODEL_FAILED', facts: { provider: 'local', model: 'small' } });
      expect(`${failure.message}${failure.stack ?? ''}${JSON.stringify(failure.facts)}${String(failure.cause)}`).not.toContain(SECRET);
    }
  });

  it('gives up a model that is silent, before or within its answer, and one that takes too long', async () => {
    expect(await failureOf({ hangs: 'before' }, { ...FAST, silenceMs: 50 })).toMatchObject({ kind: 'timeout' });
    expect(await failureOf({ chunks: ['a'], hangs: 'after-chunks' }, { ...FAST, silenceMs: 150 })).toMatchObject({ kind: 'timeout' });
    expect(await failureOf({ chunks: Array.from({ length: 200 }, () => 'a'), chunkDelayMs: 10 }, { wholeMs: 150, silenceMs: 5_000 })).toMatchObject({ kind: 'timeout' });
  });

  it('leaves when its caller does, and the connection with it', async () => {
    const leaving = new AbortController();
    const failure = failureOf({ hangs: 'before' }, FAST, leaving.signal);
    while (server.asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    leaving.abort();
    expect(await failure).toMatchObject({ kind: 'aborted' });
    while (server.open > 0) await new Promise((resolve) => setTimeout(resolve, 2));
  });

  it('is asked again where that can help, and not where it cannot', async () => {
    const limits = { attemptsMax: 3, firstWaitMs: 1, waitMaxMs: 2 };
    const again = (): Promise<string> => withModelRetries((signal) => collectAnswer(open(), ask, { signal }).then(({ text }) => text), { limits, signal: new AbortController().signal });
    server.answer = ({ number }) => (number < 3 ? { status: 503 } : { chunks: ['third'] });
    expect(await again()).toBe('third');
    server.answer = () => ({ status: 503 });
    await expect(again()).rejects.toMatchObject({ kind: 'overloaded' });
    expect(server.asked).toHaveLength(6);
    server.answer = () => ({ status: 403 });
    await expect(again()).rejects.toMatchObject({ kind: 'unauthorised' });
    expect(server.asked).toHaveLength(7);
  });
});

it('a provider that is not configured is said to be so', () => {
  const config = (parseConfig({}) as { config: SessionConfig }).config;
  expect(() => openModel(config, { provider: 'nobody', model: 'm' })).toThrow(expect.objectContaining({ kind: 'unconfigured' }) as Error);
});

it('a server that is not there is unreachable', async () => {
  const server = await startModelServer();
  await server.close();
  const config = (parseConfig({ models: { providers: { local: { baseUrl: server.baseUrl, api: 'openai-completions', models: [] } } } }) as { config: SessionConfig }).config;
  await expect(collectAnswer(openModel(config, { provider: 'local', model: 'm' }), ask)).rejects.toMatchObject({ kind: 'unreachable' });
});

it('demo/echo repeats what it was told, word by word, without being configured', async () => {
  const config = (parseConfig({}) as { config: SessionConfig }).config;
  const model = openModel(config, { provider: 'demo', model: 'echo' });
  const words: string[] = [];
  for await (const event of model.stream({ messages: [{ role: 'user', content: 'one two  three' }] })) if (event.type === 'text') words.push(event.text);
  expect(words.length).toBeGreaterThanOrEqual(4);
  expect(words.join('')).toBe('Echo: one two  three');
  const leaving = new AbortController();
  leaving.abort();
  await expect(collectAnswer(model, { messages: [] }, { signal: leaving.signal })).rejects.toMatchObject({ kind: 'aborted' });
});
