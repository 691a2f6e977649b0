/** Compactions from end to end: whatever the summariser does, no message is lost, doubled or moved, and nobody waits. */
import { assembleContext, boundedContext, contextProblems, estimateLineTokens, estimateTextTokens, messageText, type JsonObject } from '@sessions/domain';
import { KEY, WINDOW_TOKENS, compactionScene, type CompactionScene } from './support/compaction-scene';
import { waitUntil } from './support/wait-until';

const made: CompactionScene[] = [];
const scene = async (options?: Parameters<typeof compactionScene>[0]): Promise<CompactionScene> => {
  const one = await compactionScene(options);
  made.push(one);
  return one;
};
afterEach(async () => {
  for (const one of made.splice(0)) await one.close();
});

const text = (value: string, role = 'user'): JsonObject => ({ role, content: [{ type: 'text', text: value }] });
const talk = (count: number, words: number): JsonObject[] => Array.from({ length: count }, (_, index) => text(`old${String(index)} ${'word '.repeat(words)}`, index % 2 === 0 ? 'user' : 'assistant'));
const contextTexts = async (one: CompactionScene): Promise<string[]> => assembleContext(await one.branch()).map(({ message }) => messageText(message));
const contextTokens = async (one: CompactionScene): Promise<number> => (await contextTexts(one)).reduce((sum, each) => sum + estimateTextTokens(each), 0);

/** Numbered messages at random moments while `work` goes on; all are sent when it resolves. */
async function sendAmong<T>(one: CompactionScene, count: number, withinMs: number, work: Promise<T>): Promise<T> {
  const moments = Array.from({ length: count }, () => Math.random() * withinMs).sort((left, right) => left - right);
  const beganAt = performance.now();
  for (const [index, at] of moments.entries()) {
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, at - (performance.now() - beganAt))));
    await one.send(`n${String(index)}.`);
  }
  return work;
}

async function expectAllOnceInOrder(one: CompactionScene, count: number): Promise<void> {
  const wanted = Array.from({ length: count }, (_, index) => `n${String(index)}.`);
  const stored = (await one.branch()).flatMap(({ message }) => (message === undefined ? [] : [messageText(message)])).filter((each) => /^n\d+\.$/u.test(each));
  expect(stored).toEqual(wanted);
  const context = await contextTexts(one);
  expect(context.filter((each) => /^n\d+\.$/u.test(each))).toEqual(wanted);
  expect(contextProblems(assembleContext(await one.branch()).map(({ message }) => message))).toEqual([]);
}

const ENDINGS = [
  ['answers late', { chunks: ['the ', 'summary'], delayMs: 700 }, { ok: true, compacted: true, summary: 'the summary' }],
  ['fails', { status: 500, delayMs: 200 }, { ok: false, compacted: false, reason: 'summarizer failed (overloaded)' }],
  ['breaks off', { chunks: ['half'], breaks: true, delayMs: 200 }, { ok: false, compacted: false }],
  ['says nothing', { chunks: [' '], delayMs: 200 }, { ok: false, compacted: false, reason: 'summarizer failed (the summary is empty)' }],
  ['never answers', { hangs: 'before' }, { ok: false, compacted: false, reason: 'timeout' }],
  ['takes longer than it may', { chunks: Array.from({ length: 600 }, () => 'a'), chunkDelayMs: 100 }, { ok: false, compacted: false, reason: 'timeout' }],
] as const;

