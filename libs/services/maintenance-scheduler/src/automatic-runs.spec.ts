/** What the leader begins by itself, against an owner that answers from memory, on a clock that the test moves. */
import { ApplyMaintenanceResponse, ActionResult, Event, FactRow, FactRows, MaintenanceServiceService, ProtectedRows, StoreServiceService, StoreTotals, type ApplyMaintenanceRequest, type ReadFactsRequest } from '@sessions/contracts';
import { createClient, createInProcessBus, createSubjects, serveService, type Bus } from '@sessions/bus';
import { parseConfig, type SessionConfig } from '@sessions/domain';
import { createMetrics, silentLogger, type Logger, type Metrics, type Service } from '@sessions/host';
import { createManualClock, type ManualClock } from '@sessions/host/testing';
import { TICK_MS, createMaintenanceScheduler } from './index';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const PEER = 'agent:main:telegram:direct:1';
const CRON_RUN = 'agent:main:cron:job:run:r1';
const CHILD = 'agent:main:subagent:c1';
const subjects = createSubjects();

function configOf(maintenance: Record<string, unknown>): SessionConfig {
  const parsed = parseConfig({ session: { maintenance } });
  if (!parsed.ok) throw new Error('config');
  return parsed.config;
}

describe('automatic maintenance', () => {
  let clock: ManualClock;
  let bus: Bus;
  let rows: Map<string, FactRow>;
  let asked: ReadFactsRequest[];
  let applied: ApplyMaintenanceRequest[];
  let told: Record<string, unknown>[];
  let bounds: { boundsAnnouncedAtMs?: number; removedBefore: boolean };
  let warnings: string[];
  let lines: unknown[][];
  let metrics: Metrics;
  const services: Service[] = [];

  beforeEach(async () => {
    clock = createManualClock(1_700_000_000_000 - (1_700_000_000_000 % TICK_MS));
    bus = createInProcessBus({ clock: { nowMs: clock.nowMs, startTimer: (delayMs, run) => { const timer = clock.setTimer(delayMs, run); return () => timer.cancel(); } } });
    bounds = { removedBefore: false };
    [rows, asked, applied, told, warnings, lines] = [new Map<string, FactRow>(), [], [], [], [], []];
    const pool = { listAgents: () => Promise.resolve({ agents: [{ agentId: 'main', name: undefined, storePath: '/s', hasStore: true, configured: true, isDefault: true }] }) };
    await serveService(bus, StoreServiceService, pool, { subjectFor: (method) => subjects.storePool(method), queueGroup: 'pool' });
    const owner = {
      async *readFacts(request: ReadFactsRequest) {
        asked.push(request);
        yield { item: { $case: 'totals' as const, value: StoreTotals.create({ ...bounds, epoch: 3, storePath: '/s', rowCount: rows.size, protectedRowCount: [...rows.values()].filter(({ protections }) => protections.length > 0).length, protectedRows: protectedRows(request) }) } };
        await Promise.resolve();
        yield { item: { $case: 'rows' as const, value: FactRows.create({ rows: [...rows.values()] }) } };
      },
      applyMaintenance(request: ApplyMaintenanceRequest) {
        applied.push(request);
        const results = request.actions.map(({ kind, key, notBeforeMs }) => {
          const row = rows.get(key ?? '');
          if (kind === 'announce-bounds') {
            bounds = { ...bounds, boundsAnnouncedAtMs: clock.nowMs() };
            told.push({ kind, notBeforeMs });
            return ActionResult.create({ outcome: 'done' });
          }
          if (kind === 'cap-overflow' && row !== undefined) bounds = { ...bounds, removedBefore: true };
          if (kind !== 'announce-removal' || row === undefined) return removed(key);
          row.removalAnnouncedAtMs = clock.nowMs();
          told.push({ key, notBeforeMs });
          return ActionResult.create({ outcome: 'done' });
        });
        return Promise.resolve(ApplyMaintenanceResponse.create({ results, rowCount: rows.size }));
      },
    };
    const protectedRows = ({ overAgeBeforeAtMs = 0 }: ReadFactsRequest): ProtectedRows[] =>
      ['running', 'pointer'].flatMap((protection) => {
        const kept = [...rows.values()].filter(({ protections }) => protections[0] === protection);
        return kept.length === 0 ? [] : [ProtectedRows.create({ protection, rowCount: kept.length, overAgeCount: kept.filter(({ updatedAtMs = 0 }) => updatedAtMs < overAgeBeforeAtMs).length })];
      });
    const removed = (key: string | undefined): ActionResult => (rows.delete(key ?? '') ? ActionResult.create({ outcome: 'done' }) : ActionResult.create({ outcome: 'skipped', reason: 'gone' }));
    await serveService(bus, StoreServiceService, owner, { subjectFor: (method) => subjects.store('main', method) });
  });
  afterEach(async () => {
    for (const service of services.splice(0)) await service.stop();
    await bus.close();
  });

  const logger: Logger = { ...silentLogger, child: () => logger, warn: (message: string, fields?: unknown) => (warnings.push(message), void lines.push(['warn', message, fields])), info: (message: string, fields?: unknown) => void lines.push(['info', message, fields]) };
  async function start(config: SessionConfig, isSuspended = false, instance = 'one'): Promise<void> {
    metrics = createMetrics({ service: `test-${instance}` });
    const scheduler = createMaintenanceScheduler({ bus, clock, logger, metrics, config: () => config, instance, isSuspended: () => isSuspended });
    services.push(scheduler);
    await scheduler.start();
  }
  const put = (key: string, ageMs: number, members: Partial<FactRow> = {}): void => void rows.set(key, FactRow.create({ key, sessionId: `s-${key}`, updatedAtMs: clock.nowMs() - ageMs, ...members }));
  /** A minute at a time, as time passes. */
  async function pass(spanMs: number): Promise<void> {
    for (const endMs = clock.nowMs() + spanMs; clock.nowMs() < endMs; ) {
      await clock.advance(TICK_MS);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  it('gives notice a day before it first archives a conversation for its age; what programs made goes at once', async () => {
    put(PEER, 40 * DAY_MS);
    put(CRON_RUN, 40 * DAY_MS);
    await start(configOf({ mode: 'enforce' }));
    await pass(2 * HOUR_MS);
    expect([...rows.keys()]).toEqual([PEER]);
    expect(told.map(({ key }) => key)).toEqual([PEER]);
    expect(warnings.filter((message) => message.includes('will be archived'))).toHaveLength(1);
    await pass(22 * HOUR_MS);
    expect([...rows.keys()]).toEqual([PEER]);
    await pass(3 * HOUR_MS);
    expect(rows.size).toBe(0);
    expect(told).toHaveLength(1);
  });

  it.each(['enforce', 'warn'])('says under %s what stays over a limit and why: in its report, once a day in the log, and in a metric', async (mode) => {
    put('agent:main:slack:channel:c1', 90 * DAY_MS, { protections: ['pointer'] });
    put('agent:main:slack:channel:c2', 91 * DAY_MS, { protections: ['pointer'] });
    put('agent:main:slack:channel:c3', DAY_MS, { protections: ['running', 'pointer'] });
    await start(configOf({ mode, maxEntries: 1 }));
    await pass(4 * HOUR_MS);
    const client = createClient(bus, MaintenanceServiceService, { caller: 'client:test', subject: (method) => subjects.maintenance(method) });
    const [store] = (await client.getSchedule({})).stores;
    const places = { rowCount: 2, keys: ['agent:main:slack:channel:c2', 'agent:main:slack:channel:c1'] };
    expect(store?.lastReport?.exceptions).toEqual([
      { bound: 'age', protection: 'pointer', ...places },
      { bound: 'count', protection: 'running', rowCount: 1, keys: ['agent:main:slack:channel:c3'] },
      { bound: 'count', protection: 'pointer', ...places },
    ]);
    const kept = (): unknown[] => lines.filter(([, message]) => /stay over a limit|is not kept/u.test(String(message))).map(([level, , fields]) => [level, fields]);
    const said = [
      ['info', { agentId: 'main', reason: 'age.pointer', count: 2 }],
      ['warn', { agentId: 'main', reason: 'count.running', count: 1 }],
      ['warn', { agentId: 'main', reason: 'count.pointer', count: 2 }],
    ];
    expect(kept()).toEqual(said);
    await pass(25 * HOUR_MS);
    expect(kept()).toEqual([...said, ...said]);
    const values = (await metrics.text()).split('\n').filter((line) => line.startsWith('sessions_maintenance_kept_rows{') && !line.endsWith(' 0'));
    expect(values.map((line) => line.replace(/,service="[^"]*"|service="[^"]*",/u, ''))).toEqual(['age', 'count', 'count'].map((bound, index) => `sessions_maintenance_kept_rows{bound="${bound}",protection="${index === 1 ? 'running' : 'pointer'}"} ${index === 1 ? '1' : '2'}`));
    expect(applied).toEqual([]);
  });

  it('gives notice before it first archives a conversation for a bound, over takers-over, and keeps the bound at once from then on', async () => {
    const many = (from: number, count: number): void => { for (let one = from; one < from + count; one += 1) put(`agent:main:telegram:direct:${String(one)}`, HOUR_MS + one * 1_000); };
    many(0, 5);
    const config = configOf({ mode: 'enforce', maxEntries: 2 });
    await start(config);
    await pass(13 * HOUR_MS);
    for (const service of services.splice(0)) await service.stop();
    await start(config, false, 'two');
    await pass(9 * HOUR_MS);
    expect(rows.size).toBe(5);
    expect(told).toEqual([{ kind: 'announce-bounds', notBeforeMs: expect.any(Number) as number }]);
    expect(warnings.filter((message) => message.includes('too many'))).toHaveLength(1);
    await pass(4 * HOUR_MS);
    expect(rows.size).toBe(2);
    many(10, 3);
    await pass(2 * HOUR_MS);
    expect(rows.size).toBe(2);
    expect(told).toHaveLength(1);
  });

  it('neither repeats an announcement nor begins its time anew when another copy takes over', async () => {
    put(PEER, 40 * DAY_MS);
    const config = configOf({ mode: 'enforce' });
    for (let copy = 0; copy < 5; copy += 1) {
      await start(config, false, `copy-${String(copy)}`);
      await pass(copy === 4 ? 5 * HOUR_MS : 5 * HOUR_MS + 30 * 60_000);
      expect([...rows.keys()]).toEqual(copy === 4 ? [] : [PEER]);
      for (const service of services.splice(0)) await service.stop();
    }
    expect(told).toHaveLength(1);
    expect(warnings.filter((message) => message.includes('will be archived'))).toHaveLength(1);
  });

  it('waits as long as is configured', async () => {
    put(PEER, 40 * DAY_MS);
    await start(configOf({ mode: 'enforce', removalNotice: '3h' }));
    await pass(2 * HOUR_MS);
    expect([...rows.keys()]).toEqual([PEER]);
    await pass(3 * HOUR_MS);
    expect(rows.size).toBe(0);
  });

  it('does not archive what was used after its notice', async () => {
    put(PEER, 40 * DAY_MS);
    await start(configOf({ mode: 'enforce' }));
    await pass(2 * HOUR_MS);
    put(PEER, 0);
    await pass(3 * DAY_MS);
    expect(applied.flatMap(({ actions }) => actions.map(({ kind }) => kind))).toEqual(['announce-removal']);
  });

  it('changes nothing under warn, says once what it would do, and archives ended sub-agents all the same', async () => {
    put(PEER, 40 * DAY_MS);
    put(CHILD, 2 * HOUR_MS, { archiveAtMs: clock.nowMs() - 1 });
    await start(configOf({}));
    await pass(5 * HOUR_MS);
    expect(applied.flatMap(({ actions }) => actions.map(({ kind, key }) => [kind, key]))).toEqual([['archive-subagent', CHILD]]);
    expect(warnings.filter((message) => message.includes('would change'))).toHaveLength(1);
    expect(told).toEqual([]);
  });

  it('notes what is written before a new leader’s first minute', async () => {
    await start(configOf({ mode: 'enforce' }));
    await clock.advance(1);
    bus.events.publish(subjects.event('main', 'changed', PEER), Event, Event.create({ agentId: 'main', sessionKey: PEER, body: { $case: 'changed', value: { reason: 'patch', phase: undefined, runId: undefined, encodedRow: undefined, previousSessionId: undefined } } }));
    await pass(3 * TICK_MS);
    expect(asked.filter(({ dueArchives }) => !dueArchives).map(({ activeKey }) => activeKey)).toEqual([PEER]);
  });

  it('plans a store that was written to within two minutes, leaves the key of that write alone, and plans no faster', async () => {
    await start(configOf({ mode: 'enforce' }));
    await pass(2 * TICK_MS);
    const plans = (): ReadFactsRequest[] => asked.filter(({ dueArchives }) => !dueArchives);
    const before = plans().length;
    const write = (): void => bus.events.publish(subjects.event('main', 'changed', PEER), Event, Event.create({ agentId: 'main', sessionKey: PEER, body: { $case: 'changed', value: { reason: 'patch', phase: undefined, runId: undefined, encodedRow: undefined, previousSessionId: undefined } } }));
    for (let index = 0; index < 50; index += 1) write();
    await pass(2 * TICK_MS);
    expect(plans().length - before).toBeGreaterThanOrEqual(1);
    expect(plans().length - before).toBeLessThanOrEqual(2);
    expect(plans().at(-1)?.activeKey).toBe(PEER);
    // For that once: nobody wrote to it again.
    const count = plans().length;
    await pass(3 * HOUR_MS);
    expect(plans().length).toBeGreaterThan(count);
    expect(plans().at(-1)?.activeKey).toBeUndefined();
  });

  it('begins nothing while the configuration is suspended, and each job on one copy only', async () => {
    put(CRON_RUN, 40 * DAY_MS);
    const config = configOf({ mode: 'enforce' });
    await start(config, true);
    await pass(3 * HOUR_MS);
    expect(asked).toEqual([]);
    const schedule = createClient(bus, MaintenanceServiceService, { subject: (method) => subjects.maintenance(method), caller: 'test' });
    expect(await schedule.getSchedule({})).toMatchObject({ suspendedReason: 'CONFIG_INVALID', stores: [{ agentId: 'main' }] });
    for (const service of services.splice(0)) await service.drain();
    await start(config, false, 'two');
    await start(config, false, 'three');
    await pass(2 * HOUR_MS);
    expect(applied).toHaveLength(1);
    expect(asked.filter(({ dueArchives }) => !dueArchives).length).toBeLessThanOrEqual(2);
  });

  it('reports a clean-up that is asked for, the dry run as the real one', async () => {
    put(PEER, 40 * DAY_MS);
    await start(configOf({}));
    const client = createClient(bus, MaintenanceServiceService, { subject: (method) => subjects.maintenance(method), caller: 'test' });
    const flags = { agentIds: ['main'], allAgents: false, enforce: true, fixMissing: false, fixDmScope: false, activeKey: undefined };
    const dry = await client.cleanup({ flags, dryRun: true, nowAtMs: undefined });
    const kinds: string[] = [];
    for await (const { item } of client.plan({ flags, nowAtMs: undefined })) if (item?.$case === 'actions') kinds.push(...item.value.actions.map(({ kind }) => kind));
    const real = await client.cleanup({ flags, dryRun: false, nowAtMs: undefined }, { idempotencyKey: 'k' });
    expect(kinds).toEqual(['prune-stale']);
    expect(real.reports[0]).toEqual({ ...dry.reports[0], dryRun: false, applied: true, appliedCount: 0 });
    expect(await client.cleanup({ flags, dryRun: false, nowAtMs: undefined }, { idempotencyKey: 'k' })).toEqual(real);
    expect(applied).toHaveLength(1);
    await expect(client.cleanup({ flags: { ...flags, agentIds: ['nobody'] }, dryRun: true, nowAtMs: undefined })).rejects.toMatchObject({ reason: 'AGENT_UNKNOWN' });
  });
});
