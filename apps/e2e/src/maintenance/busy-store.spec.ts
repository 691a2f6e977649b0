/**
 * Hours of a busy store on real files: 3 197 entries, 1 671 of them older than the limit, four of
 * five channels and threads, and ten sub-agents started every five minutes through the owner. The
 * owner and the scheduler are the real ones; only the clock is moved by hand.
 */
import { AppendRecordsRequest, BeginTurnRequest, ChildSession, DeliverRequest, DeliveryResult, FinishTurnRequest, FollowUp, GetRunRequest, InboundMessage, ListPendingRequest, ResolvedRoute, RunRequest, SpawnClaim, StoreServiceAckDeliveryRequest } from '@sessions/contracts';
import type { Served } from '@sessions/bus';
import { ENTRIES, MINUTE_MS, DAY_MS, OVER_AGE, isPlace, seedAgeMs, seedKey, sessionIdOf, startBusyStore, type BusyStore } from './busy-store';

/** All six hours with BUSY_MINUTES=360 (a minute and a half of processor time); half of them otherwise. */
const MINUTES = Number(process.env['BUSY_MINUTES'] ?? '180');
const NOTICE_MINUTES = 30;
const ROOMY_BOUND = 2_800;
const [PLACES, OLD_PLACES] = [2_557, 1_336];
/** Those that reports name. */
const OLDEST_PLACES = [1_669, 1_668, 1_667, 1_666, 1_664].map(seedKey);
const AGENT = 'main';
/** Young, of a person: it spawns them all. */
const PARENT = seedKey(3_195);
/** Old entries of other programs' making, of which somebody still waits for something. */
const OLD_BUT_BUSY = new Map([
  [0, { status: 'running' }],
  [5, { openRuns: [{}] }],
  [10, { pendingFinalDelivery: true }],
]);

/** Archived an hour after its end by the scheduler, by the owner when its result is taken, or by age and number only. */
const KINDS = ['hour', 'at-once', 'stays'] as const;
const CHILD_MEMBERS: Readonly<Record<Child['kind'], Partial<ChildSession>>> = {
  hour: { cleanup: 'keep' },
  'at-once': { cleanup: 'delete' },
  stays: { cleanup: 'keep', membersJson: Buffer.from('{"spawnMode":"session"}') },
};

interface Child {
  readonly key: string;
  readonly runId: string;
  readonly sessionId: string;
  readonly kind: 'hour' | 'at-once' | 'stays';
  /** Minutes at which it begins, ends, and its result is taken. */
  readonly begins: number;
  readonly ends: number;
  readonly taken: number;
  state: 'queued' | 'running' | 'undelivered' | 'idle';
  deliveryIds: readonly string[];
  /** Clock at the acknowledgement of its last delivery. */
  idleAtMs: number;
}

class House {
  readonly children: Child[] = [];
  readonly #runners = new Map<string, Served>();
  constructor(private readonly one: BusyStore) {}

  async spawn(minute: number): Promise<void> {
    await Promise.all(Array.from({ length: 10 }, async () => {
      const number = this.children.length + 1;
      const [key, runId] = [`agent:main:subagent:${String(number).padStart(8, '0')}-0000-4000-8000-000000000000`, `run-${String(number)}`];
      const kind = KINDS[number % KINDS.length] ?? 'stays';
      const ends = minute + 2 + (number % 97);
      const child = { key, runId, kind, ends, begins: number % 4 === 0 ? ends - 1 : minute, taken: ends + (number % 13), state: 'queued' as const, deliveryIds: [], idleAtMs: Number.POSITIVE_INFINITY };
      // Placed before the first wait: numbers stay unique.
      const place = this.children.push({ ...child, sessionId: '' }) - 1;
      const claim = SpawnClaim.create({ parentKey: PARENT, task: 'count', step: 'run', hops: 1 });
      const { sessionId = '' } = await this.one.store.deliver(DeliverRequest.create({
        agentId: AGENT,
        route: ResolvedRoute.create({ agentId: AGENT, sessionKey: key, matchedBy: 'explicit', originKind: 'webchat', chatType: 'direct' }),
        message: InboundMessage.create({ role: 'user', text: 'count' }),
        run: RunRequest.create({ runId, deliver: false, source: 'spawn', queueMode: 'queue', followUp: FollowUp.create({ kind: { $case: 'spawn', value: claim } }) }),
        child: ChildSession.create({ spawnedBy: PARENT, spawnDepth: 1, ...CHILD_MEMBERS[kind] }),
      }));
      this.children[place] = { ...child, sessionId };
    }));
  }

