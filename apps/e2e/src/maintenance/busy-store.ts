/**
 * For the spec file beside: a store as it is found in the wild, on disk, with its owner and the scheduler
 * that tidies it, both on a clock that the test moves.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { AgentRuntimeService, ListEntriesRequest, MaintenanceServiceService, StoreServiceService, type ArchiveLine, type CleanupReport } from '@sessions/contracts';
import { createClient, createInProcessBus, createSubjects, serveService, type Client, type Served } from '@sessions/bus';
import { parseConfig, type JsonObject, type SessionConfig } from '@sessions/domain';
import { createMetrics, silentLogger, systemClock, type Clock, type Metrics } from '@sessions/host';
import { createManualClock, type ManualClock } from '@sessions/host/testing';
import { TICK_MS, createMaintenanceScheduler, factsRequest, planStore, type StorePlan } from '@sessions/maintenance-scheduler';
import { createStoreWriter } from '@sessions/store-writer';

export const MINUTE_MS = 60_000;
export const DAY_MS = 86_400_000;
export const ENTRIES = 3_197;
export const OVER_AGE = 1_671;
const ARCHIVES_PAGE = 1_000;
/** Longer than any run of the test: nobody's claim is to run out. */
const CLAIM_MS = DAY_MS;

export interface BusyStore {
  readonly clock: ManualClock;
  readonly store: Client<typeof StoreServiceService>;
  /** Moves time on and waits for what the scheduler began meanwhile; a minute that finds it at work falls out. */
  pass(minutes: number): Promise<void>;
  /** What a plan of now would do, from the owner's facts. */
  plan(): Promise<StorePlan['plan']>;
  setBound(maxEntries: number): void;
  /** Somebody is there who works on the run, for owners that look. */
  startRunner(runId: string): Promise<Served>;
  lastReport(): Promise<CleanupReport | undefined>;
  rowCount(): Promise<number>;
  /** Everything that was set aside, oldest first. */
  archives(): Promise<ArchiveLine[]>;
  close(): Promise<void>;
}

export const isPlace = (key: string): boolean => /:(?:channel|thread):/u.test(key);
export const seedKey = (index: number): string =>
  `agent:main:${index % 5 === 0 ? `telegram:direct:${String(index)}` : index % 2 === 0 ? `slack:channel:c${String(index)}` : `discord:channel:c:thread:${String(index)}`}`;
export const seedAgeMs = (index: number): number => (index < OVER_AGE ? 31 * DAY_MS + index * MINUTE_MS : (index % 29) * DAY_MS + 10 * MINUTE_MS);

