/**
 * When maintenance is due (maintenance §1), as transitions on (state, clock): the leader keeps the
 * state and carries out what falls due.
 *
 * Intervals are measured on a clock that never goes back, so changes of the wall clock neither repeat
 * nor skip a job. Plans need the wall clock, and a wrong one would remove early: after a jump forward
 * plans are made for the time that has really passed, until the new time has lasted a day. State is
 * lost with the leader; its successor starts by waiting, never by removing.
 */

/** A store is planned at most once in this time, however much is written to it. */
export const TOUCHED_INTERVAL_MS = 60_000;
/** Every store is planned once in this time. */
export const IDLE_INTERVAL_MS = 3_600_000;
/** Overdue archives of sub-agents are looked for this often, in either mode. */
export const ARCHIVE_INTERVAL_MS = 60_000;
/** Clocks that part by less have drifted, not jumped. */
export const JUMP_MS_MIN = 60_000;
/** How long a wall clock that went forward has to last before plans believe it. */
export const SETTLE_MS = 24 * 3_600_000;

export interface Clock {
  /** Wall clock, epoch milliseconds. */
  readonly nowMs: number;
  /** Milliseconds since any origin; never goes back, does not jump. */
  readonly steadyMs: number;
}

/** One store, on the steady clock. */
interface StoreTimes {
  readonly plannedAtMs: number;
  readonly sweptAtMs: number;
  /** Written to since the last plan. */
  readonly isTouched: boolean;
}

/** How far the wall clock is ahead of the steady one: the difference tells of every jump and drift. */
interface Trust {
  /** The difference that plans believe. */
  readonly believedMs: number;
  /** The one that is being watched, and since when on the steady clock it has lasted. */
  readonly watchedMs: number;
  readonly sinceMs: number;
}

export interface ScheduleState {
  readonly stores: ReadonlyMap<string, StoreTimes>;
  readonly trust: Trust;
}

export interface DueJob {
  readonly kind: 'plan' | 'archive-subagents';
  readonly agentId: string;
  readonly cause: 'touched' | 'hourly' | 'sweep';
  /** The time to plan for, whole milliseconds: never later than the wall clock. */
  readonly planNowMs: number;
}

/** Nothing is due at a start: every store waits its interval first. */
export function startSchedule(clock: Clock, agentIds: readonly string[] = []): ScheduleState {
  return { stores: new Map(agentIds.map((agentId) => [agentId, freshTimes(clock)])), trust: { believedMs: aheadMs(clock), watchedMs: aheadMs(clock), sinceMs: clock.steadyMs } };
}

/** Notes that a store was written to. */
export function noteTouched(state: ScheduleState, agentId: string, clock: Clock): ScheduleState {
  const times = state.stores.get(agentId) ?? freshTimes(clock);
  return { ...state, stores: new Map(state.stores).set(agentId, { ...times, isTouched: true }) };
}

export interface DueRequest {
  /** Stores there are now; others are forgotten. */
  readonly agentIds: readonly string[];
  readonly clock: Clock;
  /** A configuration that could not be read suspends what starts by itself (decision 41). */
  readonly isSuspended?: boolean;
}

/** What is due now. The state that is given back counts it as done: each job is given out once. */
export function takeDue(state: ScheduleState, { agentIds, clock, isSuspended = false }: DueRequest): { readonly state: ScheduleState; readonly jobs: readonly DueJob[] } {
  const trust = follow(state.trust, clock);
  // The steady clock counts fractions, which no instant on the wire has.
  const planNowMs = Math.floor(clock.steadyMs + trust.believedMs);
  const jobs: DueJob[] = [];
  const stores = new Map<string, StoreTimes>();
  for (const agentId of agentIds) {
    let times = state.stores.get(agentId) ?? freshTimes(clock);
    const cause = isSuspended ? undefined : planCause(times, clock);
    if (cause !== undefined) {
      jobs.push({ kind: 'plan', agentId, cause, planNowMs });
      times = { ...times, plannedAtMs: clock.steadyMs, isTouched: false };
    }
    if (!isSuspended && clock.steadyMs - times.sweptAtMs >= ARCHIVE_INTERVAL_MS) {
      jobs.push({ kind: 'archive-subagents', agentId, cause: 'sweep', planNowMs });
      times = { ...times, sweptAtMs: clock.steadyMs };
    }
    stores.set(agentId, times);
  }
  return { state: { stores, trust }, jobs };
}

/** When a store is planned next if nothing is written to it, on the wall clock as it is now. */
export function nextDueAtMs(state: ScheduleState, agentId: string, clock: Clock): number {
  const times = state.stores.get(agentId) ?? freshTimes(clock);
  const waitMs = (times.isTouched ? TOUCHED_INTERVAL_MS : IDLE_INTERVAL_MS) - (clock.steadyMs - times.plannedAtMs);
  return clock.nowMs + Math.max(0, waitMs);
}

function freshTimes(clock: Clock): StoreTimes {
  return { plannedAtMs: clock.steadyMs, sweptAtMs: clock.steadyMs, isTouched: false };
}

function planCause(times: StoreTimes, clock: Clock): 'touched' | 'hourly' | undefined {
  const passedMs = clock.steadyMs - times.plannedAtMs;
  if (times.isTouched && passedMs >= TOUCHED_INTERVAL_MS) return 'touched';
  return passedMs >= IDLE_INTERVAL_MS ? 'hourly' : undefined;
}

function aheadMs(clock: Clock): number {
  return clock.nowMs - clock.steadyMs;
}

/** A clock that goes back is believed at once, one that goes forward when it has lasted. */
function follow(trust: Trust, clock: Clock): Trust {
  const ahead = aheadMs(clock);
  const believedMs = Math.min(trust.believedMs, ahead);
  if (Math.abs(ahead - trust.watchedMs) >= JUMP_MS_MIN) return { believedMs, watchedMs: ahead, sinceMs: clock.steadyMs };
  const hasLasted = clock.steadyMs - trust.sinceMs >= SETTLE_MS;
  return { ...trust, believedMs: hasLasted ? ahead : believedMs };
}
