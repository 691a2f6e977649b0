import type { FactRow } from './facts';
import { factsOf } from '../testing/maintenance-arbitraries';
import { actionBatches } from './actions';
import { planMaintenance, type PlanRequest } from './plan';
import { planSubagentArchives, subagentArchiveAtMs } from './plan-subagents';
import { maintenanceFacts, rowProtections } from './maintenance-facts';

/**
 * A store as it is found in the wild: 3 197 entries, 1 671 of them older than the limit, four of five
 * threads and channels, and ten sub-agents started every five minutes for six hours.
 */
const [MINUTE_MS, DAY_MS] = [60_000, 86_400_000];
const START_MS = Date.UTC(2026, 5, 15);
const MAX_ENTRIES = 500;
const SETTINGS: PlanRequest['settings'] = {
  dmScope: 'main',
  maintenance: { mode: 'enforce', pruneAfterMs: 30 * DAY_MS, maxEntries: MAX_ENTRIES, resetArchiveRetentionMs: 30 * DAY_MS, maxDiskBytes: 0, highWaterBytes: 0 },
  cron: { sessionRetentionMs: DAY_MS },
};
const SUBAGENTS = { archiveAfterMinutes: 60, archiveKept: false };

interface Session {
  readonly key: string;
  updatedAtMs: number;
  state: 'idle' | 'queued' | 'running' | 'undelivered';
  endsAtMs?: number;
  deliveredAtMs?: number;
  archiveAtMs?: number;
}

function startStore(): Map<string, Session> {
  const sessions = new Map<string, Session>();
  for (let index = 0; index < 3_197; index += 1) {
    const isPlace = index % 5 !== 0;
    const key = `agent:main:${isPlace ? (index % 2 === 0 ? `slack:channel:c${String(index)}` : `discord:channel:c:thread:${String(index)}`) : `telegram:direct:${String(index)}`}`;
    const ageMs = index < 1_671 ? 31 * DAY_MS + index * MINUTE_MS : (index % 29) * DAY_MS + 10 * MINUTE_MS;
    sessions.set(key, { key, updatedAtMs: START_MS - ageMs, state: 'idle' });
  }
  return sessions;
}

const entryOf = ({ state, updatedAtMs }: Session): object => ({ sessionId: 's', updatedAt: updatedAtMs, ...(state === 'running' ? { status: 'running' } : {}), ...(state === 'queued' ? { openRuns: [{}] } : {}), ...(state === 'undelivered' ? { pendingFinalDelivery: true } : {}) });

const rowOf = (session: Session, nowMs: number): FactRow => ({
  key: session.key,
  sessionId: session.key,
  updatedAtMs: session.updatedAtMs,
  bytes: 1,
  transcriptState: 'present',
  protections: rowProtections(session.key, maintenanceFacts(session.key, entryOf(session)), { nowMs, isHeld: false, named: [] }),
  ...(session.archiveAtMs === undefined ? {} : { archiveAtMs: session.archiveAtMs }),
});

describe('a busy store over six hours', () => {
  it('loses no session that anybody uses or waits for, keeps the bound otherwise and names what it could not take', () => {
    const sessions = startStore();
    expect([...sessions.values()].filter((session) => START_MS - session.updatedAtMs > 30 * DAY_MS)).toHaveLength(1_671);
    const removed: string[] = [];
    let started = 0;
    for (let minute = 0; minute <= 360; minute += 1) {
      const nowMs = START_MS + minute * MINUTE_MS;
      if (minute % 5 === 0 && minute < 360) {
        for (let child = 0; child < 10; child += 1) {
          const key = `agent:main:subagent:${String((started += 1))}`;
          const runMs = (1 + (started % 97)) * MINUTE_MS;
          sessions.set(key, { key, updatedAtMs: nowMs, state: started % 3 === 0 ? 'queued' : 'running', endsAtMs: nowMs + runMs, deliveredAtMs: nowMs + runMs + (started % 13) * MINUTE_MS });
        }
      }
      for (const session of sessions.values()) {
        if (session.endsAtMs !== undefined && session.endsAtMs <= nowMs && session.state !== 'idle') {
          if (session.state !== 'undelivered') Object.assign(session, { state: 'undelivered', updatedAtMs: nowMs, archiveAtMs: subagentArchiveAtMs({}, nowMs, SUBAGENTS) });
          if ((session.deliveredAtMs ?? 0) <= nowMs) session.state = 'idle';
        }
      }
      // Off the beat of the starts, so that plans meet every state.
      if (minute % 7 !== 0) continue;
      const rows = [...sessions.values()].map((session) => rowOf(session, nowMs));
      const plan = planMaintenance({ agentId: 'main', nowMs, settings: SETTINGS, steps: 'all', asker: 'automatic', facts: factsOf(rows, [], 0, { nowMs }) });
      const actions = [...planSubagentArchives(rows, SUBAGENTS, nowMs), ...plan.actions];
      for (const batch of actionBatches(actions)) expect(batch.length).toBeLessThanOrEqual(200);
      for (const { key = '' } of actions) {
        const session = sessions.get(key);
        if (session === undefined) continue;
        expect([session.state, /:(?:channel|thread):/.test(key)]).toEqual(['idle', false]);
        sessions.delete(key);
        removed.push(key);
      }
      const free = [...sessions.values()].filter((session) => rowOf(session, nowMs).protections.length === 0);
      // Four of five entries are places, more than the bound: it is unmet, said to be so, and age alone removes.
      expect(plan.counts.capUnmet).toBe(true);
      expect(free.every((session) => nowMs - session.updatedAtMs <= 30 * DAY_MS)).toBe(true);
      expect(plan.exceptions.find(({ bound, protection }) => bound === 'count' && protection === 'pointer')?.rowCount).toBe(2_557);
    }
    expect(started).toBe(720);
    expect([...sessions.values()].filter((session) => /:(?:channel|thread):/.test(session.key))).toHaveLength(2_557);
    expect(removed.filter((key) => key.includes(':direct:')).length).toBeGreaterThanOrEqual(335);
    expect([...sessions.keys()].filter((key) => key.includes(':subagent:')).length).toBeLessThan(720);
  });

  it('keeps exactly the bound where protected rows leave room, whatever runs', () => {
    const nowMs = START_MS;
    const sessions = [...startStore().values()].filter((session) => session.key.includes(':direct:'));
    const children = Array.from({ length: 300 }, (_, index): Session => ({ key: `agent:main:subagent:${String(index)}`, updatedAtMs: nowMs - DAY_MS, state: (['running', 'queued', 'undelivered'] as const)[index % 3] ?? 'running' }));
    const rows = [...sessions, ...children].map((session) => rowOf(session, nowMs));
    const plan = planMaintenance({ agentId: 'main', nowMs, settings: SETTINGS, steps: 'all', asker: 'automatic', facts: factsOf(rows) });
    expect(plan.counts).toMatchObject({ capUnmet: false, afterCount: MAX_ENTRIES });
    expect(plan.actions.some((action) => action.key?.includes(':subagent:') === true)).toBe(false);
  });
});
