import { rowAction } from './actions';
import type { FactRow } from './facts';
import { holdUnannounced, NOTICE_KEYS_MAX, planAnnouncements } from './notice';
import { planPrune } from './plan-prune';

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 5, 1);
const LIMIT_MS = 30 * DAY_MS;
const NOTHING = { announceUnlink: undefined, actions: [] };
const row = (name: string, updatedAtMs: number, more: Partial<FactRow> = {}): FactRow => ({ key: `agent:main:${name}`, sessionId: name, updatedAtMs, protections: [], bytes: 1, ...more });

describe('notice before the first removal', () => {
  it.each([
    [DAY_MS, ['announce 1 on 29.04 for 30.04', 'remove 1 on 30.04', 'announce 2 on 34.04 for 35.04', 'remove 2 on 35.04']],
    [3 * DAY_MS, ['announce 1 on 27.04 for 30.04', 'remove 1 on 30.04', 'announce 2 on 32.04 for 35.04', 'remove 2 on 35.04']],
    [0, ['remove 1 on 30.04', 'remove 2 on 35.04']],
  ])('of %p ms comes that much ahead, once, and the removal follows when it is over', (noticeMs, expected) => {
    let rows = [row('telegram:direct:1', START_MS), row('telegram:direct:2', START_MS + 5 * DAY_MS), row('telegram:group:1', START_MS, { protections: ['pointer'] })];
    const log: string[] = [];
    const day = (atMs: number): string => ((atMs - START_MS) / DAY_MS).toFixed(2);
    for (let nowMs = START_MS; nowMs < START_MS + 40 * DAY_MS; nowMs += DAY_MS / 24) {
      for (const { key, notBeforeMs } of planAnnouncements({ rows, pruneAfterMs: LIMIT_MS, noticeMs, nowMs }, NOTHING).actions) {
        log.push(`announce ${key?.slice(-1) ?? ''} on ${day(nowMs)} for ${day(notBeforeMs ?? 0)}`);
        rows = rows.map((each) => (each.key === key ? { ...each, removalAnnouncedAtMs: nowMs } : each));
      }
      const { actions } = holdUnannounced(planPrune(rows, LIMIT_MS, nowMs), { rows, nowMs, noticeMs });
      for (const action of actions) log.push(`remove ${action.key?.slice(-1) ?? ''} on ${day(nowMs)}`);
      rows = rows.filter((each) => !actions.some((action) => action.key === each.key));
    }
    expect(log).toEqual(expected);
  });

  it('holds what is long overdue for a day, and begins again without a notice that counts', () => {
    const nowMs = START_MS + 90 * DAY_MS;
    const looked = (removalAnnouncedAtMs: number | undefined) => {
      const rows = [row('telegram:direct:1', START_MS, removalAnnouncedAtMs === undefined ? {} : { removalAnnouncedAtMs })];
      const again = planAnnouncements({ rows, pruneAfterMs: LIMIT_MS, noticeMs: DAY_MS, nowMs }, NOTHING).actions.length;
      return [again, holdUnannounced(planPrune(rows, LIMIT_MS, nowMs), { rows, nowMs, noticeMs: DAY_MS }).held.length];
    };
    expect(looked(undefined)).toEqual([1, 1]);
    expect(looked(nowMs - DAY_MS)).toEqual([0, 0]);
    expect(looked(nowMs - DAY_MS + 1)).toEqual([0, 1]);
    // A clock that was wrong: given again, so that it does not wait for the year that it said.
    expect(looked(nowMs + DAY_MS)).toEqual([1, 1]);
    expect(looked(Number.NaN)).toEqual([1, 1]);
  });

  it('names no more than fit, none of programs, and none with the limit off', () => {
    const nowMs = START_MS + 90 * DAY_MS;
    const rows = [...Array.from({ length: 300 }, (_, index) => row(`telegram:direct:${String(index)}`, START_MS)), row('subagent:1', START_MS), row('cron:a:run:1', START_MS)];
    const { actions, moreCount } = planAnnouncements({ rows, pruneAfterMs: LIMIT_MS, noticeMs: DAY_MS, nowMs }, NOTHING);
    expect([actions.length, moreCount]).toEqual([NOTICE_KEYS_MAX, 100]);
    expect(planAnnouncements({ rows, pruneAfterMs: 0, noticeMs: DAY_MS, nowMs }, NOTHING).actions).toEqual([]);
    expect(holdUnannounced(planPrune(rows.slice(300), LIMIT_MS, nowMs), { rows, nowMs, noticeMs: DAY_MS }).held).toEqual([]);
  });

  it('announces once that a bound will take conversations, holds the first of them, and none once one has gone', () => {
    const nowMs = START_MS;
    const rows = [row('telegram:direct:1', START_MS), row('telegram:direct:2', START_MS), row('subagent:1', START_MS)];
    const actions = rows.map((each, index) => rowAction(index === 1 ? 'evict-budget' : 'cap-overflow', 'over-max-entries', each));
    const request = { rows, pruneAfterMs: 0, noticeMs: DAY_MS, nowMs };
    const looked = (more: { boundsAnnouncedAtMs?: number; removedBefore?: boolean; noticeMs?: number }) => [
      planAnnouncements({ ...request, ...more }, { ...NOTHING, actions }).actions.map(({ kind, sessionsCount, notBeforeMs }) => [kind, sessionsCount, (notBeforeMs ?? 0) - nowMs]),
      holdUnannounced(actions, { ...request, ...more }).held.map(({ key }) => key?.slice('agent:main:'.length)),
    ];
    const [announced, held] = [[['announce-bounds', 2, DAY_MS]], ['telegram:direct:1', 'telegram:direct:2']];
    expect(looked({})).toEqual([announced, held]);
    expect(looked({ boundsAnnouncedAtMs: nowMs - DAY_MS + 1 })).toEqual([[], held]);
    expect(looked({ boundsAnnouncedAtMs: nowMs - DAY_MS })).toEqual([[], []]);
    expect(looked({ removedBefore: true })).toEqual([[], []]);
    expect(looked({ noticeMs: 0 })).toEqual([[], []]);
    // A clock that was wrong: given again.
    expect(looked({ boundsAnnouncedAtMs: nowMs + DAY_MS })).toEqual([announced, held]);
    expect(planAnnouncements(request, { ...NOTHING, actions: actions.slice(2) }).actions).toEqual([]);
  });

  it('announces the first unlinking of archives once', () => {
    const plan = { ...NOTHING, announceUnlink: { filesCount: 3, bytes: 70 } };
    const request = { rows: [], pruneAfterMs: LIMIT_MS, noticeMs: DAY_MS, nowMs: START_MS };
    expect(planAnnouncements(request, plan).actions).toEqual([{ kind: 'announce-unlink', reason: 'retention-over', filesCount: 3, bytes: 70, notBeforeMs: START_MS + DAY_MS }]);
    expect(planAnnouncements({ ...request, unlinkAnnouncedAtMs: START_MS - 1 }, plan).actions).toEqual([]);
  });
});