describe.each(['openai-completions', 'anthropic-messages'])('a summariser behind %s that', (api) => {
  it.each(ENDINGS)('%s: every message sent meanwhile is acknowledged, once and in order in transcript and next prompt', async (_name, script, wanted) => {
    // A limit only where it is to be met: a loaded machine is late by itself.
    const runsIntoItsLimit = 'reason' in wanted && wanted.reason === 'timeout';
    const one = await scene({ api, timeoutMs: runsIntoItsLimit ? 1_500 : 30_000 });
    await one.send('begin');
    await one.append(talk(20, 100));
    const before = await one.transcript();
    one.model.answer = () => script;
    const operation = await one.request();
    const result = await sendAmong(one, 60, 1_000, one.wait(operation));
    expect(result).toMatchObject(wanted);
    await one.send('n60.');
    await expectAllOnceInOrder(one, 61);
    // Nothing that stood there has changed; a summary stands for all of it, a failure for nothing.
    expect((await one.transcript()).startsWith(before)).toBe(true);
    const context = await contextTexts(one);
    expect(context.filter((each) => each.startsWith('old'))).toHaveLength(wanted.compacted ? 0 : 20);
    expect(one.logged()).not.toMatch(/old\d|n\d+\.|word word/u);
    const operations = one.events.flatMap(({ body, sessionKey }) => (body?.$case === 'operation' && sessionKey === KEY ? [body.value] : []));
    expect(operations).toMatchObject([{ phase: 'start' }, { phase: 'end', completed: wanted.compacted }]);
  });
});

it('500 numbered messages around the switch: each once and in order', async () => {
  const one = await scene({ timeoutMs: 120_000 });
  await one.send('begin');
  await one.append(talk(20, 100));
  one.model.answer = () => ({ chunks: ['the summary'], delayMs: 1_500 });
  const result = await sendAmong(one, 500, 3_000, one.wait(await one.request()));
  expect(result).toMatchObject({ compacted: true });
  await expectAllOnceInOrder(one, 500);
}, 180_000);

it('500 numbered messages around the switch to a transcript of its own: each once and in order there', async () => {
  const one = await scene({ timeoutMs: 120_000, compaction: { truncateAfterCompaction: true } });
  await one.send('begin');
  await one.append(talk(20, 100));
  const { sessionId } = one;
  const before = await one.transcript();
  one.model.answer = () => ({ chunks: ['the summary'], delayMs: 1_500 });
  const result = await sendAmong(one, 500, 3_000, one.wait(await one.request()));
  expect(result).toMatchObject({ compacted: true, summary: 'the summary' });
  // A run that has not heard of it goes on appending for the transcript that it knows.
  one.sessionId = sessionId;
  await one.append([text('n500.')]);
  await expectAllOnceInOrder(one, 501);
  expect(one.sessionId).toBe(sessionId);
  const after = await one.transcript();
  expect(after).not.toContain('old1 ');
  expect(after.startsWith(before)).toBe(false);
  expect((await contextTexts(one))[0]).toContain('the summary');
}, 180_000);

it('a worker that dies is replaced; the operation ends once', async () => {
  const one = await scene({ withoutWorker: true });
  await one.send('begin');
  await one.append(talk(10, 100));
  one.model.answer = () => ({ hangs: 'before' });
  const first = await one.startWorker(60_000);
  const operation = await one.request();
  await waitUntil('the model is asked', () => (one.model.asked.length === 1 ? true : undefined));
  await first.stop();
  one.model.answer = () => ({ chunks: ['second try'] });
  await one.startWorker(60_000);
  expect(await one.wait(operation)).toMatchObject({ compacted: true, summary: 'second try' });
  expect((await one.branch()).filter(({ type }) => type === 'compaction')).toHaveLength(1);
  // Whoever asks later hears the same.
  expect(await one.wait(operation)).toMatchObject({ compacted: true, summary: 'second try' });
});

it.each([['1 window', talk(20, 800)], ['2 windows', talk(40, 800)], ['10 windows', talk(200, 800)]])('a transcript of %s takes at most four passes and less than 60 %% of the window after', async (_name, messages) => {
  const one = await scene({ timeoutMs: 60_000 });
  await one.send('begin');
  await one.append(messages);
  one.model.answer = ({ body }) => ({ chunks: ['w'.repeat(4 * Number(body['max_tokens']))] });
  const result = await one.compact('overflow-retry');
  expect(result).toMatchObject({ ok: true, compacted: true });
  expect((JSON.parse(result?.detailsJson?.toString('utf8') ?? '') as { passes: number }).passes).toBeLessThanOrEqual(4);
  expect(await contextTokens(one)).toBeLessThan(0.6 * WINDOW_TOKENS);
  expect(result?.tokensBefore).toBeGreaterThan(result?.tokensAfter ?? Number.POSITIVE_INFINITY);
});

