/** Facts for plans, and actions of plans, through the whole service. */
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { createClient, createSubjects } from '@sessions/bus';
import { ApplyMaintenanceRequest, MaintenanceAction, ReadFactsRequest, StoreServiceRestoreSessionRequest, StoreServiceService, type FactFile, type FactRow, type StoreTotals } from '@sessions/contracts';
import { AUTOMATIC_ACTOR_PREFIX } from '@sessions/domain';
import { bench, cleanUpBenches, newStateDir, restart, sessionsDir, type Bench } from '../testing/writer-bench';

cleanUpBenches();

const DAY_MS = 24 * 60 * 60_000;
const nowMs = Date.now();
const header = (id: string): string => `${JSON.stringify({ type: 'session', version: 3, id })}\n`;
const message = `${JSON.stringify({ type: 'message', id: 'aaaaaaaa', parentId: null, message: { role: 'user', content: 'x' } })}\n`;

interface Seed {
  readonly [key: string]: { readonly sessionId: string; readonly ageDays: number; readonly text?: string; readonly [member: string]: unknown };
}

async function seeded(seed: Seed, more: Record<string, string> = {}): Promise<Bench> {
  const stateDir = newStateDir();
  const dir = sessionsDir(stateDir);
  mkdirSync(dir, { recursive: true });
  const entries: Record<string, unknown> = {};
  for (const [key, { ageDays, text, ...members }] of Object.entries(seed)) {
    entries[key] = { ...members, updatedAt: nowMs - ageDays * DAY_MS };
    if (text !== '') writeFileSync(path.join(dir, `${members.sessionId}.jsonl`), text ?? header(members.sessionId) + message);
  }
  writeFileSync(path.join(dir, 'sessions.json'), JSON.stringify(entries, null, 2));
  for (const [name, text] of Object.entries(more)) {
    writeFileSync(path.join(dir, name), text);
    utimesSync(path.join(dir, name), new Date(nowMs - 40 * DAY_MS), new Date(nowMs - 40 * DAY_MS));
  }
  return bench({ stateDir });
}

async function facts(made: Bench, members: Partial<ReadFactsRequest>): Promise<{ totals: StoreTotals | undefined; rows: FactRow[]; files: FactFile[] }> {
  const found: { totals: StoreTotals | undefined; rows: FactRow[]; files: FactFile[] } = { totals: undefined, rows: [], files: [] };
  for await (const { item } of made.client.readFacts(ReadFactsRequest.create({ agentId: 'main', nowAtMs: nowMs, ...members }))) {
    if (item?.$case === 'totals') found.totals = item.value;
    if (item?.$case === 'rows') found.rows.push(...item.value.rows);
    if (item?.$case === 'files') found.files.push(...item.value.files);
  }
  return found;
}

const apply = (made: Bench, actions: Partial<MaintenanceAction>[], idempotencyKey?: string) =>
  made.client.applyMaintenance(
    ApplyMaintenanceRequest.create({ agentId: 'main', planId: 'p', batch: 1, actions: actions.map((action) => MaintenanceAction.create(action)) }),
    ...(idempotencyKey === undefined ? [] : [{ idempotencyKey }]),
  );

/** The same of a run that nobody asked for. */
const applyUnasked = (made: Bench, actions: Partial<MaintenanceAction>[]) => {
  const client = createClient(made.bus, StoreServiceService, { caller: `${AUTOMATIC_ACTOR_PREFIX}one`, subject: (method) => createSubjects().store('main', method) });
  return apply({ ...made, client }, actions);
};

const of = ({ key, sessionId, updatedAtMs }: FactRow, kind: string): Partial<MaintenanceAction> => ({ kind, key, expectedSessionId: sessionId, expectedUpdatedAtMs: updatedAtMs });
const names = (made: Bench): string[] => readdirSync(sessionsDir(made.stateDir)).sort();

/** What is old and free, and what is old and stays. */
const AGED = { pruneBeforeAtMs: nowMs - 30 * DAY_MS, overAgeBeforeAtMs: nowMs - 30 * DAY_MS };

const STORE: Seed = {
  'agent:main:main': { sessionId: 's-main', ageDays: 90 },
  'agent:main:explicit:old': { sessionId: 's-old', ageDays: 60 },
  'agent:main:explicit:older': { sessionId: 's-older', ageDays: 70 },
  'agent:main:explicit:young': { sessionId: 's-young', ageDays: 2 },
  'agent:main:telegram:group:-1': { sessionId: 's-group', ageDays: 80 },
  'agent:main:explicit:empty': { sessionId: 's-empty', ageDays: 3, text: header('s-empty') },
  'agent:main:explicit:gone': { sessionId: 's-gone', ageDays: 3, text: '' },
  'agent:main:explicit:running': { sessionId: 's-running', ageDays: 60, status: 'running' },
};

