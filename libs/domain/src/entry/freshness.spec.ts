import { parseConfig, type SessionConfig } from '../config/parse-config';
import { decideFreshness, resetPolicyFor, sessionTimes, type FreshnessFacts } from './freshness';
import { ZoneClocks } from './zone-clock';

function session(raw: object): SessionConfig['session'] {
  const result = parseConfig({ session: raw });
  if (!result.ok) throw new Error('the configuration is refused');
  return result.config.session;
}

const zones = new ZoneClocks(() => 'UTC');
const KEY = 'agent:main:telegram:direct:42';
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const at = (text: string): number => Date.parse(text);

function decide(raw: object, times: { started?: string; active?: string; now: string }, facts: Partial<FreshnessFacts> & { channel?: string } = {}) {
  const key = facts.key ?? KEY;
  const entry = { sessionStartedAt: times.started === undefined ? undefined : at(times.started), lastInteractionAt: times.active === undefined ? undefined : at(times.active) };
  return decideFreshness(resetPolicyFor(session(raw), key, facts.channel), { key, nowMs: at(times.now), times: sessionTimes(entry), occasion: 'message', hasRun: false, ...facts }, zones);
}

describe('decideFreshness', () => {
  it('resets at 04:00 by default, and not one millisecond before', () => {
    const started = '2026-06-01T20:00:00Z';
    expect(decide({}, { started, now: '2026-06-02T03:59:59.999Z' })).toEqual({ fresh: true, why: 'not-due' });
    expect(decide({}, { started, now: '2026-06-02T04:00:00Z' })).toEqual({ fresh: false, reason: 'daily', expiredAtMs: at('2026-06-02T04:00:00Z') });
    expect(decide({}, { started: '2026-06-02T04:00:00Z', now: '2026-06-03T03:59:00Z' }).fresh).toBe(true);
  });

  it('follows the zone of the policy', () => {
    const raw = { reset: { timeZone: 'America/New_York' } };
    expect(decide(raw, { started: '2026-06-01T20:00:00Z', now: '2026-06-02T07:59:59Z' }).fresh).toBe(true);
    expect(decide(raw, { started: '2026-06-01T20:00:00Z', now: '2026-06-02T08:00:00Z' }).fresh).toBe(false);
  });

  it('slides with interactions in idle mode, the limit itself being fresh', () => {
    const raw = { reset: { mode: 'idle', idleMinutes: 30 } };
    expect(decide(raw, { started: '2026-01-01T00:00:00Z', active: '2026-06-02T10:00:00Z', now: '2026-06-02T10:30:00Z' }).fresh).toBe(true);
    expect(decide(raw, { started: '2026-01-01T00:00:00Z', active: '2026-06-02T10:00:00Z', now: '2026-06-02T10:30:00.001Z' })).toMatchObject({ fresh: false, reason: 'idle' });
  });

  it('names the earlier of two reasons', () => {
    const raw = { reset: { idleMinutes: 60 } };
    expect(decide(raw, { started: '2026-06-01T20:00:00Z', active: '2026-06-02T02:00:00Z', now: '2026-06-02T05:00:00Z' })).toMatchObject({ reason: 'idle' });
    expect(decide(raw, { started: '2026-06-01T20:00:00Z', active: '2026-06-02T03:30:00Z', now: '2026-06-02T05:00:00Z' })).toMatchObject({ reason: 'daily' });
  });

  it.each([{ reset: { mode: 'idle' } }, { reset: { mode: 'idle', idleMinutes: 0 } }, { reset: { mode: 'none' } }, { reset: { mode: 'none', idleMinutes: 5 } }, { idleMinutes: 0 }])('never expires under %j', (raw) => {
    expect(decide(raw, { started: '2020-01-01T00:00:00Z', active: '2020-01-01T00:00:00Z', now: '2026-06-02T05:00:00Z' }).fresh).toBe(true);
  });

  it('never resets while a run is there, for upkeep, on resuming, or sessions that made themselves', () => {
    const old = { started: '2026-01-01T00:00:00Z', active: '2026-01-01T00:00:00Z', now: '2026-06-02T05:00:00Z' };
    expect(decide({}, old, { hasRun: true })).toEqual({ fresh: true, why: 'run' });
    expect(decide({}, old, { occasion: 'upkeep' })).toEqual({ fresh: true, why: 'upkeep' });
    expect(decide({}, old, { resumes: true })).toEqual({ fresh: true, why: 'resumed' });
    for (const rest of ['subagent:x', 'cron:job:run:1', 'cron:job', 'hook:x', 'explicit:x']) expect(decide({}, old, { key: `agent:main:${rest}` })).toEqual({ fresh: true, why: 'never-reset' });
  });

  it('exempts provider sessions from the built-in default only', () => {
    const old = { started: '2026-01-01T00:00:00Z', now: '2026-06-02T05:00:00Z' };
    expect(decide({}, old, { hasProviderSession: true })).toEqual({ fresh: true, why: 'provider-session' });
    expect(decide({ reset: { mode: 'daily' } }, old, { hasProviderSession: true }).fresh).toBe(false);
  });

  it('keeps what has no readable times, or times of a clock that was put back', () => {
    expect(decide({ reset: { idleMinutes: 1 } }, { now: '2026-06-02T05:00:00Z' }).fresh).toBe(true);
    expect(decide({ reset: { idleMinutes: 1 } }, { started: '2027-01-01T00:00:00Z', active: '2027-01-01T00:00:00Z', now: '2026-06-02T05:00:00Z' }).fresh).toBe(true);
    for (const value of [Number.NaN, -1, 0, '2020-01-01', null]) expect(sessionTimes({ sessionStartedAt: value, updatedAt: value })).toEqual({ sessionStartedAtMs: undefined, lastInteractionAtMs: undefined });
  });

  it('falls back to header and updatedAt', () => {
    expect(sessionTimes({ updatedAt: 7 }, 5)).toEqual({ sessionStartedAtMs: 5, lastInteractionAtMs: 7 });
    expect(sessionTimes({ updatedAt: 7 })).toEqual({ sessionStartedAtMs: 7, lastInteractionAtMs: 7 });
    expect(sessionTimes({}, 5)).toEqual({ sessionStartedAtMs: 5, lastInteractionAtMs: 5 });
  });
});

