/**
 * A removal is announced once and comes when its time is over, although the copy that announced it dies:
 * two copies of the maintenance-scheduler, an owner with real files, a real nats-server. Time is the
 * test's and runs fast; the lease of the dead copy runs out at the server in its own time.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectNatsBus, createClient, createSubjects, type NatsBus } from '@sessions/bus';
import { startNatsServer, type NatsServer } from '@sessions/bus/testing';
import { ClaimStoreRequest, Event, FieldChange, PatchEntryRequest, StoreServiceService } from '@sessions/contracts';
import { parseConfig, type SessionConfig } from '@sessions/domain';
import { createMetrics, silentLogger, systemClock, type Service } from '@sessions/host';
import { createManualClock, type ManualClock } from '@sessions/host/testing';
import { createMaintenanceScheduler, type MaintenanceScheduler } from '@sessions/maintenance-scheduler';
import { createStoreWriter } from '@sessions/store-writer';
import { waitUntil } from './support/wait-until';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const NOTICE_MS = 3 * 60 * MINUTE_MS;
const OLD = 'agent:main:telegram:direct:old';
const USED = 'agent:main:telegram:direct:used';
/** The dead copy's lease lasts as long, in real time. */
const LEASE_TTL_MS = 3_000;
/** Time that passes between two looks at what came of it. */
const STEP_MS = 20_000;
/** Leases are renewed with the test's time and run out in real time. */
const TIMING = { leaseRenewMs: STEP_MS, leaseTrustMs: DAY_MS };

interface Copy {
  readonly scheduler: MaintenanceScheduler;
  readonly clock: ManualClock;
  readonly bus: NatsBus;
  /** Its clock stands still and its connection is gone: it gives nothing up and does nothing more. */
  isDead: boolean;
}

describe('an announced removal', () => {
  let nats: NatsServer;
  let stateDir: string;
  let nowMs = Date.now();
  const copies: Copy[] = [];
  const buses: NatsBus[] = [];
  const services: Service[] = [];
  beforeEach(async () => {
    stateDir = mkdtempSync(join(tmpdir(), 'announcements-'));
    nats = await startNatsServer();
  }, 60_000);
  afterEach(async () => {
    for (const service of services.splice(0)) await service.stop();
    for (const bus of buses.splice(0)) await bus.close();
    await nats.stop();
    rmSync(stateDir, { recursive: true, force: true });
  });

  const connect = async (service: string, instance: string): Promise<NatsBus> => {
    const bus = await connectNatsBus({ servers: [nats.url], service, instance, provision: true, subjectPrefix: 'sess', timing: { leaseTtlMs: LEASE_TTL_MS } });
    buses.push(bus);
    return bus;
  };
  const startCopy = async (instance: string, config: SessionConfig): Promise<Copy> => {
    const bus = await connect('maintenance-scheduler', instance);
    const clock = createManualClock(nowMs);
    const scheduler = createMaintenanceScheduler({ bus, clock, logger: silentLogger, metrics: createMetrics({ service: `test-${instance}` }), config: () => config, instance, timing: TIMING });
    await scheduler.start();
    const copy = { scheduler, clock, bus, isDead: false };
    copies.push(copy);
    return copy;
  };
  const pass = async (): Promise<void> => {
    nowMs += STEP_MS;
    for (const { clock, isDead } of copies) if (!isDead) await clock.advance(STEP_MS);
  };
  const sessionsDir = (): string => join(stateDir, 'agents', 'main', 'sessions');
  const isArchived = (): boolean => readdirSync(sessionsDir()).some((name) => name.startsWith('s-old.jsonl.deleted.'));

  it('is told once and keeps its time when the leader is killed', async () => {
    const parsed = parseConfig({ session: { maintenance: { mode: 'enforce', pruneAfter: '30d', removalNotice: '3h' } } });
    if (!parsed.ok) throw new Error('config');
    mkdirSync(sessionsDir(), { recursive: true });
    for (const id of ['s-old', 's-used']) writeFileSync(join(sessionsDir(), `${id}.jsonl`), `${JSON.stringify({ type: 'session', version: 3, id })}\n${JSON.stringify({ type: 'message', id: 'aaaaaaaa', parentId: null, message: { role: 'user', content: 'x' } })}\n`);
    writeFileSync(join(sessionsDir(), 'sessions.json'), JSON.stringify({ [OLD]: { sessionId: 's-old', updatedAt: nowMs - 40 * DAY_MS }, [USED]: { sessionId: 's-used', updatedAt: nowMs - DAY_MS } }));

    const bus = await connect('store-writer', 'w1');
    const writer = createStoreWriter({ bus, clock: { ...systemClock, nowMs: () => nowMs }, logger: silentLogger, metrics: createMetrics({ service: 'writer' }), config: () => parsed.config, places: { stateDir, homeDir: stateDir }, instance: 'w1' });
    await writer.start();
    services.push(writer);
    const subjects = createSubjects();
    const told: { readonly atMs: number; readonly facts: unknown }[] = [];
    const listener = await connect('router', 'r1');
    await listener.events.subscribe(subjects.events(), Event, ({ body }) => {
      if (body?.$case === 'store' && body.value.kind === 'maintenance') told.push({ atMs: nowMs, facts: JSON.parse(Buffer.from(body.value.factsJson ?? []).toString('utf8')) });
    });
    const client = createClient(listener, StoreServiceService, { caller: 'client:test', subject: (method, request) => (method === 'ClaimStore' ? subjects.storePool(method) : subjects.store((request as { agentId: string }).agentId, method)) });
    await client.claimStore(ClaimStoreRequest.create({ agentId: 'main' }));
    // A write makes the store due for a plan, soon and not in an hour.
    const write = (label: string): Promise<unknown> => client.patchEntry(PatchEntryRequest.create({ agentId: 'main', key: USED, changes: [FieldChange.create({ name: 'label', valueJson: Buffer.from(JSON.stringify(label)) })], touch: true }), { idempotencyKey: label });

    const first = await startCopy('one', parsed.config);
    const second = await startCopy('two', parsed.config);
    expect([first.scheduler.isLeader(), second.scheduler.isLeader()]).toEqual([true, false]);
    await pass();
    await write('one');
    await waitUntil('the leader has the removal announced', async () => (await pass(), told.length > 0 ? true : undefined));
    first.isDead = true;
    await first.bus.close();
    await waitUntil('the other copy leads', async () => (await pass(), second.scheduler.isLeader() ? true : undefined));
    const announcedAtMs = told[0]?.atMs ?? 0;
    for (let at = 0; !isArchived(); at += 1) {
      // Plans go on all the while; none of them may remove too early or announce again.
      if (at % 10 === 0) await write(`more-${String(at)}`);
      await pass();
      expect(nowMs - announcedAtMs).toBeLessThan(NOTICE_MS + 90 * MINUTE_MS);
    }
    expect(nowMs - announcedAtMs).toBeGreaterThanOrEqual(NOTICE_MS);
    expect(told).toMatchObject([{ facts: { notice: 'removal', sessions: 1 } }]);
    expect(readdirSync(sessionsDir())).toContain('s-used.jsonl');
    services.push(second.scheduler);
  }, 120_000);
});
