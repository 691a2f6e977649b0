/**
 * Summarisers that take twelve minutes, fail, or never answer, under the limits that are in force outside
 * of tests: timers and the wall clock are moved by hand, files, sockets and the index are real. With
 * SUMMARISER_SECONDS=720 in the environment the same runs in real time, the slow one as slow as that.
 */
import { assembleContext, contextProblems, messageText, type JsonObject } from '@sessions/domain';
import { KEY, compactionScene, type CompactionScene } from './support/compaction-scene';

const REAL_SECONDS = process.env['SUMMARISER_SECONDS'];
const SLOW_MS = 1000 * Number(REAL_SECONDS ?? 720);
const MESSAGES = 500;
/** Whatever happens, the session goes on by then. */
const OVER_WITHIN_MS = 240_000;
/** The time in which messages are sent: across every moment at which the operation may end. */
const SENDING_MS = 200_000;
const STEP_MS = 500;
const TEST_LIMIT_MS = REAL_SECONDS === undefined ? 180_000 : 30 * 60_000;

const realPause = ((set: typeof setTimeout) => (ms: number): Promise<void> => new Promise((resolve) => void set(resolve, ms)))(globalThis.setTimeout);

/** Lets `work` go on: what is real needs turns of the loop, what waits for a timer a little of its time. */
async function carried<T>(work: Promise<T>): Promise<T> {
  if (REAL_SECONDS !== undefined) return work;
  let isOver = false;
  const over = (): void => void (isOver = true);
  work.then(over, over);
  for (let turn = 0; !isOver; turn += 1) {
    await realPause(1);
    if (turn > 10) await jest.advanceTimersByTimeAsync(1);
  }
  return work;
}

async function passUntil(atMs: number): Promise<void> {
  if (REAL_SECONDS !== undefined) return realPause(Math.max(0, atMs - Date.now()));
  while (Date.now() < atMs) {
    await jest.advanceTimersByTimeAsync(Math.min(STEP_MS, atMs - Date.now()));
    // Answers of sockets and files arrive between two steps.
    await realPause(2);
  }
}

const text = (value: string, role: string): JsonObject => ({ role, content: [{ type: 'text', text: value }] });
const OLD = Array.from({ length: 20 }, (_, index) => text(`old${String(index)} ${'word '.repeat(100)}`, index % 2 === 0 ? 'user' : 'assistant'));
const isNumbered = (value: string): boolean => /^n\d+\.$/u.test(value);

const made: CompactionScene[] = [];
beforeEach(() => {
  if (REAL_SECONDS === undefined) jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'clearImmediate', 'queueMicrotask', 'performance', 'hrtime'] });
});
afterEach(async () => {
  for (const one of made.splice(0)) await carried(one.close());
  jest.useRealTimers();
});

it.each([
  ['takes twelve minutes', { chunks: ['too late'], delayMs: SLOW_MS }, { reason: 'timeout', withinMs: [100_000, OVER_WITHIN_MS] }],
  ['says a word a second for twelve minutes', { chunks: Array.from({ length: SLOW_MS / 1000 }, () => 'word '), chunkDelayMs: 1000 }, { reason: 'timeout', withinMs: [170_000, OVER_WITHIN_MS] }],
  ['fails', { status: 500 }, { reason: 'summarizer failed (overloaded)', withinMs: [1_000, 60_000] }],
  ['never answers', { hangs: 'before' }, { reason: 'timeout', withinMs: [100_000, OVER_WITHIN_MS] }],
] as const)('a summariser that %s: 500 messages meanwhile are each kept once, in order, and the session goes on in time', async (_name, script, wanted) => {
  const one = await carried(compactionScene({ hasDefaultLimits: true }));
  made.push(one);
  await carried(one.send('begin'));
  await carried(one.append(OLD));
  one.model.answer = () => script;
  const beganAtMs = Date.now();
  await carried(one.request());
  const ends = (): { atMs: number; reason: string | undefined }[] =>
    one.events.flatMap(({ body, sessionKey, atMs }) => (sessionKey === KEY && body?.$case === 'operation' && body.value.phase === 'end' ? [{ atMs, reason: body.value.reason }] : []));
  const moments = Array.from({ length: MESSAGES }, () => Math.random() * SENDING_MS).sort((left, right) => left - right);
  for (const [index, moment] of moments.entries()) {
    await passUntil(beganAtMs + moment);
    const sentAtMs = Date.now();
    await carried(one.send(`n${String(index)}.`));
    // Nobody waits for a summary.
    expect(Date.now() - sentAtMs).toBeLessThan(5_000);
  }
  await passUntil(beganAtMs + OVER_WITHIN_MS);
  const [end] = ends();
  expect(end?.reason).toBe(wanted.reason);
  expect((end?.atMs ?? 0) - beganAtMs).toBeGreaterThanOrEqual(wanted.withinMs[0]);
  expect((end?.atMs ?? Infinity) - beganAtMs).toBeLessThanOrEqual(wanted.withinMs[1]);
  await carried(one.send(`n${String(MESSAGES)}.`));
  const numbers = Array.from({ length: MESSAGES + 1 }, (_, index) => `n${String(index)}.`);
  const branch = await carried(one.branch());
  expect(branch.flatMap(({ message }) => (message === undefined ? [] : [messageText(message)])).filter(isNumbered)).toEqual(numbers);
  const prompt = assembleContext(branch).map(({ message }) => message);
  expect(prompt.map(messageText).filter(isNumbered)).toEqual(numbers);
  expect(prompt.map(messageText).filter((each) => each.startsWith('old'))).toHaveLength(OLD.length);
  expect(contextProblems(prompt)).toEqual([]);
  // The next one has a model that answers: a summary in place of the old, all that was sent meanwhile behind it.
  one.model.answer = () => ({ chunks: ['the summary'] });
  await carried(one.request());
  while (ends().length < 2) await passUntil(Date.now() + STEP_MS);
  const after = assembleContext(await carried(one.branch())).map(({ message }) => messageText(message));
  expect(after.some((each) => each.includes('the summary'))).toBe(true);
  expect(after.filter((each) => each.startsWith('old'))).toEqual([]);
}, TEST_LIMIT_MS);
