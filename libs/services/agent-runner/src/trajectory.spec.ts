/** What a turn notes for the trajectory of its session, and that it never waits for it. */
import type { TrajectoryNote } from '@sessions/contracts';
import { SessionError, isJsonObject, type JsonObject } from '@sessions/domain';
import { openHouse, until, type RunnerHouse } from './testing/runner-house';

let house: RunnerHouse;
afterEach(() => house.close());

const noted = (): (JsonObject & { readonly type: string })[] => house.owner.notes.map(({ type, seq, model, dataJson }) => ({ type, seq, model: model ?? null, ...(JSON.parse(dataJson.toString('utf8')) as JsonObject) }));
const types = (): string[] => house.owner.notes.map(({ type }) => type);
const ended = (): Promise<void> => until(() => types().includes('session.ended'));
const SECRET = 'the-argument-and-the-result';

it('tells a turn with a tool from its start to its end, without arguments and results', async () => {
  house = await openHouse();
  const served = await house.serveTools(() => Promise.resolve({ result: { answer: SECRET } }));
  house.model.answer = ({ body }) => (JSON.stringify(body).includes('"role":"tool"') ? { chunks: ['done'], usage: { input: 20, output: 1 } } : { toolCalls: [{ id: 'c1', name: 'sessions_list', arguments: { search: SECRET } }] });
  await house.owner.ended(await house.owner.deliver('Who is there?'));
  await ended();
  expect(types()).toEqual(['session.started', 'trace.metadata', 'context.compiled', 'prompt.submitted', 'model.completed', 'tool.call', 'tool.result', 'model.completed', 'trace.artifacts', 'session.ended']);
  const [started, metadata, compiled, submitted, first, call, result, last, artifacts, end] = noted();
  expect(noted().map(({ seq }) => seq)).toEqual(noted().map((_, at) => at + 1));
  expect(started).toMatchObject({ agentId: 'main', attempt: 1 });
  expect(metadata).toMatchObject({ model: { provider: 'local', name: 'small' }, metadata: { sessionKey: 'agent:main:main', agentId: 'main' } });
  expect(compiled).toMatchObject({ model: 'small', prompt: 'Who is there?', systemPrompt: expect.stringContaining('main'), messageCount: 1, imagesCount: 0, transcriptLeafId: '00000001' });
  expect((compiled?.['tools'] as JsonObject[]).map(({ name }) => name)).toContain('sessions_list');
  expect(submitted).toMatchObject({ prompt: 'Who is there?' });
  expect(first).toMatchObject({ stopReason: 'toolUse', toolCalls: 1 });
  expect(call).toEqual({ type: 'tool.call', seq: 6, model: 'small', name: 'sessions_list', toolCallId: 'c1' });
  expect(result).toEqual({ type: 'tool.result', seq: 7, model: 'small', name: 'sessions_list', toolCallId: 'c1', isError: false });
  expect(last).toMatchObject({ stopReason: 'stop', usage: { input: 20, output: 1 } });
  expect(artifacts).toMatchObject({ finalStatus: 'success', assistantTexts: ['done'] });
  expect(end).toMatchObject({ status: 'success', aborted: false });
  expect(JSON.stringify(noted())).not.toContain(SECRET);
  await served.stop();
});

it.each([
  ['a model that fails', { status: 400 } as const, {}, 'error', { status: 'error' }],
  ['a model that never answers', { hangs: 'before' } as const, { timeoutMs: 300 }, 'interrupted', { status: 'timeout', timedOut: true }],
] as const)('tells of %s', async (_name, answer, run, status, completed) => {
  house = await openHouse();
  house.model.answer = () => answer as never;
  await house.owner.ended(await house.owner.deliver('Hello', run));
  await ended();
  expect(noted().filter(({ type }) => type === 'model.completed')).toMatchObject([completed]);
  expect(noted().at(-1)).toMatchObject({ type: 'session.ended', status });
});

it.each<[string, (notes: readonly TrajectoryNote[]) => Promise<boolean>]>([
  ['does not answer in time', () => new Promise((resolve) => void setTimeout(resolve, 1_500, true).unref())],
  ['refuses', () => Promise.reject(new SessionError('UNSUPPORTED', 'no such method'))],
  ['records none', () => Promise.resolve(false)],
])('goes on and ends as ever beside an owner that %s', async (_name, onNotes) => {
  house = await openHouse({ runner: { trajectory: { enabled: true, flushTimeoutMs: 100 } } });
  house.owner.onNotes = onNotes;
  expect(await house.owner.ended(await house.owner.deliver('Hello'))).toMatchObject({ outcome: 'ok', text: 'Good day' });
  await until(() => house.runner.running === 0);
  // Told once that nothing is recorded, it tells nothing more.
  expect(house.owner.calls.at(-1)).toBe('finishTurn');
});

it('notes nothing where that is switched off', async () => {
  house = await openHouse({ runner: { trajectory: { enabled: false, flushTimeoutMs: 100 } } });
  await house.owner.ended(await house.owner.deliver('Hello'));
  await until(() => house.runner.running === 0);
  expect(house.owner.notes).toEqual([]);
});

it('is bounded while its owner is slow: what is left out is counted, and the rest stays in order', async () => {
  house = await openHouse({ settings: { agents: { defaults: { model: { primary: 'local/small' } } } } });
  const big = 'x'.repeat(20_000);
  const served = await house.serveTools(() => Promise.resolve({ result: 'ok' }));
  let free = (): void => undefined;
  const slow = new Promise<void>((resolve) => (free = resolve));
  house.owner.onNotes = async () => {
    await slow;
    return true;
  };
  let asked = 0;
  // Each answer calls a hundred tools: two events a call are far more than may wait.
  house.model.answer = () => ((asked += 1) > 8 ? { chunks: [big] } : { toolCalls: Array.from({ length: 100 }, (_, at) => ({ id: `c${String(asked)}-${String(at)}`, name: 'sessions_list', arguments: {} })) });
  await house.owner.ended(await house.owner.deliver('Hello'));
  free();
  await until(() => types().includes('trace.truncated'));
  const cut = noted().find(({ type }) => type === 'trace.truncated');
  expect(cut).toMatchObject({ reason: 'trajectory-queue-limit', events: expect.any(Number) });
  expect(isJsonObject(cut) && Number(cut['events'])).toBeGreaterThan(0);
  const seqs = noted().map(({ seq }) => Number(seq));
  expect(seqs).toEqual([...seqs].sort((one, other) => one - other));
  await served.stop();
});