it('one tool result of 5 MB is let go with its call', async () => {
  const one = await scene({ timeoutMs: 60_000 });
  await one.send('begin');
  await one.append([{ role: 'assistant', content: [{ type: 'toolCall', id: 'c', name: 'read', arguments: { path: 'notes.txt' } }] }]);
  const upload = Buffer.from(JSON.stringify({ type: 'message', message: { role: 'toolResult', toolCallId: 'c', toolName: 'read', content: [{ type: 'text', text: 'x'.repeat(5 * 1024 * 1024) }] } }));
  for (let at = 0, index = 0; at < upload.length; at += 700_000, index += 1) {
    await one.store.putChunk({ agentId: 'main', uploadId: 'u', index, data: upload.subarray(at, at + 700_000), last: at + 700_000 >= upload.length, sha256: undefined });
  }
  await one.store.appendRecords({ agentId: 'main', key: KEY, sessionId: one.sessionId, lines: [], uploadId: 'u', runId: undefined, parentId: undefined, attempt: undefined });
  await one.append([text('seen', 'assistant')]);
  const result = await one.compact('overflow-retry');
  expect(result).toMatchObject({ ok: true, compacted: true });
  expect(JSON.parse(result?.detailsJson?.toString('utf8') ?? '')).toMatchObject({ readFiles: ['notes.txt'] });
  expect(await contextTokens(one)).toBeLessThan(0.6 * WINDOW_TOKENS);
});

it('an automatic compaction that fails says what requests leave out instead, and waits for a tenth of new content', async () => {
  const one = await scene({ timeoutMs: 20_000 });
  await one.send('begin');
  await one.append(talk(40, 800));
  one.model.answer = () => ({ status: 503 });
  const failed = await one.compact('auto-threshold');
  expect(failed).toMatchObject({ ok: false, reason: expect.stringMatching(/^summarizer failed \(overloaded\): the oldest \d+ entries are left out of requests instead$/u) as string });
  const bounded = boundedContext(await one.branch(), WINDOW_TOKENS / 2, estimateLineTokens);
  expect(failed?.reason).toContain(` ${String(bounded.leftOutLines)} entries`);
  expect(bounded.messages.reduce((sum, { message }) => sum + estimateTextTokens(messageText(message)), 0)).toBeLessThan(0.6 * WINDOW_TOKENS);
  const asked = one.model.asked.length;
  expect(await one.compact('auto-threshold')).toMatchObject({ ok: true, compacted: false, reason: 'little new content' });
  expect(one.model.asked.length).toBe(asked);
  one.model.answer = () => ({ chunks: ['at last'] });
  await one.append(talk(8, 800));
  expect(await one.compact('auto-threshold')).toMatchObject({ ok: true, compacted: true, summary: 'at last' });
  expect(await one.compact('auto-threshold').catch((error: unknown) => String(error))).toEqual(expect.anything());
});

it('a compaction can be called off', async () => {
  const one = await scene({ timeoutMs: 60_000 });
  await one.send('begin');
  await one.append(talk(10, 100));
  one.model.answer = () => ({ hangs: 'before' });
  const operationId = await one.request();
  await waitUntil('the model is asked', () => (one.model.asked.length === 1 ? true : undefined));
  expect(await one.compaction.cancel({ agentId: 'main', operationId, reason: '' })).toMatchObject({ cancelled: true });
  expect(await one.wait(operationId)).toMatchObject({ ok: false, reason: 'cancelled' });
  await waitUntil('the request is left', () => (one.model.open === 0 ? true : undefined));
});
