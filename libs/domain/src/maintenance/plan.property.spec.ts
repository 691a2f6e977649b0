import fc from 'fast-check';
import { FACTS_NOW_MS, factsOf, storeFacts } from '../testing/maintenance-arbitraries';
import { actionBatches, BATCH_ACTIONS_MAX, type MaintenanceAction } from './actions';
import { EXCEPTION_KEYS_MAX } from './exceptions';
import { PROTECTIONS, archivedAtMs, isArchive, oldestRows, type FactRow, type StoreFacts } from './facts';
import { planMaintenance, type MaintenancePlan, type PlanRequest } from './plan';
import { planTable } from './plan-table';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

const settings = fc.record({
  dmScope: fc.constantFrom('main', 'per-peer'),
  maintenance: fc.record({
    mode: fc.constant('enforce'),
    pruneAfterMs: fc.constantFrom(0, 7 * DAY_MS, 30 * DAY_MS),
    maxEntries: fc.constantFrom(0, 5, 20, 500),
    resetArchiveRetentionMs: fc.constantFrom(0, 7 * DAY_MS, 30 * DAY_MS),
    maxDiskBytes: fc.constantFrom(0, 1, 20_000, 100_000),
    highWaterBytes: fc.constantFrom(0, 1, 10_000),
  }),
  cron: fc.record({ sessionRetentionMs: fc.constantFrom(0, DAY_MS) }),
}) as unknown as fc.Arbitrary<PlanRequest['settings']>;

const requests: fc.Arbitrary<PlanRequest> = fc.record({
  agentId: fc.constant('main'),
  nowMs: fc.constant(FACTS_NOW_MS),
  settings,
  flags: fc.record({ fixMissing: fc.boolean(), fixDmScope: fc.boolean() }),
  steps: fc.constantFrom('all', 'all', 'asked'),
  asker: fc.constantFrom('person', 'automatic'),
  facts: storeFacts,
}).map((request) => ({ ...request, facts: factsOf(request.facts.rows, request.facts.files, 0, { pruneAfterMs: request.settings.maintenance.pruneAfterMs }) }));

const keysOf = (actions: readonly MaintenanceAction[]): string[] => actions.filter((action) => action.key !== undefined && action.kind !== 'repair-session-file').map((action) => action.key ?? '');

/** The store once the plan is carried out: what is archived stands there under a fresh stamp. */
function carryOut(facts: StoreFacts, plan: MaintenancePlan): StoreFacts {
  const gone = new Set(keysOf(plan.actions));
  const goneFiles = new Set(plan.actions.map((action) => action.file));
  const made = plan.actions.filter((action) => action.bytes > 0 && (action.kind === 'archive-orphan' || gone.has(action.key ?? '')));
  const archives = made.map((action, index) => ({ name: `made-${String(index)}`, fileClass: 'archive-deleted' as const, sizeBytes: action.bytes, mtimeMs: FACTS_NOW_MS, stampAtMs: FACTS_NOW_MS }));
  const repaired = new Set(plan.actions.filter((action) => action.kind === 'repair-session-file').map((action) => action.key));
  const rows = facts.rows.filter((row) => !gone.has(row.key)).map((row): FactRow => (repaired.has(row.key) ? { ...row, transcriptState: 'present' } : row));
  return factsOf(rows, [...facts.files.filter((file) => !goneFiles.has(file.name)), ...archives]);
}

const hasTime = ({ updatedAtMs = 0 }: FactRow): boolean => updatedAtMs > 0 && updatedAtMs < FACTS_NOW_MS;

/** What an owner would stream instead of everything. */
function candidatesOf(facts: StoreFacts, { settings: { maintenance } }: PlanRequest): StoreFacts {
  const free = oldestRows(facts.rows.filter((row) => row.protections.length === 0), FACTS_NOW_MS);
  const special = facts.rows.filter((row) => row.transcriptState !== 'present' || row.sessionId === undefined || /:(?:direct|dm|cron|explicit):/.test(row.key));
  const old = free.filter((row) => row.updatedAtMs !== undefined && FACTS_NOW_MS - row.updatedAtMs > maintenance.pruneAfterMs);
  const named = PROTECTIONS.flatMap((protection) => oldestRows(facts.rows.filter((row) => row.protections[0] === protection && hasTime(row)), FACTS_NOW_MS).slice(0, EXCEPTION_KEYS_MAX));
  const beyond = free.slice(0, Math.max(0, facts.totals.rowCount - maintenance.maxEntries));
  const evictable = maintenance.maxDiskBytes === 0 ? [] : free;
  return { ...facts, rows: [...new Set([...special, ...old, ...beyond, ...evictable, ...named])] };
}

