import type { FactRow } from './facts';
import { holdUnannounced, NOTICE_KEYS_MAX, planNotices, type Announced } from './notice';
import { planPrune } from './plan-prune';

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 5, 1);
const LIMIT_MS = 30 * DAY_MS;
const row = (name: string, updatedAtMs: number, more: Partial<FactRow> = {}): FactRow => ({ key: `agent:main:${name}`, sessionId: name, updatedAtMs, protections: [], bytes: 1, ...more });

describe('notice before the first removal', () => {
  it('comes a day ahead, once, and the removal follows when it is over', () => {
    let rows = [row('telegram:direct:1', START_MS), row('telegram:direct:2', START_MS + 5 * DAY_MS), row('telegram:group:1', START_MS, { protections: ['pointer'] })];
    const announced = new Map<string, Announced>();
    const log: string[] = [];
    for (let nowMs = START_MS; nowMs < START_MS + 40 * DAY_MS; nowMs += DAY_MS / 24) {
      const { notices } = planNotices({ rows, pruneAfterMs: LIMIT_MS, nowMs, announced });
      for (const { key, sessionId, updatedAtMs, removeAtMs } of notices) {
        log.push(`announce ${key.slice(-1)} on ${String((nowMs - START_MS) / DAY_MS)} for ${String(Math.round((removeAtMs - START_MS) / DAY_MS))}`);
        announced.set(key, { sessionId, updatedAtMs, announcedAtMs: nowMs });
      }
      const { actions } = holdUnannounced(planPrune(rows, LIMIT_MS, nowMs), { announced, nowMs });
      for (const action of actions) log.push(`remove ${action.key?.slice(-1) ?? ''} on ${((nowMs - START_MS) / DAY_MS).toFixed(2)}`);
      rows = rows.filter((each) => !actions.some((action) => action.key === each.key));
    }
    expect(log).toEqual(['announce 1 on 29.041666666666668 for 30', 'remove 1 on 30.04', 'announce 2 on 34.041666666666664 for 35', 'remove 2 on 35.04']);
  });

  it('holds what is long overdue for a day, and begins again when the session was used', () => {
    const nowMs = START_MS + 90 * DAY_MS;
    const old = row('telegram:direct:1', START_MS);
    const actions = planPrune([old], LIMIT_MS, nowMs);
    const held = (known: Partial<Announced> | undefined) => {
      const announced = new Map(known === undefined ? [] : [[old.key, { sessionId: old.sessionId, updatedAtMs: START_MS, announcedAtMs: nowMs - DAY_MS, ...known }] as const]);
      return holdUnannounced(actions, { announced, nowMs }).held.length;
    };
    expect(held(undefined)).toBe(1);
    expect(held({})).toBe(0);
    expect(held({ announcedAtMs: nowMs - DAY_MS + 1 })).toBe(1);
    expect(held({ announcedAtMs: nowMs + DAY_MS })).toBe(1);
    expect(held({ updatedAtMs: START_MS + 1 })).toBe(1);
    expect(held({ sessionId: 'other' })).toBe(1);
  });

  it('names no more than fit, none of programs, and none with the limit off', () => {
    const nowMs = START_MS + 90 * DAY_MS;
    const rows = [...Array.from({ length: 300 }, (_, index) => row(`telegram:direct:${String(index)}`, START_MS)), row('subagent:1', START_MS), row('cron:a:run:1', START_MS)];
    const { notices, moreCount } = planNotices({ rows, pruneAfterMs: LIMIT_MS, nowMs, announced: new Map() });
    expect([notices.length, moreCount]).toEqual([NOTICE_KEYS_MAX, 100]);
    expect(planNotices({ rows, pruneAfterMs: 0, nowMs, announced: new Map() }).notices).toEqual([]);
    expect(holdUnannounced(planPrune(rows.slice(300), LIMIT_MS, nowMs), { announced: new Map(), nowMs }).held).toEqual([]);
  });
});
