import { SessionError } from '@sessions/domain';
import { silentLogger } from '@sessions/host';
import { createManualClock, type ManualClock } from '@sessions/host/testing';
import { IDLE_CLOSE_MS, IDLE_SWEEP_MS, OpenStores, PLACE_WAIT_MS, REOPEN_DELAY_MS, type Holding } from './open-stores';

interface FakeStore extends Holding {
  readonly agentId: string;
  failure: SessionError | undefined;
  fail(): void;
}

interface Bench {
  readonly clock: ManualClock;
  readonly stores: OpenStores<FakeStore>;
  readonly opened: FakeStore[];
  readonly closed: string[];
  failOpening: Error | undefined;
}

function bench(openMax = 2): Bench {
  const clock = createManualClock(1_000_000);
  const opened: FakeStore[] = [];
  const closed: string[] = [];
  const state: Bench = {
    clock,
    opened,
    closed,
    failOpening: undefined,
    stores: new OpenStores<FakeStore>({
      clock,
      logger: silentLogger,
      openMax,
      open: async (agentId, onFailure) => {
        await Promise.resolve();
        if (state.failOpening !== undefined) throw state.failOpening;
        const store: FakeStore = {
          agentId,
          failure: undefined,
          fail() {
            this.failure = new SessionError('OUTCOME_UNKNOWN', 'the disk said no');
            onFailure();
          },
          close: () => {
            closed.push(agentId);
            return Promise.resolve();
          },
        };
        opened.push(store);
        return store;
      },
    }),
  };
  return state;
}

/** A use that lasts until `end` is called. */
function longUse(stores: OpenStores<FakeStore>, agentId: string): { readonly entered: Promise<FakeStore>; readonly end: () => void; readonly over: Promise<void> } {
  let end = (): void => undefined;
  const until = new Promise<void>((resolve) => (end = resolve));
  let enter = (_store: FakeStore): void => undefined;
  const entered = new Promise<FakeStore>((resolve) => (enter = resolve));
  const over = stores.use(agentId, async (store) => {
    enter(store);
    await until;
  });
  return { entered, end, over };
}

describe('open stores', () => {
  it('shares one opening among all who ask at once', async () => {
    const { stores, opened } = bench();
    const [one, other] = await Promise.all([stores.use('main', (store) => Promise.resolve(store)), stores.use('main', (store) => Promise.resolve(store))]);
    expect(one).toBe(other);
    expect(opened).toHaveLength(1);
  });

  it('closes the store that was idle longest to make room', async () => {
    const { stores, clock, closed } = bench(2);
    await stores.use('a', () => Promise.resolve());
    await clock.advance(10);
    await stores.use('b', () => Promise.resolve());
    await clock.advance(10);
    await stores.use('a', () => Promise.resolve());
    await stores.use('c', () => Promise.resolve());
    expect(closed).toEqual(['b']);
    expect(stores.count).toBe(2);
  });

  it('never closes a store in use: a further agent waits until one is free', async () => {
    const { stores, closed } = bench(1);
    const busy = longUse(stores, 'a');
    await busy.entered;
    const waiting = stores.use('b', (store) => Promise.resolve(store.agentId));
    await new Promise(setImmediate);
    expect(closed).toEqual([]);
    busy.end();
    await expect(waiting).resolves.toBe('b');
    expect(closed).toEqual(['a']);
  });

  it('refuses with OVERLOADED when no store becomes free in time', async () => {
    const { stores, clock } = bench(1);
    const busy = longUse(stores, 'a');
    await busy.entered;
    const refused = expect(stores.use('b', () => Promise.resolve())).rejects.toMatchObject({ reason: 'OVERLOADED' });
    await clock.advance(PLACE_WAIT_MS + 1);
    await refused;
    busy.end();
    await busy.over;
  });

  it('closes a store that nobody used for the idle time', async () => {
    const { stores, clock, closed } = bench();
    await stores.use('a', () => Promise.resolve());
    await clock.advance(IDLE_CLOSE_MS - 1);
    expect(closed).toEqual([]);
    await clock.advance(IDLE_SWEEP_MS + 1);
    expect(closed).toEqual(['a']);
    expect(clock.pendingCount).toBe(0);
  });

  it('drops a store that failed, and opens it again after a delay that grows', async () => {
    const { stores, clock, opened, closed } = bench();
    await stores.use('a', (store) => Promise.resolve(store.fail()));
    await new Promise(setImmediate);
    expect(closed).toEqual(['a']);
    await expect(stores.use('a', () => Promise.resolve())).rejects.toMatchObject({ reason: 'OUTCOME_UNKNOWN', retryAfterMs: REOPEN_DELAY_MS });
    await clock.advance(REOPEN_DELAY_MS);
    await stores.use('a', (store) => Promise.resolve(store.fail()));
    expect(opened).toHaveLength(2);
    await clock.advance(REOPEN_DELAY_MS);
    await expect(stores.use('a', () => Promise.resolve())).rejects.toMatchObject({ reason: 'OUTCOME_UNKNOWN' });
    await clock.advance(REOPEN_DELAY_MS);
    await stores.use('a', () => Promise.resolve());
    expect(opened).toHaveLength(3);
  });

  it('closes a store that fails while nobody uses it', async () => {
    const { stores, opened, closed } = bench();
    await stores.use('a', () => Promise.resolve());
    opened[0]?.fail();
    await new Promise(setImmediate);
    expect(closed).toEqual(['a']);
    expect(stores.count).toBe(0);
  });

  it('tells why a store cannot be opened, to all who wait, and frees its place', async () => {
    const state = bench();
    state.failOpening = new SessionError('SESSION_LOCKED', 'taken');
    const results = await Promise.allSettled([state.stores.use('a', () => Promise.resolve()), state.stores.use('a', () => Promise.resolve())]);
    expect(results.map((result) => result.status)).toEqual(['rejected', 'rejected']);
    expect(state.stores.count).toBe(0);
    state.failOpening = undefined;
    await state.clock.advance(REOPEN_DELAY_MS);
    await expect(state.stores.use('a', (store) => Promise.resolve(store.agentId))).resolves.toBe('a');
  });

  it('waits for those at work before it closes everything, and takes nobody new', async () => {
    const { stores, closed } = bench();
    const busy = longUse(stores, 'a');
    await busy.entered;
    const ending = stores.closeAll();
    await expect(stores.use('b', () => Promise.resolve())).rejects.toMatchObject({ reason: 'SHUTTING_DOWN' });
    expect(closed).toEqual([]);
    busy.end();
    await ending;
    expect(closed).toEqual(['a']);
  });

  it('keeps a store closed while that is asked for, and opens it for those who waited', async () => {
    const { stores, opened, closed } = bench();
    await stores.use('a', () => Promise.resolve());
    let finish = (): void => undefined;
    const repairing = stores.whileClosed('a', () => new Promise<string>((resolve) => (finish = () => resolve('done'))));
    await new Promise(setImmediate);
    expect(closed).toEqual(['a']);
    const waiting = stores.use('a', (store) => Promise.resolve(store.agentId));
    await new Promise(setImmediate);
    expect(opened).toHaveLength(1);
    finish();
    await expect(repairing).resolves.toBe('done');
    await expect(waiting).resolves.toBe('a');
    expect(opened).toHaveLength(2);
  });

  it('opens a released store again for the next who asks', async () => {
    const { stores, opened, closed } = bench();
    await stores.use('a', () => Promise.resolve());
    await stores.release('a');
    await stores.release('a');
    expect(closed).toEqual(['a']);
    await stores.use('a', () => Promise.resolve());
    expect(opened).toHaveLength(2);
  });
});