describe('a plan over any store', () => {
  it('takes no protected row for age, count or budget, and by name only rows that nobody uses', () => {
    fc.assert(fc.property(requests, (request) => {
      const protections = new Map(request.facts.rows.map((row) => [row.key, row.protections]));
      for (const { kind, key } of planMaintenance(request).actions) {
        if (key === undefined) continue;
        const held = protections.get(key) ?? [];
        if (['retire-dm-scope', 'prune-missing', 'repair-session-file'].includes(kind)) expect(held).not.toEqual(expect.arrayContaining([expect.stringMatching(/^(running|undelivered|held|recent|named)$/)]));
        else expect(held).toEqual([]);
      }
    }));
  });

  it('adds up: every row once, counts equal to the actions, table equal to the counts', () => {
    fc.assert(fc.property(requests, (request) => {
      const plan = planMaintenance(request);
      const keys = keysOf(plan.actions);
      expect(new Set(keys).size).toBe(keys.length);
      const { counts } = plan;
      expect(counts.afterCount).toBe(counts.beforeCount - keys.length);
      const { missing, dmScopeRetired, pruned, capped, modelRunPruned, cronRunPruned } = counts;
      expect(missing + dmScopeRetired + pruned + capped + modelRunPruned + cronRunPruned + (counts.diskBudget?.removedEntries ?? 0)).toBe(keys.length);
      const table = planTable(plan, FACTS_NOW_MS);
      expect(table.total).toEqual({ kept: counts.afterCount, pruned: keys.length });
      expect(table.labels.reduce((sum, label) => sum + label.kept, 0)).toBe(counts.afterCount);
      expect(counts.wouldMutate).toBe(plan.actions.length > 0);
      for (const batch of actionBatches(plan.actions)) expect(batch.length).toBeLessThanOrEqual(BATCH_ACTIONS_MAX);
    }));
  });

  it('is the same from the candidates as from all rows', () => {
    fc.assert(fc.property(requests, (request) => {
      const whole = planMaintenance(request);
      const narrow = planMaintenance({ ...request, facts: candidatesOf(request.facts, request) });
      expect(narrow.actions.map((action) => JSON.stringify(action)).sort()).toEqual(whole.actions.map((action) => JSON.stringify(action)).sort());
      expect(narrow.counts).toEqual(whole.counts);
      // Rows that are asked for by name may take the places of named ones, so only numbers agree then.
      const numbers = ({ exceptions }: MaintenancePlan): unknown => exceptions.map(({ keys: _, ...rest }) => rest);
      expect(numbers(narrow)).toEqual(numbers(whole));
      if (request.flags?.fixMissing !== true && request.flags?.fixDmScope !== true) expect(narrow.exceptions).toEqual(whole.exceptions);
    }));
  });

  it('leaves nothing to do for a second run at once', () => {
    fc.assert(fc.property(requests, (request) => {
      const plan = planMaintenance(request);
      const again = planMaintenance({ ...request, facts: carryOut(request.facts, plan) });
      expect(again.actions).toEqual([]);
    }));
  });

  it('keeps exactly the bound, or says what stops it', () => {
    fc.assert(fc.property(requests, (request) => {
      const { maxEntries } = request.settings.maintenance;
      const { counts } = planMaintenance(request);
      if (request.steps === 'asked' || maxEntries === 0) expect(counts.capped).toBe(0);
      else if (counts.capUnmet) expect(counts.capped).toBe(0);
      else expect(counts.afterCount).toBeLessThanOrEqual(maxEntries);
      if (counts.capped > 0) expect(counts.afterCount + (counts.diskBudget?.removedEntries ?? 0)).toBe(maxEntries);
    }));
  });

  it('unlinks no archive of an hour, none before the notice is over, and no transcript ever', () => {
    fc.assert(fc.property(requests, (request) => {
      const files = new Map(request.facts.files.map((file) => [file.name, file]));
      for (const { kind, file: name } of planMaintenance(request).actions) {
        const file = files.get(name ?? '');
        if (kind === 'unlink-archive') {
          expect(request.asker).toBe('person');
          expect(file !== undefined && isArchive(file) && FACTS_NOW_MS - archivedAtMs(file) >= HOUR_MS).toBe(true);
        }
        if (kind === 'unlink-blob' || kind === 'unlink-temp') expect(file?.fileClass).toMatch(/^(orphan-prompt-blob|stale-temp)$/);
      }
    }));
  });

  it('clears for the budget until the mark is reached or nothing may go, pending bytes counted exactly', () => {
    fc.assert(fc.property(requests, (request) => {
      const plan = planMaintenance(request);
      const report = plan.counts.diskBudget;
      if (report === null) return;
      const after = carryOut(request.facts, plan);
      const waiting = after.files.filter((file) => isArchive(file) && (request.asker === 'automatic' || FACTS_NOW_MS - archivedAtMs(file) < HOUR_MS));
      expect(report.pendingBytes).toBe(waiting.reduce((sum, file) => sum + file.sizeBytes, 0));
      expect(report.overBudget).toBe(report.totalBytesAfter > report.maxBytes);
      expect(report.totalBytesAfter).toBe(report.totalBytesBefore - report.freedBytes);
      if (!report.overBudget || report.totalBytesAfter - report.pendingBytes <= report.highWaterBytes) return;
      // Nothing that may go is left.
      expect(after.rows.filter((row) => row.protections.length === 0 && row.bytes > 0)).toEqual([]);
      expect(after.files.filter((file) => request.asker === 'person' && isArchive(file) && FACTS_NOW_MS - archivedAtMs(file) >= HOUR_MS)).toEqual([]);
    }));
  });
});