describe('resetPolicyFor', () => {
  const settings = session({
    reset: { mode: 'daily', timeZone: 'Asia/Tokyo' },
    resetByType: { dm: { mode: 'idle', idleMinutes: 1 }, group: { mode: 'idle', idleMinutes: 2 }, thread: { mode: 'idle', idleMinutes: 3 } },
    resetByChannel: { discord: { mode: 'idle', idleMinutes: 4 } },
  });

  it.each([
    ['agent:main:telegram:direct:1', undefined, 1],
    ['agent:main:main', undefined, 1],
    ['agent:main:telegram:group:1', undefined, 2],
    ['agent:main:slack:channel:1', undefined, 2],
    ['agent:main:telegram:group:1:topic:7', undefined, 3],
    ['agent:main:main:thread:7', undefined, 3],
    ['agent:main:discord:group:1', undefined, 4],
    ['agent:main:main', 'Discord', 4],
  ])('gives %s on %s the policy of %d minutes', (key, channel, idleMinutes) => {
    expect(resetPolicyFor(settings, key, channel).policy).toMatchObject({ idleMinutes, timeZone: 'Asia/Tokyo' });
  });
});

describe('thirty days of a conversation', () => {
  /** Mulberry32: the same days in every run. */
  const randoms = (seed: number) => (): number => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };

  /** 04:00 in Berlin of every day of the time, summer time ending on 25 October 2026. */
  const fours = Array.from({ length: 40 }, (_, day) => Date.UTC(2026, 9, 5 + day, day < 20 ? 2 : 3));

  it.each([1, 2, 3, 4, 5, 6])('resets exactly as the policy says, whatever reconnects, restarts and changes of model happen (seed %d)', (seed) => {
    const random = randoms(seed);
    const idleMinutes = seed % 2 === 0 ? 0 : 240;
    const policy = resetPolicyFor(session({ reset: { mode: 'daily', timeZone: 'Europe/Berlin', idleMinutes } }), KEY);
    let clocks = new ZoneClocks(() => 'UTC');
    let entry: { sessionStartedAt: number; lastInteractionAt: number; updatedAt: number } | undefined;
    const [wanted, done]: [string[], string[]] = [[], []];
    for (let nowMs = Date.UTC(2026, 9, 6); nowMs < Date.UTC(2026, 9, 6) + 30 * DAY_MS; nowMs += Math.ceil(random() ** 4 * 9 * 3_600_000) + 1) {
      const dice = random();
      // A restart loses what is in memory; a reconnect, a heartbeat, a new model only touch the row.
      if (dice < 0.1) clocks = new ZoneClocks(() => 'UTC');
      if (dice < 0.4) {
        if (entry !== undefined) entry = { ...entry, updatedAt: nowMs };
        const upkeep = decideFreshness(policy, { key: KEY, nowMs, times: sessionTimes({ ...entry }), occasion: 'upkeep', hasRun: false }, clocks);
        expect(upkeep.fresh).toBe(true);
        continue;
      }
      const hasRun = dice > 0.9;
      if (entry === undefined) entry = { sessionStartedAt: nowMs, lastInteractionAt: nowMs, updatedAt: nowMs };
      const { sessionStartedAt, lastInteractionAt } = entry;
      const crossed = fours.some((four) => sessionStartedAt < four && four <= nowMs);
      const idle = idleMinutes > 0 && nowMs - lastInteractionAt > idleMinutes * MINUTE_MS;
      if (!hasRun && (crossed || idle)) wanted.push(new Date(nowMs).toISOString());
      const decided = decideFreshness(policy, { key: KEY, nowMs, times: sessionTimes(entry), occasion: 'message', hasRun }, clocks);
      if (!decided.fresh) done.push(new Date(nowMs).toISOString());
      entry = decided.fresh ? { ...entry, lastInteractionAt: nowMs, updatedAt: nowMs } : { sessionStartedAt: nowMs, lastInteractionAt: nowMs, updatedAt: nowMs };
    }
    expect(done).toEqual(wanted);
    expect(done.length).toBeGreaterThan(20);
  });
});
