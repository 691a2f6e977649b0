/** Full queues at their owner: many messages that one turn answers, or one stop ends. */
import { CancelRunRequest } from '@sessions/contracts';
import { OPEN_RUNS_MAX } from '../decisions/open-run';
import { WITH_MODEL, turnOf, begin, finish, runOf } from '../testing/run-calls';
import { KEY, bench, cleanUpBenches, history, type Bench } from '../testing/writer-bench';

cleanUpBenches();


describe('with as many messages waiting as a session takes', () => {
  /** All but the first one wait for a turn of their own, or for one together. */
  const full = async (queueMode: string): Promise<{ readonly made: Bench; readonly waiting: readonly string[] }> => {
    const made = await bench({ config: WITH_MODEL });
    await made.client.deliver(turnOf('one', 'r0'));
    await begin(made, 'r0');
    const waiting = Array.from({ length: OPEN_RUNS_MAX - 1 }, (_, at) => `9ef79e9e-bfac-89c0-8e61-9a09139${String(at).padStart(5, '0')}`);
    for (const runId of waiting) await made.client.deliver(turnOf('more', runId, { queueMode }));
    return { made, waiting };
  };

  it('one turn answers all of them, and ends', async () => {
    const { made, waiting } = await full('collect');
    // Above the cap the oldest join the turn of a later one.
    const { nextRunId = '' } = await finish(made, 'r0');
    await begin(made, nextRunId);
    expect(await finish(made, nextRunId)).toMatchObject({ nextRunId: undefined });
    for (const runId of waiting) expect(await runOf(made, runId)).toMatchObject({ state: 'ended', outcome: 'ok' });
  });

  it('all of them are cancelled at once', async () => {
    const { made, waiting } = await full('queue');
    const cancelled = await made.client.cancelRun(CancelRunRequest.create({ agentId: 'main', by: { $case: 'key', value: KEY }, reason: 'abort' }));
    expect(cancelled.cancelledRunIds).toEqual(waiting);
  });
});

it('hands over more steered messages than the queue holds in their order, those above its cap first', async () => {
  const made = await bench({ config: WITH_MODEL });
  await made.client.deliver(turnOf('r0', 'r0'));
  await begin(made, 'r0');
  const waiting = Array.from({ length: 30 }, (_, at) => `r${String(at + 1)}`);
  for (const runId of waiting) await made.client.deliver(turnOf(runId, runId, { queueMode: 'steer' }));
  expect((await begin(made, 'r0', 1, 'runner/a', true)).steerMessages.map(({ text }) => text)).toEqual(waiting);
  await finish(made, 'r0');
  for (const runId of waiting) expect(await runOf(made, runId)).toMatchObject({ state: 'ended' });
  expect((await history(made)).texts).toEqual(['r0', ...waiting]);
});

it('hands over a steered message that is many times as long as JSON, when its turn comes', async () => {
  const made = await bench({ config: WITH_MODEL });
  const grows = '\u0001'.repeat(4_000);
  await made.client.deliver(turnOf('one', 'r1'));
  await begin(made, 'r1');
  await made.client.deliver(turnOf(grows, 'r2', { queueMode: 'steer' }));
  expect((await begin(made, 'r1', 1, 'runner/a', true)).steerMessages).toEqual([]);
  await finish(made, 'r1');
  await begin(made, 'r2');
  expect((await history(made)).texts).toHaveLength(2);
});
