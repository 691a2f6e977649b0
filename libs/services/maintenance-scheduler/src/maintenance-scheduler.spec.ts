import { MaintenanceServiceService } from '@sessions/contracts';
import { createClient, createInProcessBus, createSubjects, type Bus, type Leases } from '@sessions/bus';
import { parseConfig, type SessionConfig } from '@sessions/domain';
import { createMetrics, silentLogger } from '@sessions/host';
import { createManualClock, type ManualClock } from '@sessions/host/testing';
import { TICK_MS, createMaintenanceScheduler, type MaintenanceScheduler, type MaintenanceSchedulerDeps } from './index';

const TIMING = { leaseRenewMs: 7_000, leaseTrustMs: 20_000 };
const TTL_MS = 30_000;
const parsed = parseConfig({});
const CONFIG = (parsed as { config: SessionConfig }).config;

describe('the maintenance-scheduler', () => {
  let clock: ManualClock;
  let bus: Bus;
  const running: { scheduler: MaintenanceScheduler; close: () => void }[] = [];
  beforeEach(() => {
    clock = createManualClock(1_700_000_000_000 - (1_700_000_000_000 % TICK_MS));
    bus = createInProcessBus({ clock: { nowMs: clock.nowMs, startTimer: (delayMs, run) => { const timer = clock.setTimer(delayMs, run); return () => timer.cancel(); } } });
  });
  afterEach(async () => {
    for (const { scheduler, close } of running.splice(0)) {
      await scheduler.stop();
      close();
    }
    await bus.close();
  });

  async function start(instance: string, more: Partial<MaintenanceSchedulerDeps> = {}): Promise<{ scheduler: MaintenanceScheduler; text: () => Promise<string> }> {
    const metrics = createMetrics({ service: 'test' });
    const scheduler = createMaintenanceScheduler({ bus, clock, logger: silentLogger, metrics, config: () => CONFIG, instance, timing: TIMING, ...more });
    await scheduler.start();
    running.push({ scheduler, close: () => metrics.close() });
    return { scheduler, text: () => metrics.text() };
  }
  const schedule = () => {
    const subjects = createSubjects();
    return createClient(bus, MaintenanceServiceService, { subject: (method) => subjects.maintenance(method), caller: 'service:test/1' });
  };

  it('has one leader among its copies; each says who it is', async () => {
    const { scheduler: first } = await start('one');
    const { scheduler: second } = await start('two');
    expect([first.isLeader(), second.isLeader()]).toEqual([true, false]);
    expect((await schedule().getSchedule({})).leader).toBe('maintenance-scheduler/one');
    await clock.advance(10 * TIMING.leaseRenewMs);
    expect([first.isLeader(), second.isLeader()]).toEqual([true, false]);
  });

  it('ticks at each full minute, on the leader only', async () => {
    const ticks: [string, number][] = [];
    const ticking = (name: string) => ({ onTick: (nowMs: number) => (ticks.push([name, nowMs]), Promise.resolve()) });
    const startedAtMs = clock.nowMs();
    const { text } = await start('one', ticking('one'));
    await start('two', ticking('two'));
    await clock.advance(3 * TICK_MS);
    expect(ticks).toEqual([1, 2, 3].map((turn) => ['one', startedAtMs + turn * TICK_MS]));
    expect(await text()).toMatch(/sessions_maintenance_ticks_total\{outcome="ok",.*\} 3/u);
  });

  it('hands over at once when it stops in order', async () => {
    const { scheduler: first } = await start('one');
    const { scheduler: second } = await start('two');
    await first.drain();
    expect(first.isLeader()).toBe(false);
    expect((await schedule().getSchedule({})).leader).toBeUndefined();
    await clock.advance(TIMING.leaseRenewMs);
    expect(second.isLeader()).toBe(true);
  });

  it('steps down at once when its lease is another\'s, and tells the tick under way', async () => {
    let told = false;
    const { scheduler } = await start('one', {
      onTick: (_nowMs, signal) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => { told = true; reject(new Error('told')); })),
    });
    await clock.advance(TICK_MS);
    const lease = await bus.leases.read('leader.maintenance');
    if (lease === undefined) throw new Error('no lease');
    await bus.leases.release(lease);
    await bus.leases.acquire('leader.maintenance', { ...lease.holder, instance: 'maintenance-scheduler/other', epoch: lease.holder.epoch + 1 });
    await clock.advance(TIMING.leaseRenewMs);
    expect(scheduler.isLeader()).toBe(false);
    expect(told).toBe(true);
  });

  it('rides out a bucket that is away for a while, and steps down before its lease could be another\'s', async () => {
    let away = false;
    const leases: Leases = { ...delegate(bus.leases), renew: (lease) => (away ? Promise.reject(new Error('away')) : bus.leases.renew(lease)) };
    const { scheduler } = await start('one', { bus: { ...bus, leases } });
    away = true;
    await clock.advance(10_000);
    expect(scheduler.isLeader()).toBe(true);
    away = false;
    await clock.advance(TIMING.leaseRenewMs);
    away = true;
    await clock.advance(TIMING.leaseTrustMs);
    expect(scheduler.isLeader()).toBe(false);
    const { scheduler: second } = await start('two');
    await clock.advance(TTL_MS);
    expect(second.isLeader()).toBe(true);
  });

  it('steps down while a renewal hangs', async () => {
    const leases: Leases = { ...delegate(bus.leases), renew: () => new Promise(() => undefined) };
    const { scheduler } = await start('one', { bus: { ...bus, leases } });
    await clock.advance(TIMING.leaseTrustMs + TIMING.leaseRenewMs);
    expect(scheduler.isLeader()).toBe(false);
  });

  it('takes no second tick while one is under way, and counts a failed one', async () => {
    let fail: (error: Error) => void = () => undefined;
    const { text } = await start('one', { onTick: () => new Promise((_resolve, reject) => (fail = reject)) });
    await clock.advance(2 * TICK_MS);
    fail(new Error('no'));
    await clock.advance(1);
    const metrics = await text();
    expect(metrics).toMatch(/ticks_total\{outcome="skipped",.*\} 1/u);
    expect(metrics).toMatch(/ticks_total\{outcome="failed",.*\} 1/u);
  });
});

function delegate(leases: Leases): Leases {
  return {
    acquire: (key, holder) => leases.acquire(key, holder),
    renew: (lease) => leases.renew(lease),
    release: (lease) => leases.release(lease),
    read: (key) => leases.read(key),
    list: (prefix) => leases.list(prefix),
  };
}