describe('facts', () => {
  it('count everything and give the candidates with their protections, oldest first', async () => {
    const made = await seeded(STORE);
    const { totals, rows } = await facts(made, AGED);
    expect(totals).toMatchObject({ rowCount: 8, protectedRowCount: 3, refusal: undefined });
    expect(totals?.protectedRows).toEqual([
      { protection: 'running', rowCount: 1, overAgeCount: 1 },
      { protection: 'main', rowCount: 1, overAgeCount: 1 },
      { protection: 'pointer', rowCount: 1, overAgeCount: 1 },
    ]);
    expect(rows.map(({ key, protections, candidateFor }) => [key.slice('agent:main:'.length), protections, candidateFor])).toEqual([
      ['main', ['main'], ['exception']],
      ['telegram:group:-1', ['pointer'], ['exception']],
      ['explicit:older', [], ['age']],
      ['explicit:running', ['running'], ['exception']],
      ['explicit:old', [], ['age']],
    ]);
    expect(rows.every(({ bytes, entryBytes }) => bytes > 0 && (entryBytes ?? 0) > 0)).toBe(true);
  });

  it('sum up what the store weighs for a disk budget', async () => {
    const made = await seeded(STORE, { 'x.jsonl.deleted.2026-01-01T00-00-00.000Z': 'gone\n', 'unknown.txt': 'ours?' });
    const { totals } = await facts(made, { evictBytes: Number.MAX_SAFE_INTEGER });
    const sizes = names(made).flatMap((name) => (statSync(path.join(sessionsDir(made.stateDir), name)).isFile() ? [statSync(path.join(sessionsDir(made.stateDir), name)).size] : []));
    expect(totals).toMatchObject({ totalBytes: sizes.reduce((sum, bytes) => sum + bytes, 0), fileCount: sizes.length, archiveBytes: 5 });
  });

  it('name a few of the many rows that a protection keeps, oldest first, and count them all', async () => {
    const groups = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`agent:main:telegram:group:g${String(index)}`, { sessionId: `g${String(index)}`, ageDays: 40 + (index % 4) }]));
    const { totals, rows } = await facts(await seeded({ ...STORE, ...groups }), { ...AGED, maxEntries: 3 });
    expect(totals?.protectedRows).toContainEqual({ protection: 'pointer', rowCount: 13, overAgeCount: 13 });
    // As old as the fifth are two more; and of the cap, which nothing can keep, there is none.
    expect(rows.filter(({ protections }) => protections.includes('pointer')).map(({ key }) => key.slice('agent:main:telegram:group:'.length))).toEqual(['-1', 'g11', 'g7', 'g3', 'g10', 'g6', 'g2']);
    expect(rows.some(({ candidateFor }) => candidateFor.includes('cap'))).toBe(false);
  });

  it('give as many of the oldest free rows as are past the cap', async () => {
    const made = await seeded(STORE);
    const { rows } = await facts(made, { maxEntries: 6 });
    expect(rows.map(({ key }) => key)).toEqual(['agent:main:explicit:older', 'agent:main:explicit:old']);
  });

  it('say of transcripts what they are, and find files that nothing names', async () => {
    const made = await seeded(STORE, {
      'orphan.jsonl': header('orphan') + message,
      's-old.trajectory.jsonl': '{}\n',
      'x.jsonl.deleted.2026-01-01T00-00-00.000Z': 'gone\n',
    });
    const { rows, files } = await facts(made, { missingRows: true, fileClasses: ['orphan-transcript', 'orphan-trajectory', 'archive-deleted'] });
    expect(rows.map(({ key, transcriptState }) => [key, transcriptState]).sort()).toEqual([['agent:main:explicit:empty', 'header-only'], ['agent:main:explicit:gone', 'missing']]);
    expect(files.map(({ name, fileClass }) => [name, fileClass]).sort()).toEqual([['orphan.jsonl', 'orphan-transcript'], ['x.jsonl.deleted.2026-01-01T00-00-00.000Z', 'archive-deleted']]);
  });

  it('can be left in the middle', async () => {
    const made = await seeded(STORE);
    for await (const { item } of made.client.readFacts(ReadFactsRequest.create({ agentId: 'main', nowAtMs: nowMs, maxEntries: 1 }))) {
      expect(item?.$case).toBe('totals');
      break;
    }
    await made.stop();
  });
});

