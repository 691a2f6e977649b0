import { defaultConfig } from '../config/parse-config';
import { SessionError } from '../errors';
import { factsOf } from '../testing/maintenance-arbitraries';
import { parseTranscriptLine } from '../transcript/parse-line';
import type { FactFile, FactRow } from './facts';
import { planMaintenance, stepsFor, type PlanRequest } from './plan';
import { judgeTranscript } from './plan-missing';
import { planSubagentArchives, subagentArchiveAtMs } from './plan-subagents';
import { planTable } from './plan-table';

const NOW_MS = Date.UTC(2026, 5, 15, 12);
const [MINUTE_MS, HOUR_MS, DAY_MS] = [60_000, 3_600_000, 86_400_000];
const DEFAULTS = defaultConfig();

const row = (name: string, ageMs: number, more: Partial<FactRow> = {}): FactRow => ({ key: `agent:main:telegram:direct:${name}`, sessionId: name, updatedAtMs: NOW_MS - ageMs, protections: [], bytes: 100, transcriptState: 'present', ...more });
const rowsOf = (count: number, ageMs: (index: number) => number, prefix = 'r'): FactRow[] => Array.from({ length: count }, (_, index) => row(`${prefix}${String(index)}`, ageMs(index)));
const file = (name: string, fileClass: FactFile['fileClass'], ageMs: number, sizeBytes = 100): FactFile => ({ name, fileClass, sizeBytes, mtimeMs: NOW_MS - ageMs, ...(fileClass.startsWith('archive') ? { stampAtMs: NOW_MS - ageMs } : {}) });

interface Given {
  readonly rows?: readonly FactRow[];
  readonly files?: readonly FactFile[];
  readonly maintenance?: Partial<PlanRequest['settings']['maintenance']>;
  readonly cronMs?: number;
  readonly otherBytes?: number;
}

function plan(given: Given, more: Partial<PlanRequest> = {}) {
  const maintenance = { ...DEFAULTS.session.maintenance, ...given.maintenance };
  const settings = { dmScope: 'main' as const, maintenance, cron: { sessionRetentionMs: given.cronMs ?? DAY_MS } };
  return planMaintenance({ agentId: 'main', nowMs: NOW_MS, settings, steps: 'all', asker: 'person', facts: factsOf(given.rows ?? [], given.files ?? [], given.otherBytes, { pruneAfterMs: maintenance.pruneAfterMs, nowMs: NOW_MS }), ...more });
}

