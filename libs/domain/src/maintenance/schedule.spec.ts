import fc from 'fast-check';
import { IDLE_INTERVAL_MS, nextDueAtMs, noteTouched, startSchedule, takeDue, type Clock, type DueJob } from './schedule';

const [MINUTE_MS, HOUR_MS, DAY_MS] = [60_000, 3_600_000, 86_400_000];
const START_MS = Date.UTC(2026, 2, 28, 12);

/** Ticks every `stepMs`; `jumps` move the wall clock at a tick. */
function runFor(ticks: number, stepMs: number, options: { jumps?: ReadonlyMap<number, number>; touches?: ReadonlySet<number>; suspended?: (tick: number) => boolean } = {}) {
  let wallMs = START_MS;
  let state = startSchedule({ nowMs: wallMs, steadyMs: 0 }, ['main']);
  const done: (DueJob & { steadyMs: number; wallMs: number })[] = [];
  for (let tick = 1; tick <= ticks; tick += 1) {
    wallMs += stepMs + (options.jumps?.get(tick) ?? 0);
    const clock: Clock = { nowMs: wallMs, steadyMs: tick * stepMs };
    if (options.touches?.has(tick) === true) state = noteTouched(state, 'main', clock);
    const due = takeDue(state, { agentIds: ['main'], clock, isSuspended: options.suspended?.(tick) ?? false });
    state = due.state;
    done.push(...due.jobs.map((job) => ({ ...job, steadyMs: clock.steadyMs, wallMs })));
  }
  return done;
}

const plans = (jobs: ReturnType<typeof runFor>) => jobs.filter((job) => job.kind === 'plan');

describe('takeDue', () => {
  it('plans an idle store once an hour and looks for overdue archives once a minute, nothing at a start', () => {
    const jobs = runFor(6 * 60, MINUTE_MS);
    expect(plans(jobs).map((job) => job.steadyMs / HOUR_MS)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(jobs.filter((job) => job.kind === 'archive-subagents')).toHaveLength(360);
    expect(takeDue(startSchedule({ nowMs: START_MS, steadyMs: 0 }), { agentIds: ['main'], clock: { nowMs: START_MS, steadyMs: 0 } }).jobs).toEqual([]);
  });

  it('plans for whole milliseconds that have passed, on a steady clock with fractions', () => {
    const begun = startSchedule({ nowMs: START_MS, steadyMs: 1_234.567_891 }, ['main']);
    for (const steadyMs of [HOUR_MS + 1_234.6, HOUR_MS + 9_999.999_9]) {
      const nowMs = START_MS + Math.ceil(steadyMs - 1_234.567_891);
      const { jobs } = takeDue(begun, { agentIds: ['main'], clock: { nowMs, steadyMs } });
      expect(jobs.map(({ planNowMs }) => [Number.isInteger(planNowMs), planNowMs <= nowMs])).toEqual([[true, true], [true, true]]);
    }
  });

  it('plans a busy store at most once a minute', () => {
    const touches = new Set(Array.from({ length: 600 }, (_, tick) => tick));
    expect(plans(runFor(599, 1_000, { touches }))).toHaveLength(9);
  });

  it.each([DAY_MS, -DAY_MS, HOUR_MS, -HOUR_MS])('gives each job out once when the wall clock jumps by %d ms', (jumpMs) => {
    const plain = runFor(300, MINUTE_MS);
    const jumped = runFor(300, MINUTE_MS, { jumps: new Map([[150, jumpMs]]) });
    const shape = (jobs: typeof plain) => jobs.map(({ kind, steadyMs }) => [kind, steadyMs]);
    expect(shape(jumped)).toEqual(shape(plain));
  });

  it('never plans for a time that has not passed, and believes a new time after a day', () => {
    const jobs = runFor(50 * 60, MINUTE_MS, { jumps: new Map([[90, DAY_MS]]) });
    for (const job of jobs) {
      expect(job.planNowMs).toBeLessThanOrEqual(job.wallMs);
      if (job.steadyMs < 90 * MINUTE_MS + DAY_MS) expect(job.planNowMs).toBe(START_MS + job.steadyMs);
    }
    expect(jobs.at(-1)?.planNowMs).toBe(jobs.at(-1)?.wallMs);
  });

  it('takes a jump forward that is undone for nothing, and a jump back at once', () => {
    const undone = runFor(200, MINUTE_MS, { jumps: new Map([[60, DAY_MS], [120, -DAY_MS]]) });
    for (const job of undone) expect(job.planNowMs).toBe(START_MS + job.steadyMs);
    for (const job of runFor(200, MINUTE_MS, { jumps: new Map([[60, -DAY_MS]]) })) expect(job.planNowMs).toBe(job.wallMs);
  });

  it('never runs early, whatever the clock does', () => {
    fc.assert(fc.property(fc.array(fc.record({ tick: fc.integer({ min: 1, max: 150 }), jumpMs: fc.oneof(fc.integer({ min: -2 * DAY_MS, max: 2 * DAY_MS }), fc.integer({ min: -MINUTE_MS, max: MINUTE_MS })) }), { maxLength: 6 }), (list) => {
      const jumps = new Map(list.map(({ tick, jumpMs }) => [tick, jumpMs]));
      const jobs = runFor(150, MINUTE_MS, { jumps });
      for (const job of jobs) expect(job.planNowMs).toBeLessThanOrEqual(Math.min(job.wallMs, START_MS + job.steadyMs));
      const times = plans(jobs).map((job) => job.steadyMs);
      times.forEach((atMs, index) => index > 0 && expect(atMs - (times[index - 1] ?? 0)).toBeGreaterThanOrEqual(IDLE_INTERVAL_MS));
    }));
  });

  it('gives out nothing while suspended, and what was due afterwards once', () => {
    const jobs = runFor(240, MINUTE_MS, { suspended: (tick) => tick >= 30 && tick < 200 });
    expect(plans(jobs).map((job) => job.steadyMs / MINUTE_MS)).toEqual([200]);
  });

  it('tells when a store is due', () => {
    const clock = { nowMs: START_MS, steadyMs: 0 };
    const state = startSchedule(clock);
    expect(nextDueAtMs(state, 'main', clock)).toBe(START_MS + HOUR_MS);
    expect(nextDueAtMs(noteTouched(state, 'main', clock), 'main', clock)).toBe(START_MS + MINUTE_MS);
  });
});
