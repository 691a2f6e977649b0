/** When a turn is told, on a clock that the test moves. */
import { RunRequest, type TurnJob } from '@sessions/contracts';
import { createSubjects, type Bus } from '@sessions/bus';
import { silentLogger } from '@sessions/host';
import { createManualClock } from '@sessions/host/testing';
import type { OpenRun } from './decisions/open-run';
import { TELL_TURN_AGAIN_MS, TurnNotices } from './turn-notices';

const KEY = 'agent:main:telegram:direct:1';
const run = (runId: string, acceptedAtMs: number, more: Partial<OpenRun> = {}): OpenRun => ({ runId, state: 'queued', acceptedAtMs, sessionId: 's', attempt: 1, request: RunRequest.create({ runId }), mode: 'collect', ...more });

function scene() {
  const told: string[] = [];
  const publish = (_subject: string, _type: unknown, job: TurnJob): Promise<void> => Promise.resolve(void told.push(`${job.runId} ${String(job.attempt)}`));
  const clock = createManualClock(1_000_000);
  const notices = new TurnNotices({ bus: { jobs: { publish } } as unknown as Bus, subjects: createSubjects(), agentId: 'main', clock, logger: silentLogger });
  const state: { runs: readonly OpenRun[] } = { runs: [] };
  const now = (runs: readonly OpenRun[]): void => {
    state.runs = runs;
    notices.tellDue(KEY, () => state.runs);
  };
  return { told, clock, notices, now };
}

it('tells a turn that waits for nothing at once, and again while nobody begins it', async () => {
  const { told, clock, now } = scene();
  const first = [run('a', clock.nowMs(), { messageId: 'a' })];
  now(first);
  now(first);
  expect(told).toEqual(['a 1']);
  await clock.advance(TELL_TURN_AGAIN_MS);
  now(first);
  expect(told).toEqual(['a 1', 'a 1']);
  now([{ ...(first[0] as OpenRun), state: 'running', runnerId: 'r' }]);
  await clock.advance(TELL_TURN_AGAIN_MS);
  now([{ ...(first[0] as OpenRun), state: 'running', attempt: 2 }]);
  expect(told).toEqual(['a 1', 'a 1', 'a 2']);
});

it('tells one that waits when the session has been quiet, each message beginning the quiet again', async () => {
  const { told, clock, now } = scene();
  const a = run('a', clock.nowMs(), { quietMs: 500 });
  now([a]);
  await clock.advance(400);
  const both = [a, run('b', clock.nowMs(), { quietMs: 500 })];
  now(both);
  await clock.advance(499);
  now(both);
  expect(told).toEqual([]);
  await clock.advance(1);
  expect(told).toEqual(['a 1']);
  await clock.advance(5_000);
  expect(told).toEqual(['a 1']);
});

it('forgets the quiet of runs that were cancelled, and of a store that closes', async () => {
  const { told, clock, notices, now } = scene();
  now([run('a', clock.nowMs(), { quietMs: 500 })]);
  now([]);
  expect(clock.pendingCount).toBe(0);
  now([run('b', clock.nowMs(), { quietMs: 500 })]);
  notices.close();
  await clock.advance(5_000);
  expect(told).toEqual([]);
});

it('waits no longer than the quiet where the clock is set back in between', async () => {
  const { told, clock, now } = scene();
  const runs = [run('a', clock.nowMs(), { quietMs: 500 })];
  now(runs);
  clock.setNowMs(5_000);
  now(runs);
  await clock.advance(500);
  expect(told).toEqual(['a 1']);
});