describe('planMaintenance', () => {
  it('counts the worked example of the specification', () => {
    const rows = [...rowsOf(5, () => 31 * DAY_MS, 'old'), row('gone', DAY_MS, { transcriptState: 'missing' }), ...rowsOf(27, () => DAY_MS)];
    expect(plan({ rows }, { flags: { fixMissing: true } }).counts).toMatchObject({ beforeCount: 33, afterCount: 27, pruned: 5, missing: 1, capped: 0 });
  });

  it('prunes strictly older rows, and never those without a time that makes sense', () => {
    const rows = [row('at', 30 * DAY_MS), row('over', 30 * DAY_MS + 1), row('future', -DAY_MS), row('zero', 0, { updatedAtMs: 0 }), row('nan', 0, { updatedAtMs: Number.NaN }), row('none', 0, { updatedAtMs: undefined })];
    expect(plan({ rows }).actions.map((action) => action.key)).toEqual(['agent:main:telegram:direct:over']);
  });

  it('caps to exactly the bound, oldest first and equal ages by key', () => {
    const { actions, counts } = plan({ rows: rowsOf(510, (index) => (index < 20 ? 2 * DAY_MS : DAY_MS)) });
    expect(counts).toMatchObject({ capped: 10, afterCount: 500, capUnmet: false });
    const oldest = rowsOf(20, () => 0).map(({ key }) => key).sort().slice(0, 10);
    expect(actions.map((action) => action.key)).toEqual(oldest);
  });

  it('takes nothing when protected rows alone reach the bound, and names them', () => {
    const rows = [...rowsOf(4, () => DAY_MS, 'p').map((each): FactRow => ({ ...each, protections: ['pointer'] })), row('free', HOUR_MS)];
    const { actions, counts, exceptions, verdicts } = plan({ rows, maintenance: { maxEntries: 4 } });
    expect([actions, counts.capUnmet, exceptions]).toEqual([[], true, [{ bound: 'count', protection: 'pointer', rowCount: 4, keys: rows.slice(0, 4).map(({ key }) => key).sort() }]]);
    expect(verdicts.map((verdict) => verdict.reason)).toEqual(['protected-pointer', 'protected-pointer', 'protected-pointer', 'protected-pointer', 'within-limits']);
  });

  it('names what stays over each limit by its strongest protection, oldest first, and not what goes because it was asked for', () => {
    const kept = (name: string, ageMs: number, ...protections: FactRow['protections'][number][]): FactRow => row(name, ageMs, { protections });
    const rows = [
      ...Array.from({ length: 7 }, (_, index) => kept(`old-${String(index)}`, (40 + index) * DAY_MS, 'pointer')),
      kept('empty', 99 * DAY_MS, 'pointer'),
      kept('runs', 60 * DAY_MS, 'running', 'pointer'),
      kept('young', 2 * DAY_MS, 'pointer'),
      kept('timeless', 0, 'recent'),
    ].map((each) => (each.key.endsWith('empty') ? { ...each, transcriptState: 'header-only' as const } : each.key.endsWith('timeless') ? { ...each, updatedAtMs: 0 } : each));
    const [old, runs] = [(index: number): string => rows[index]?.key ?? '', 'agent:main:telegram:direct:runs'];
    const age = [{ bound: 'age', protection: 'running', rowCount: 1, keys: [runs] }, { bound: 'age', protection: 'pointer', rowCount: 7, keys: [6, 5, 4, 3, 2].map(old) }];
    expect(plan({ rows }, { flags: { fixMissing: true } }).exceptions).toEqual(age);
    const { exceptions, counts } = plan({ rows, maintenance: { maxEntries: 3, maxDiskBytes: 1 } });
    expect(counts).toMatchObject({ capUnmet: true, diskBudget: { overBudget: true } });
    expect(exceptions.map(({ bound, protection, rowCount }) => [bound, protection, rowCount])).toEqual([
      ['age', 'running', 1], ['age', 'pointer', 8],
      ['count', 'running', 1], ['count', 'recent', 1], ['count', 'pointer', 9],
      ['size', 'running', 1], ['size', 'recent', 1], ['size', 'pointer', 9],
    ]);
    expect(exceptions.find(({ protection }) => protection === 'recent')?.keys).toEqual([]);
    expect(plan({ rows, maintenance: { pruneAfterMs: 0, maxEntries: 0 } }).exceptions).toEqual([]);
    expect(plan({ rows }, { steps: 'asked' }).exceptions).toEqual([]);
  });

  it('expires probes only above the bound and cron runs by their own retention', () => {
    const probe = row('x', 25 * HOUR_MS, { key: 'agent:main:explicit:model-run-0b6c7d10-1111-4222-8333-944455556666' });
    const runs = [row('run', 25 * HOUR_MS, { key: 'agent:main:cron:job:run:1' }), row('job', 25 * HOUR_MS, { key: 'agent:main:cron:job' })];
    expect(plan({ rows: [probe, ...runs] }).actions.map((action) => action.kind)).toEqual(['prune-cron-run']);
    expect(plan({ rows: [probe, ...runs], maintenance: { maxEntries: 2 } }).counts).toMatchObject({ modelRunPruned: 1, cronRunPruned: 1, capped: 0 });
    expect(plan({ rows: [probe, ...runs], cronMs: 0 }).actions).toEqual([]);
  });

  it('repairs a wrong file name, removes empty rows and keeps what it cannot judge', () => {
    const rows = [row('wrong', 0, { transcriptState: 'misplaced', foundFile: 'wrong.jsonl' }), row('empty', 0, { transcriptState: 'header-only' }), row('odd', 0, { transcriptState: 'unreadable' }), row('noid', 0, { sessionId: undefined }), row('busy', 0, { transcriptState: 'missing', protections: ['running'] }), row('main', 0, { transcriptState: 'missing', protections: ['main'] })];
    const found = plan({ rows }, { flags: { fixMissing: true }, steps: 'asked' });
    expect(found.actions.map(({ kind, reason, key }) => [kind, reason, key?.slice(-4)])).toEqual([['repair-session-file', 'file-name-wrong', 'rong'], ['prune-missing', 'transcript-empty', 'mpty'], ['prune-missing', 'no-session-id', 'noid'], ['prune-missing', 'transcript-missing', 'main']]);
    expect(found.verdicts[2]?.reason).toBe('unreadable');
    expect(found.actions[0]?.file).toBe('wrong.jsonl');
  });

  it('retires direct rows of this agent under dmScope main only', () => {
    const keys = ['agent:main:direct:1', 'agent:main:telegram:dm:2', 'agent:main:telegram:work:direct:3', 'agent:main:telegram:direct:4:topic:1', 'agent:ops:direct:5', 'agent:main:main'];
    const rows = keys.map((key, index) => row(String(index), 0, { key }));
    expect(plan({ rows }, { flags: { fixDmScope: true }, steps: 'asked' }).actions.map((action) => action.key)).toEqual(keys.slice(0, 3));
    const settings = { dmScope: 'per-peer' as const, maintenance: DEFAULTS.session.maintenance, cron: { sessionRetentionMs: 0 } };
    expect(plan({ rows }, { flags: { fixDmScope: true }, steps: 'asked', settings })).toMatchObject({ actions: [], warnings: [expect.stringContaining('--fix-dm-scope')] });
  });

  it('unlinks archives by their stamp, each kind by its retention', () => {
    const files = [file('a', 'archive-reset', 8 * DAY_MS), file('b', 'archive-bak', 8 * DAY_MS), file('c', 'archive-deleted', 8 * DAY_MS), file('d', 'archive-deleted', 31 * DAY_MS), { ...file('e', 'archive-bak', 99 * DAY_MS), stampAtMs: undefined }];
    const names = (maintenance: Given['maintenance']) => plan({ files, maintenance }).actions.map((action) => action.file);
    expect(names({ resetArchiveRetentionMs: 7 * DAY_MS })).toEqual(['a', 'b', 'd']);
    expect(names({ resetArchiveRetentionMs: 0 })).toEqual([]);
    expect(names({ pruneAfterMs: 0, resetArchiveRetentionMs: 7 * DAY_MS })).toEqual(['a', 'b']);
    expect(names({ pruneAfterMs: 1, resetArchiveRetentionMs: 1 })).toEqual(['a', 'b', 'c', 'd']);
    expect(plan({ files: [file('young', 'archive-reset', HOUR_MS - 1)], maintenance: { resetArchiveRetentionMs: 1 } }).actions).toEqual([]);
  });

  it('announces before an automatic run first unlinks an archive, and waits a day', () => {
    const files = [file('d', 'archive-deleted', 31 * DAY_MS, 70)];
    const at = (announcedAtMs?: number) => {
      const facts = factsOf([], files);
      return plan({}, { asker: 'automatic', facts: { ...facts, totals: { ...facts.totals, ...(announcedAtMs === undefined ? {} : { unlinkAnnouncedAtMs: announcedAtMs }) } } });
    };
    expect(at()).toMatchObject({ actions: [], announceUnlink: { filesCount: 1, bytes: 70 } });
    expect(at(NOW_MS - DAY_MS + 1).actions).toEqual([]);
    expect(at(NOW_MS + DAY_MS).actions).toEqual([]);
    expect(at(NOW_MS - DAY_MS)).toMatchObject({ actions: [{ kind: 'unlink-archive', file: 'd' }], announceUnlink: undefined });
  });

  it('archives old orphans, unlinks old blobs and temps, and leaves the young', () => {
    const files = [file('o', 'orphan-transcript', 31 * DAY_MS), file('y', 'orphan-transcript', 29 * DAY_MS), file('b', 'orphan-prompt-blob', 31 * DAY_MS), file('t', 'stale-temp', 6 * MINUTE_MS), file('u', 'stale-temp', 4 * MINUTE_MS)];
    const found = plan({ files });
    expect(found.actions.map(({ kind, file: name }) => [kind, name])).toEqual([['archive-orphan', 'o'], ['unlink-blob', 'b'], ['unlink-temp', 't']]);
    expect(found.counts.unreferencedArtifacts).toEqual({ scannedFiles: 5, removedFiles: 3, freedBytes: 200, olderThanMs: 30 * DAY_MS, archivedBytes: 100 });
    expect(plan({ files, maintenance: { pruneAfterMs: 0 } }).actions).toEqual([]);
  });

  it('meets a budget from old archives alone in one run', () => {
    const files = [file('new', 'archive-reset', 2 * HOUR_MS, 400), file('old', 'archive-reset', 9 * DAY_MS, 400), file('older', 'archive-bak', 10 * DAY_MS, 400)];
    const found = plan({ rows: [row('r', DAY_MS)], files, maintenance: { maxDiskBytes: 1_000, highWaterBytes: 800 } });
    expect(found.actions.map((action) => action.file)).toEqual(['older', 'old']);
    expect(found.counts.diskBudget).toMatchObject({ totalBytesBefore: 1_300, totalBytesAfter: 500, freedBytes: 800, pendingBytes: 0, overBudget: false });
  });

  it('archives orphans, then the oldest sessions, frees them an hour later, and takes nothing more meanwhile', () => {
    const rows = [row('young', HOUR_MS, { bytes: 500 }), row('old', 3 * DAY_MS, { bytes: 500 }), row('kept', 9 * DAY_MS, { bytes: 500, protections: ['pointer'] })];
    const files = [file('orphan', 'orphan-transcript', DAY_MS, 300)];
    const maintenance = { maxDiskBytes: 1_500, highWaterBytes: 1_000 };
    const first = plan({ rows, files, maintenance });
    expect(first.actions.map(({ kind, key, file: name }) => [kind, key?.slice(-3) ?? name])).toEqual([['archive-orphan', 'orphan'], ['evict-budget', 'old']]);
    expect(first.counts.diskBudget).toMatchObject({ pendingBytes: 800, overBudget: true, removedEntries: 1, freedBytes: 0 });
    const archived = [file('a', 'archive-deleted', 0, 300), file('b', 'archive-deleted', 0, 500)];
    const left = rows.filter(({ key }) => !key.endsWith('old'));
    expect(plan({ rows: left, files: archived.map((each) => ({ ...each, mtimeMs: NOW_MS - MINUTE_MS, stampAtMs: NOW_MS - MINUTE_MS })), maintenance })).toMatchObject({ actions: [], counts: { diskBudget: { pendingBytes: 800, overBudget: true } } });
    const later = plan({ rows: left, files: archived.map((each) => ({ ...each, mtimeMs: NOW_MS - HOUR_MS, stampAtMs: NOW_MS - HOUR_MS })), maintenance });
    expect(later.counts.diskBudget).toMatchObject({ overBudget: false, totalBytesAfter: 1_000, pendingBytes: 0 });
  });

  it('does only what flags ask for under warn, and shows all of it in a dry run', () => {
    expect([stepsFor('warn', {}), stepsFor('warn', { enforce: true }), stepsFor('warn', { dryRun: true }), stepsFor('enforce', {})]).toEqual(['asked', 'all', 'all', 'all']);
    expect(plan({ rows: rowsOf(600, () => 99 * DAY_MS), files: [file('a', 'archive-reset', 99 * DAY_MS)], maintenance: { maxDiskBytes: 1 } }, { steps: 'asked' }).actions).toEqual([]);
  });

  it('makes no plan for a store that cannot be read, nor without the time', () => {
    const facts = factsOf([]);
    expect(() => plan({}, { facts: { ...facts, totals: { ...facts.totals, refusal: 'STORE_UNREADABLE' } } })).toThrow(SessionError);
    expect(() => plan({}, { nowMs: Number.NaN })).toThrow(SessionError);
  });

  it('gives the owner what each action expects', () => {
    const [action] = plan({ rows: [row('old', 31 * DAY_MS)] }).actions;
    expect(action).toEqual({ kind: 'prune-stale', reason: 'older-than-limit', key: 'agent:main:telegram:direct:old', expectedSessionId: 'old', expectedUpdatedAtMs: NOW_MS - 31 * DAY_MS, bytes: 100 });
    expect(plan({ files: [file('o', 'orphan-transcript', 31 * DAY_MS)] }).actions[0]).toEqual({ kind: 'archive-orphan', reason: 'unreferenced', file: 'o', expectedSizeBytes: 100, expectedMtimeMs: NOW_MS - 31 * DAY_MS, bytes: 100 });
  });

  it('tells of every row, newest first, with counts by label', () => {
    const rows = [row('old', 31 * DAY_MS, { label: 'b' }), row('new', HOUR_MS, { label: 'b' }), row('mid', DAY_MS, { model: 'm' })];
    expect(planTable(plan({ rows }), NOW_MS)).toMatchObject({
      rows: [{ action: 'keep', reason: 'within-limits', ageMs: HOUR_MS }, { action: 'keep', model: 'm' }, { action: 'prune-stale', reason: 'older-than-limit' }],
      labels: [{ label: '(unlabeled)', kept: 1, pruned: 0 }, { label: 'b', kept: 1, pruned: 1 }],
      total: { kept: 2, pruned: 1 },
    });
  });
});

