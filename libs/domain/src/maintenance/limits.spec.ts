import { parseConfig } from '../config/parse-config';
import { factsOf } from '../testing/maintenance-arbitraries';
import type { FactFile, FactRow } from './facts';
import { planMaintenance } from './plan';

/**
 * Decision 3: no limit value, however wrong, ever deletes. The store holds a thousand free rows older
 * than any sensible limit and every class of file, so a limit that is misread removes something.
 */
const NOW_MS = Date.UTC(2026, 5, 15, 12);
const DAY_MS = 86_400_000;
const ROWS = Array.from({ length: 1_000 }, (_, index): FactRow => {
  const rest = index % 4 === 0 ? `cron:job:run:${String(index)}` : index % 4 === 1 ? `explicit:model-run-00000000-0000-4000-8000-${String(index).padStart(12, '0')}` : `telegram:direct:${String(index)}`;
  return { key: `agent:main:${rest}`, sessionId: `s${String(index)}`, updatedAtMs: NOW_MS - (400 + index) * DAY_MS, protections: [], bytes: 1_000, transcriptState: 'present' };
});
const CLASSES: readonly FactFile['fileClass'][] = ['archive-reset', 'archive-deleted', 'archive-bak', 'orphan-transcript', 'orphan-checkpoint', 'orphan-trajectory', 'orphan-prompt-blob', 'stale-temp'];
const FILES = CLASSES.map((fileClass): FactFile => ({ name: fileClass, fileClass, sizeBytes: 1_000, mtimeMs: NOW_MS - 900 * DAY_MS, stampAtMs: NOW_MS - 900 * DAY_MS }));

/** Every other limit is off, so what is removed is removed by the one in question. */
const OFF = { session: { maintenance: { mode: 'enforce', pruneAfter: 0, maxEntries: 0, resetArchiveRetention: 0, maxDiskBytes: 0 } }, cron: { sessionRetention: 0 } };

const LIMITS = ['pruneAfter', 'maxEntries', 'resetArchiveRetention', 'maxDiskBytes', 'highWaterBytes', 'sessionRetention', 'removalNotice'] as const;
const VALUES: readonly unknown[] = [0, '0', -1, Number.NaN, '', '1', null, 1e308, '30 lightyears', '1w', '-1d', 'NaN', 'Infinity', Number.POSITIVE_INFINITY, true, [], {}, ' '];

function withLimit(limit: (typeof LIMITS)[number], value: unknown): unknown {
  if (limit === 'sessionRetention') return { ...OFF, cron: { sessionRetention: value } };
  return { ...OFF, session: { maintenance: { ...OFF.session.maintenance, [limit]: value } } };
}

const plan = (raw: unknown) => {
  const parsed = parseConfig(raw);
  if (!parsed.ok) return { refusedAt: parsed.problems.map((problem) => problem.path), actions: [] };
  const { config } = parsed;
  const settings = { dmScope: config.session.dmScope, maintenance: config.session.maintenance, cron: config.cron };
  return { refusedAt: [], actions: planMaintenance({ agentId: 'main', nowMs: NOW_MS, settings, steps: 'all', asker: 'person', facts: factsOf(ROWS, FILES) }).actions };
};

describe('wrong limits', () => {
  it.each(LIMITS.flatMap((limit) => VALUES.map((value) => [limit, value] as const)))('%s: %p is off or refused by its path, and removes nothing', (limit, value) => {
    const { refusedAt, actions } = plan(withLimit(limit, value));
    expect(actions).toEqual([]);
    // A count is a number: "0" in quotes is refused for it, and off for times and sizes.
    const isOff = value === 0 || (value === '0' && limit !== 'maxEntries');
    if (isOff) expect(refusedAt).toEqual([]);
    else expect(refusedAt).toEqual([limit === 'sessionRetention' ? 'cron.sessionRetention' : `session.maintenance.${limit}`]);
  });

  it('are told from right ones: each limit on its own does remove', () => {
    const removed = (limit: (typeof LIMITS)[number], value: unknown): number => plan(withLimit(limit, value)).actions.length;
    expect(LIMITS.map((limit) => removed(limit, ({ pruneAfter: '30d', maxEntries: 10, resetArchiveRetention: '30d', maxDiskBytes: '1kb', highWaterBytes: '1kb', sessionRetention: '1d', removalNotice: '1d' } as const)[limit]) > 0)).toEqual([true, true, true, true, false, true, false]);
  });

  it('never reach a plan even when somebody hands them to the planner', () => {
    for (const value of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const maintenance = { mode: 'enforce' as const, pruneAfterMs: value, maxEntries: value, resetArchiveRetentionMs: value, maxDiskBytes: value, highWaterBytes: value };
      const settings = { dmScope: 'main' as const, maintenance, cron: { sessionRetentionMs: value } };
      expect(planMaintenance({ agentId: 'main', nowMs: NOW_MS, settings, steps: 'all', asker: 'person', facts: factsOf(ROWS, FILES) }).actions).toEqual([]);
    }
  });
});