/** @param members of entries, by index, beside what all have. */
export async function startBusyStore(settings: { readonly maxEntries: number; readonly removalNotice: string }, members: ReadonlyMap<number, JsonObject>): Promise<BusyStore> {
  const clock = createManualClock(Date.now() - (Date.now() % TICK_MS));
  const stateDir = mkdtempSync(path.join(tmpdir(), 'busy-store-'));
  layOut(path.join(stateDir, 'agents', 'main', 'sessions'), clock.nowMs(), members);
  let bound = settings.maxEntries;
  const configOf = (): SessionConfig => {
    const parsed = parseConfig({ agents: { defaults: { model: 'demo/echo', subagents: { archiveKept: true } } }, session: { maintenance: { mode: 'enforce', ...settings, maxEntries: bound } } });
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    return parsed.config;
  };
  let current = configOf();
  const config = (): SessionConfig => current;
  // Calls are given real time: minutes of the test pass while they are under way.
  const bus = createInProcessBus();
  const subjects = createSubjects();
  const [writerMetrics, metrics] = [createMetrics({ service: 'writer' }), createMetrics({ service: 'scheduler' })];
  const shared = { bus, clock, logger: silentLogger, config, instance: 'test' };
  // The owner looks at its open work every second, of which six hours have too many: it has the test's time at real intervals.
  const writerClock: Clock = { nowMs: clock.nowMs, monotonicMs: clock.monotonicMs, setTimer: systemClock.setTimer };
  const writer = createStoreWriter({ ...shared, clock: writerClock, metrics: writerMetrics, places: { stateDir, homeDir: stateDir }, claimMs: CLAIM_MS });
  const ticks = new Ticks(metrics);
  const scheduler = createMaintenanceScheduler({ ...shared, metrics: ticks.metrics });
  await writer.start();
  await scheduler.start();
  const store = createClient(bus, StoreServiceService, { caller: 'client:test', subject: (method) => subjects.store('main', method) });
  const schedule = createClient(bus, MaintenanceServiceService, { caller: 'client:test', subject: (method) => subjects.maintenance(method) });
  return {
    clock,
    store,
    async pass(minutes) {
      await clock.advance(minutes * TICK_MS);
      await ticks.idle();
    },
    async plan() {
      const occasion = { agentId: 'main', config: config(), choice: { enforce: true, dryRun: true, fixMissing: false, fixDmScope: false, activeKey: undefined }, nowMs: clock.nowMs(), asker: 'person' as const };
      return (await planStore(occasion, store.readFacts(factsRequest(occasion)))).plan;
    },
    setBound(maxEntries) {
      bound = maxEntries;
      current = configOf();
    },
    startRunner: (runId) => serveService(bus, AgentRuntimeService, { describe: () => Promise.resolve({}) } as never, { subjectFor: (method) => (method === 'Describe' ? subjects.run(runId, method) : undefined) }),
    lastReport: async () => (await schedule.getSchedule({})).stores.find(({ agentId }) => agentId === 'main')?.lastReport,
    rowCount: async () => (await store.listEntries(ListEntriesRequest.create({ agentId: 'main', countOnly: true }))).totalCount,
    async archives() {
      const found: ArchiveLine[] = [];
      for (let cursor: string | undefined, more = true; more; ) {
        const page = await store.listArchives({ agentId: 'main', key: undefined, cursor, limit: ARCHIVES_PAGE });
        found.push(...page.archives);
        cursor = page.nextCursor;
        more = cursor !== undefined;
      }
      return found.reverse();
    },
    async close() {
      for (const service of [scheduler, writer]) {
        await service.drain();
        await service.stop();
      }
      writerMetrics.close();
      metrics.close();
      await bus.close();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

/** Hears of ticks by what they count. */
class Ticks {
  readonly metrics: Metrics;
  #underWay = 0;
  #failure: string | undefined;
  #heard: () => void = () => undefined;

  constructor(metrics: Metrics) {
    this.metrics = {
      ...metrics,
      gauge: (name, help, labels = []) => {
        const made = metrics.gauge(name, help, labels);
        if (name !== 'sessions_maintenance_last_tick_timestamp_seconds') return made;
        return new Proxy(made, { get: (target, member) => (member === 'set' ? (...values: [number]) => (target.set(...values), (this.#underWay += 1)) : Reflect.get(target, member)) });
      },
      counter: (name, help, labels = []) => {
        const made = metrics.counter(name, help, labels);
        if (name !== 'sessions_maintenance_ticks_total') return made;
        return new Proxy(made, { get: (target, member) => (member === 'inc' ? (values: { outcome: string }) => (target.inc(values as never), this.#ended(values.outcome)) : Reflect.get(target, member)) });
      },
    };
  }

  /** Resolves when no tick is under way. @throws when one has failed */
  async idle(): Promise<void> {
    while (this.#underWay > 0) await new Promise<void>((resolve) => (this.#heard = resolve));
    if (this.#failure !== undefined) throw new Error(`a tick ended as ${this.#failure}`);
  }

  #ended(outcome: string): void {
    // One that falls out has not begun.
    if (outcome === 'skipped') return;
    if (outcome !== 'ok') this.#failure = outcome;
    this.#underWay -= 1;
    this.#heard();
  }
}

function layOut(dir: string, nowMs: number, members: ReadonlyMap<number, JsonObject>): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const entries: Record<string, JsonObject> = {};
  for (let index = 0; index < ENTRIES; index += 1) {
    const sessionId = sessionIdOf(index);
    entries[seedKey(index)] = { sessionId, updatedAt: nowMs - seedAgeMs(index), ...members.get(index) };
    const lines = [{ type: 'session', version: 3, id: sessionId, timestamp: new Date(nowMs - seedAgeMs(index)).toISOString() }, { type: 'message', id: 'aaaaaaaa', parentId: null, message: { role: 'user', content: `words of ${String(index)}` } }];
    writeFileSync(path.join(dir, `${sessionId}.jsonl`), lines.map((line) => `${JSON.stringify(line)}\n`).join(''), { mode: 0o600 });
  }
  writeFileSync(path.join(dir, 'sessions.json'), JSON.stringify(entries), { mode: 0o600 });
}

export const sessionIdOf = (index: number): string => `0190aaaa-0000-7000-8000-${String(index).padStart(12, '0')}`;