describe('judgeTranscript', () => {
  const lines = (...texts: string[]) => texts.map((text, index) => parseTranscriptLine(text, index + 1));
  const header = '{"type":"session","version":3,"id":"x"}';
  const judge = (texts: string[], more: object = {}) => judgeTranscript({ found: 'at-session-file', sizeBytes: texts.join('\n').length, lines: lines(...texts), endsClean: true, ...more });

  it('calls empty only what holds valid lines and no message', () => {
    expect(judge([])).toBe('header-only');
    expect(judge([header, '', '{"type":"model_change","id":"1"}'])).toBe('header-only');
    expect(judge([header, '{"role":"user","content":"hi"}'])).toBe('present');
    expect(judge([header, '{"type":"message","id":"1","message":{"role":"user"}}', '{torn'])).toBe('present');
    expect(judge([header, '{torn'])).toBe('unreadable');
    expect(judge([header], { endsClean: false })).toBe('unreadable');
    expect(judge([header], { sizeBytes: 4_097 })).toBe('unreadable');
    expect(judge([header], { sizeBytes: 4_097, lines: undefined })).toBe('present');
    expect(judge([], { found: 'nowhere' })).toBe('missing');
    expect(judge([header], { found: 'error' })).toBe('unreadable');
    expect(judge([header, '{"role":"user"}'], { found: 'at-canonical-name' })).toBe('misplaced');
  });
});