describe('actions', () => {
  it('archive rows with their files, and each comes back', async () => {
    const made = await seeded(STORE, { 's-old.trajectory.jsonl': '{}\n' });
    const { rows } = await facts(made, AGED);
    const { results, rowCount } = await apply(made, rows.map((row) => of(row, 'prune-stale')));
    expect(results.map(({ outcome, reason }) => [outcome, reason])).toEqual([
      ['skipped', 'protected'],
      ['skipped', 'protected'],
      ['done', undefined],
      ['skipped', 'protected'],
      ['done', undefined],
    ]);
    expect(rowCount).toBe(6);
    expect(results[4]?.archivedBytes).toBe(rows[4]?.bytes);
    expect(names(made).filter((name) => name.startsWith('s-old.') && !name.includes('.deleted.'))).toEqual([]);
    expect(made.events.filter(({ body }) => body?.$case === 'changed').map(({ body, sessionKey }) => [body?.$case === 'changed' && body.value.reason, sessionKey])).toEqual([['cleanup', undefined]]);
    const back = await made.client.restoreSession(StoreServiceRestoreSessionRequest.create({ agentId: 'main', key: 'agent:main:explicit:old' }));
    expect(back.restored).toHaveLength(2);
    expect(readFileSync(path.join(sessionsDir(made.stateDir), 's-old.jsonl'), 'utf8')).toBe(header('s-old') + message);
  });

  it('are skipped when the row changed since the plan, and answered once', async () => {
    const made = await seeded(STORE);
    const { rows } = await facts(made, AGED);
    const old = rows.find(({ key }) => key.endsWith(':old')) as FactRow;
    const stale = { ...of(old, 'prune-stale'), expectedUpdatedAtMs: (old.updatedAtMs ?? 0) - 1 };
    expect((await apply(made, [stale, { ...of(old, 'prune-stale'), expectedSessionId: 'other' }, { kind: 'prune-stale', key: 'agent:main:none' }, { kind: 'unlink-blob', file: 'skills-prompts/x' }])).results.map(({ reason }) => reason)).toEqual(['changed', 'changed', 'gone', 'unsupported']);
    const first = await apply(made, [of(old, 'prune-stale')], 'batch-1');
    expect((await apply(made, [of(old, 'prune-stale')], 'batch-1')).results).toEqual(first.results);
    await expect(apply(made, Array.from({ length: 201 }, () => stale))).rejects.toMatchObject({ reason: 'VALIDATION' });
  });

  it('take rows without a conversation, and none that has one', async () => {
    const made = await seeded(STORE);
    const { rows } = await facts(made, { missingRows: true, pruneBeforeAtMs: nowMs - 30 * DAY_MS });
    const byKey = (end: string): FactRow => rows.find(({ key }) => key.endsWith(end)) as FactRow;
    const { results } = await apply(made, [of(byKey(':empty'), 'prune-missing'), of(byKey(':gone'), 'prune-missing'), of(byKey(':old'), 'prune-missing')]);
    expect(results.map(({ outcome, reason }) => [outcome, reason])).toEqual([['done', undefined], ['done', undefined], ['skipped', 'changed']]);
    expect(names(made).some((name) => name.startsWith('s-empty.jsonl.deleted.'))).toBe(true);
  });

  it('take rows that name no session which can be used, as planned, and each comes back as it was', async () => {
    const ids: Record<string, unknown> = { none: undefined, nothing: null, empty: '', path: '../../x', number: 42 };
    const made = await seeded(Object.fromEntries(Object.entries(ids).map(([name, sessionId]) => [`agent:main:explicit:${name}`, { sessionId: sessionId as string, ageDays: 60, text: '' }])));
    const read = (): Record<string, Record<string, unknown>> => JSON.parse(readFileSync(path.join(sessionsDir(made.stateDir), 'sessions.json'), 'utf8')) as Record<string, Record<string, unknown>>;
    const before = read();
    const { rows } = await facts(made, { missingRows: true });
    expect(rows).toHaveLength(5);
    expect((await apply(made, rows.map((row) => of(row, 'prune-missing')))).results.map(({ outcome, reason }) => reason ?? outcome)).toEqual(['done', 'done', 'done', 'done', 'done']);
    for (const key of Object.keys(before)) expect((await made.client.restoreSession(StoreServiceRestoreSessionRequest.create({ agentId: 'main', key }))).key).toBe(key);
    await made.stop();
    const after = read();
    for (const [key, entry] of Object.entries(before)) expect(after[key]).toEqual({ ...entry, updatedAt: after[key]?.['updatedAt'] });
  });

  it('archive orphans, and unlink archives that are old enough and nothing else', async () => {
    const young = `y.jsonl.deleted.${new Date(nowMs - 60_000).toISOString().replaceAll(':', '-')}`;
    const old = 'x.jsonl.deleted.2026-01-01T00-00-00.000Z';
    const made = await seeded(STORE, { 'orphan.jsonl': header('orphan') + message, [old]: 'gone\n', [young]: 'young\n', 'sessions.json.1.01234567-0123-0123-0123-0123456789ab.tmp': 'half' });
    const dir = sessionsDir(made.stateDir);
    const size = (name: string): Partial<MaintenanceAction> => ({ file: name, expectedSizeBytes: statSync(path.join(dir, name)).size, expectedMtimeMs: Math.floor(statSync(path.join(dir, name)).mtimeMs) });
    const { results } = await apply(made, [
      { kind: 'archive-orphan', ...size('orphan.jsonl') },
      { kind: 'archive-orphan', ...size('s-old.jsonl') },
      { kind: 'unlink-archive', ...size(old), expectedSizeBytes: 1 },
      { kind: 'unlink-archive', ...size(old) },
      { kind: 'unlink-archive', ...size(young) },
      { kind: 'unlink-archive', file: 's-old.jsonl' },
      { kind: 'unlink-archive', file: '../../secret.jsonl.deleted.2026-01-01T00-00-00.000Z' },
    ]);
    expect(results.map(({ outcome, reason }) => reason ?? outcome)).toEqual(['done', 'protected', 'changed', 'done', 'not-due', 'unsupported', 'damaged']);
    expect(results[3]?.freedBytes).toBe(5);
    expect(existsSync(path.join(dir, old))).toBe(false);
    expect(existsSync(path.join(dir, young))).toBe(true);
    expect(names(made).some((name) => name.startsWith('orphan.jsonl.deleted.'))).toBe(true);
  });
});