  /** What is due: turns begin, end with a result that travels to the parent, results are taken. */
  async work(minute: number): Promise<void> {
    await Promise.all(this.children.map(async (child) => {
      const { store, clock } = this.one;
      const { key, runId, sessionId } = child;
      if (child.state === 'queued' && child.begins <= minute) {
        this.#runners.set(runId, await this.one.startRunner(runId));
        expect(await store.beginTurn(BeginTurnRequest.create({ agentId: AGENT, runId, runnerId: 'runner/test', attempt: 1 }))).toMatchObject({ sessionKey: key, sessionId, cancelled: false });
        child.state = 'running';
      } else if (child.state === 'running' && child.ends <= minute) {
        await store.appendRecords(AppendRecordsRequest.create({ agentId: AGENT, key, sessionId, runId, attempt: 1, lines: [Buffer.from(JSON.stringify({ type: 'message', message: { role: 'assistant', content: [{ type: 'text', text: 'ten' }] } }))] }));
        const { deliveryIds } = await store.finishTurn(FinishTurnRequest.create({ agentId: AGENT, runId, outcome: 'ok', text: 'ten', attempt: 1 }));
        await this.#runners.get(runId)?.stop();
        expect(deliveryIds.length).toBeGreaterThan(0);
        Object.assign(child, { state: 'undelivered', deliveryIds });
      } else if (child.state === 'undelivered' && child.taken <= minute) {
        // Before the last is acknowledged: that ends the wait, and time may pass before the answer is here.
        const idleAtMs = clock.nowMs();
        for (const deliveryId of child.deliveryIds) {
          expect(await store.ackDelivery(StoreServiceAckDeliveryRequest.create({ agentId: AGENT, deliveryId, result: DeliveryResult.create({ ok: true }) }))).toMatchObject({ state: 'delivered' });
        }
        Object.assign(child, { state: 'idle', idleAtMs });
      }
    }));
  }
}

const entryOf = async (one: BusyStore, key: string) => one.store.getEntry({ agentId: AGENT, by: { $case: 'key', value: key }, includeFacts: false, entryOffset: undefined });

/** No session that anybody used or waited for was set aside while they did, and all of them are there. */
async function expectNothingTouched({ one, house }: { one: BusyStore; house: House }): Promise<void> {
  expect(house.children).toHaveLength(2 * MINUTES);
  const archives = await one.archives();
  const byKey = new Map(archives.map((line) => [line.key, line]));
  for (const child of house.children) {
    const gone = byKey.get(child.key);
    if (gone !== undefined) expect([child.key, child.state, gone.archivedAtMs >= child.idleAtMs, gone.sessionId, gone.restorable]).toEqual([child.key, 'idle', true, child.sessionId, true]);
    else expect(await entryOf(one, child.key)).toMatchObject({ found: true });
    if (child.state === 'idle') continue;
    const { run } = await one.store.getRun(GetRunRequest.create({ agentId: AGENT, runId: child.runId }));
    expect([child.key, run?.sessionId, run?.state]).toEqual([child.key, child.sessionId, child.state === 'undelivered' ? 'ended' : child.state]);
  }
  const { deliveries } = await one.store.listPending(ListPendingRequest.create({ agentId: AGENT, kinds: ['delivery'], limit: 1_000 }));
  const waiting = house.children.filter(({ state }) => state === 'undelivered').flatMap(({ deliveryIds }) => deliveryIds);
  expect(deliveries.map(({ deliveryId }) => deliveryId)).toEqual(expect.arrayContaining(waiting));
  for (const index of OLD_BUT_BUSY.keys()) expect(await entryOf(one, seedKey(index))).toMatchObject({ found: true });
  expect(archives.filter(({ key }) => isPlace(key))).toEqual([]);
}

const started: BusyStore[] = [];
afterEach(async () => {
  for (const one of started.splice(0)) await one.close();
});

it('has the ages and kinds it is said to have', () => {
  const keys = Array.from({ length: ENTRIES }, (_, index) => seedKey(index));
  expect(new Set(keys).size).toBe(ENTRIES);
  expect(keys.filter((_, index) => seedAgeMs(index) > 30 * DAY_MS)).toHaveLength(OVER_AGE);
  expect(keys.filter(isPlace).length / ENTRIES).toBeCloseTo(0.8, 2);
});