describe('sub-agents', () => {
  const settings = { archiveAfterMinutes: 60, archiveKept: false };
  const child = (more: Partial<FactRow>): FactRow => row('c', 0, { key: 'agent:main:subagent:c', archiveAtMs: NOW_MS, ...more });

  it('are archived when their time has come, unless they were to be kept or somebody waits for them', () => {
    const due = (one: FactRow, more = {}) => planSubagentArchives([one], { ...settings, ...more }, NOW_MS).length;
    expect(due(child({}))).toBe(1);
    expect(due(child({ cleanup: 'delete' }))).toBe(1);
    expect(due(child({ archiveAtMs: NOW_MS + 1 }))).toBe(0);
    expect(due(child({ archiveAtMs: undefined }))).toBe(0);
    expect(due(child({ cleanup: 'keep' }))).toBe(0);
    expect(due(child({ cleanup: 'keep' }), { archiveKept: true })).toBe(1);
    expect(due(child({ cleanup: 'keep', isPersistentChild: true }), { archiveKept: true })).toBe(0);
    expect(due(child({}), { archiveAfterMinutes: 0 })).toBe(0);
    for (const protection of ['running', 'undelivered', 'held', 'recent'] as const) expect(due(child({ protections: [protection] }))).toBe(0);
    // Whatever time stands in its row: a person opened it, or writes there.
    for (const key of ['agent:main:telegram:direct:1', 'agent:main:dashboard:0b7c8a52-9f2e-4d0a-9b55-0c1f6f3e7a11', 'agent:main:explicit:lab', 'agent:main:main']) expect(due(child({ key, cleanup: 'delete' }))).toBe(0);
  });

  it('have a time to be archived only when there is one', () => {
    expect(subagentArchiveAtMs({}, NOW_MS, settings)).toBe(NOW_MS + HOUR_MS);
    expect(subagentArchiveAtMs({ cleanup: 'keep' }, NOW_MS, settings)).toBeUndefined();
    expect(subagentArchiveAtMs({}, NOW_MS, { ...settings, archiveAfterMinutes: 0 })).toBeUndefined();
  });
});