describe('announcements', () => {
  const told = (made: Bench): unknown[] => made.events.flatMap(({ body }) => (body?.$case === 'store' && body.value.kind === 'maintenance' ? [JSON.parse(body.value.factsJson?.toString('utf8') ?? '{}') as unknown] : []));
  const aged = async (made: Bench): Promise<FactRow[]> => (await facts(made, { ...AGED, nowAtMs: Date.now() })).rows;

  it('of removals stay with their rows over owners, are told once, and change no age', async () => {
    const made = await seeded(STORE);
    const rows = await aged(made);
    const announce = (row: FactRow): Partial<MaintenanceAction> => ({ ...of(row, 'announce-removal'), notBeforeMs: nowMs + DAY_MS });
    const { results } = await apply(made, rows.map(announce));
    expect(results.map(({ outcome, reason }) => reason ?? outcome)).toEqual(['protected', 'protected', 'done', 'protected', 'done']);
    expect((await apply(made, rows.map(announce))).results.map(({ reason }) => reason)).toEqual(['protected', 'protected', 'announced', 'protected', 'announced']);
    expect(told(made)).toEqual([{ notice: 'removal', sessions: 2, firstAtMs: nowMs + DAY_MS }]);
    const next = await restart(made);
    const known = await aged(next);
    expect(known.map(({ key, updatedAtMs }) => [key, updatedAtMs])).toEqual(rows.map(({ key, updatedAtMs }) => [key, updatedAtMs]));
    expect(known.map(({ removalAnnouncedAtMs }) => removalAnnouncedAtMs !== undefined)).toEqual([false, false, true, false, true]);
    for (const { removalAnnouncedAtMs } of known) if (removalAnnouncedAtMs !== undefined) expect(Date.now() - removalAnnouncedAtMs).toBeLessThan(DAY_MS);
    expect((await apply(next, known.map(announce))).results.some(({ outcome }) => outcome === 'done')).toBe(false);
    expect(told(next)).toEqual([]);
    // What was announced can still be removed, and comes back without its notice.
    const [older] = known.filter(({ key }) => key.endsWith(':older'));
    expect((await apply(next, [of(older as FactRow, 'prune-stale')])).results[0]?.outcome).toBe('done');
    await next.client.restoreSession(StoreServiceRestoreSessionRequest.create({ agentId: 'main', key: 'agent:main:explicit:older' }));
    await next.stop();
    const entries = JSON.parse(readFileSync(path.join(sessionsDir(next.stateDir), 'sessions.json'), 'utf8')) as Record<string, Record<string, unknown>>;
    expect(entries['agent:main:explicit:older']).not.toHaveProperty('removalNotice');
    expect(entries['agent:main:explicit:old']).toMatchObject({ removalNotice: { sessionId: 's-old' }, updatedAt: nowMs - 60 * DAY_MS });
  });

  it('of a bound are told once a store, and no longer needed once a limit has taken one', async () => {
    const made = await seeded(STORE);
    const action: Partial<MaintenanceAction> = { kind: 'announce-bounds', sessionsCount: 3, notBeforeMs: nowMs + DAY_MS };
    expect((await facts(made, { ...AGED, nowAtMs: Date.now() })).totals).toMatchObject({ boundsAnnouncedAtMs: undefined, removedBefore: false });
    expect((await apply(made, [action])).results[0]?.outcome).toBe('done');
    expect((await apply(made, [action])).results[0]).toMatchObject({ outcome: 'skipped', reason: 'announced' });
    expect(told(made)).toEqual([{ notice: 'bounds', sessions: 3, firstAtMs: nowMs + DAY_MS }]);
    const next = await restart(made);
    const { rows, totals } = await facts(next, { ...AGED, nowAtMs: Date.now() });
    expect(totals?.boundsAnnouncedAtMs).toBeGreaterThan(nowMs - 1);
    const old = rows.find(({ key }) => key.endsWith(':old')) as FactRow;
    expect((await applyUnasked(next, [of(old, 'prune-stale')])).results[0]?.outcome).toBe('done');
    expect((await facts(next, { ...AGED, nowAtMs: Date.now() })).totals?.removedBefore).toBe(true);
  });

  it('of a bound are still waited for after a limit has taken what programs made for themselves', async () => {
    const made = await seeded({ 'agent:main:subagent:aa': { sessionId: 's-child', ageDays: 60 }, 'agent:main:cron:job:run:r1': { sessionId: 's-run', ageDays: 60 }, 'agent:main:explicit:old': { sessionId: 's-old', ageDays: 50 } });
    const [child, run, old] = await aged(made);
    expect((await applyUnasked(made, [of(child as FactRow, 'cap-overflow'), of(run as FactRow, 'prune-stale')])).results.map(({ outcome }) => outcome)).toEqual(['done', 'done']);
    expect((await facts(made, { ...AGED, nowAtMs: Date.now() })).totals?.removedBefore).toBe(false);
    expect((await applyUnasked(made, [of(old as FactRow, 'cap-overflow')])).results[0]?.outcome).toBe('done');
    expect((await facts(made, { ...AGED, nowAtMs: Date.now() })).totals?.removedBefore).toBe(true);
  });

  it('of a bound are still waited for after a person had sessions removed', async () => {
    const made = await seeded({ 'agent:main:explicit:old': { sessionId: 's-old', ageDays: 50 }, 'agent:main:explicit:older': { sessionId: 's-older', ageDays: 60 } });
    const rows = await aged(made);
    expect((await apply(made, [of(rows[0] as FactRow, 'cap-overflow')])).results[0]?.outcome).toBe('done');
    expect((await facts(made, { ...AGED, nowAtMs: Date.now() })).totals?.removedBefore).toBe(false);
    expect((await applyUnasked(made, [of(rows[1] as FactRow, 'cap-overflow')])).results[0]?.outcome).toBe('done');
    expect((await facts(made, { ...AGED, nowAtMs: Date.now() })).totals?.removedBefore).toBe(true);
  });

  it('of the first unlinking are told once a store', async () => {
    const made = await seeded(STORE);
    const action: Partial<MaintenanceAction> = { kind: 'announce-unlink', filesCount: 3, bytes: 70 };
    expect((await facts(made, { nowAtMs: Date.now() })).totals?.unlinkAnnouncedAtMs).toBeUndefined();
    expect((await apply(made, [action])).results[0]?.outcome).toBe('done');
    expect((await apply(made, [action])).results[0]).toMatchObject({ outcome: 'skipped', reason: 'announced' });
    expect(told(made)).toEqual([{ notice: 'unlink', files: 3, bytes: 70 }]);
    const next = await restart(made);
    const { totals } = await facts(next, { nowAtMs: Date.now() });
    expect(totals?.unlinkAnnouncedAtMs).toBeGreaterThan(nowMs - 1);
    // A clock that shows less than the notice: it has not begun.
    expect((await facts(next, { nowAtMs: nowMs - DAY_MS })).totals?.unlinkAnnouncedAtMs).toBeUndefined();
  });
});