it('touches nothing in all those hours that anybody uses or waits for, says which bound it cannot keep and why, and keeps the one it can exactly', async () => {
  const one = await startBusyStore({ maxEntries: 500, removalNotice: `${String(NOTICE_MINUTES)}m` }, OLD_BUT_BUSY);
  started.push(one);
  const house = new House(one);
  const startMs = one.clock.nowMs();
  const hours = async (from: number, to: number, afterTick: () => Promise<void>): Promise<void> => {
    for (let minute = from; minute < to; minute += 1) {
      if (minute % 5 === 0) await house.spawn(minute);
      // Turns begin and end while plans are made and carried out.
      await Promise.all([one.pass(1), house.work(minute)]);
      await afterTick();
    }
  };

  // Four of five entries are places: more than the bound, which age alone does not bring about.
  let reports = 0;
  await hours(0, MINUTES / 2, async () => {
    const report = await one.lastReport();
    if (report === undefined) return;
    reports += 1;
    expect(report).toMatchObject({ capUnmet: true, capped: 0 });
    // Whatever keeps rows over the limits is named in every report, with as many rows as it keeps.
    const counted = (bound: string): number => report.exceptions.filter((one) => one.bound === bound).reduce((sum, { rowCount }) => sum + rowCount, 0);
    expect(counted('age')).toBe(OLD_PLACES + OLD_BUT_BUSY.size);
    expect(counted('count')).toBeGreaterThanOrEqual(PLACES + OLD_BUT_BUSY.size);
    expect(report.exceptions.find(({ bound, protection }) => bound === 'count' && protection === 'pointer')).toMatchObject({ rowCount: PLACES, keys: OLDEST_PLACES });
  });
  expect(reports).toBeGreaterThan(MINUTES / 3);
  // What is over the limit and stays, by what keeps it.
  expect((await one.lastReport())?.exceptions.filter(({ bound }) => bound === 'age')).toEqual([
    { bound: 'age', protection: 'running', rowCount: 2, keys: [seedKey(5), seedKey(0)] },
    { bound: 'age', protection: 'undelivered', rowCount: 1, keys: [seedKey(10)] },
    { bound: 'age', protection: 'pointer', rowCount: OLD_PLACES, keys: OLDEST_PLACES },
  ]);
  expect((await one.plan()).counts).toMatchObject({ capUnmet: true, capped: 0, pruned: 0 });

  // One that the rows in use leave room for.
  one.setBound(ROOMY_BOUND);
  await hours(MINUTES / 2, MINUTES, async () => {
    expect(await one.lastReport()).toMatchObject({ capUnmet: false });
    expect(await one.rowCount()).toBeLessThanOrEqual(ROOMY_BOUND);
  });
  await one.pass(1);
  expect(await one.rowCount()).toBeLessThanOrEqual(ROOMY_BOUND);

  await expectNothingTouched({ one, house });
  const archives = await one.archives();
  // Everybody's old conversations went for their age, each after its notice; places and what is waited for did not.
  const aged = Array.from({ length: OVER_AGE }, (_, index) => index).filter((index) => !isPlace(seedKey(index)) && !OLD_BUT_BUSY.has(index));
  const pruned = archives.filter(({ reason }) => reason === 'prune-stale');
  expect(pruned.map(({ sessionId }) => sessionId)).toEqual(expect.arrayContaining(aged.map(sessionIdOf)));
  expect(Math.min(...pruned.map(({ archivedAtMs }) => archivedAtMs))).toBeGreaterThanOrEqual(startMs + NOTICE_MINUTES * MINUTE_MS);
  expect(archives.filter(({ reason }) => reason === 'cap-overflow').length).toBeGreaterThan(50);
  // Sub-agents go as they were asked to: at once, or after their hour; the others only to keep the bound.
  const reasonOf = new Map(archives.map(({ key, reason }) => [key, reason]));
  const endedOf = (kind: Child['kind'], minutesBefore: number): Child[] => house.children.filter((child) => child.kind === kind && child.idleAtMs <= one.clock.nowMs() - minutesBefore * MINUTE_MS);
  const reasonsOf = (children: readonly Child[]): unknown[] => [children.length > 50, ...new Set(children.map(({ key }) => reasonOf.get(key)))];
  expect(reasonsOf(endedOf('at-once', 1))).toEqual([true, 'delete']);
  const [, ...hourly] = reasonsOf(endedOf('hour', 75));
  expect(hourly).toEqual(expect.arrayContaining(['archive-subagent']));
  expect(hourly).not.toContain(undefined);
}, 900_000);
