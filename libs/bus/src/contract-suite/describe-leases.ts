/** Leases: what holds on every transport. */
import type { Lease, LeaseHolder } from '../bus';
import type { BusHarness, CreateHarness } from './harness';
import { reasonOf } from './harness';

const KEY = 'store.main';
const CONTENDERS = 100;

const holder = (number: number): LeaseHolder => ({
  instance: `store-writer/${number}`,
  epoch: number,
  host: 'host',
  pid: number,
  acquiredAtMs: 0,
});

async function acquired(harness: BusHarness, number: number): Promise<Lease> {
  const lease = await harness.bus.leases.acquire(KEY, holder(number));
  if (!lease) throw new Error('the lease is held');
  return lease;
}

export function describeLeases(create: CreateHarness): void {
  describe('leases', () => {
    let harness: BusHarness;
    beforeEach(async () => (harness = await create()));
    afterEach(() => harness.close());

    it('go to one of many contenders', async () => {
      const tries = Array.from({ length: CONTENDERS }, (_, number) => harness.bus.leases.acquire(KEY, holder(number)));
      const winners = (await Promise.all(tries)).filter((lease) => lease !== undefined);
      expect(winners).toHaveLength(1);
      expect((await harness.bus.leases.read(KEY))?.holder).toEqual(winners[0]?.holder);
    });

    it('of other keys are others', async () => {
      await acquired(harness, 1);
      expect(await harness.bus.leases.acquire('leader.maintenance', holder(2))).toBeDefined();
    });

    it('end unless they are renewed', async () => {
      const lease = await acquired(harness, 1);
      await harness.advance(harness.timing.leaseTtlMs + 1 + harness.slackMs);
      expect(await harness.bus.leases.read(KEY)).toBeUndefined();
      expect(await reasonOf(harness.bus.leases.renew(lease))).toBe('EPOCH_SUPERSEDED');
    });

    it('hold as long as they are renewed in time', async () => {
      let lease = await acquired(harness, 1);
      const { fence } = lease;
      for (let beat = 0; beat < 10; beat += 1) {
        await harness.advance(harness.timing.leaseRenewMs);
        lease = await harness.bus.leases.renew(lease);
        expect(await harness.bus.leases.acquire(KEY, holder(2))).toBeUndefined();
      }
      expect(lease.fence).toBe(fence);
      expect(lease.revision).toBeGreaterThan(fence);
      expect(lease.expiresAtMs).toBeGreaterThan(harness.bus.clock.nowMs());
    });

    it('fence a holder that slept: its successor has the higher number, it cannot renew', async () => {
      const old = await acquired(harness, 1);
      await harness.advance(harness.timing.leaseTtlMs + 1 + harness.slackMs);
      const next = await acquired(harness, 2);
      expect(next.fence).toBeGreaterThan(old.fence);
      expect(await reasonOf(harness.bus.leases.renew(old))).toBe('EPOCH_SUPERSEDED');
      await harness.bus.leases.release(old);
      expect((await harness.bus.leases.read(KEY))?.fence).toBe(next.fence);
    });

    it('are renewed by the newest revision only', async () => {
      const first = await acquired(harness, 1);
      const second = await harness.bus.leases.renew(first);
      expect(await reasonOf(harness.bus.leases.renew(first))).toBe('EPOCH_SUPERSEDED');
      expect((await harness.bus.leases.renew(second)).fence).toBe(first.fence);
    });

    it('carry what their holder says of itself at each renewal', async () => {
      const first = await acquired(harness, 1);
      const renewed = await harness.bus.leases.renew({ ...first, holder: { ...first.holder, epoch: 7 } });
      expect(renewed.holder.epoch).toBe(7);
      expect((await harness.bus.leases.read(KEY))?.holder).toEqual({ ...first.holder, epoch: 7 });
    });

    it('are listed by the beginning of their key while they hold', async () => {
      const { leases } = harness.bus;
      await acquired(harness, 1);
      const gone = await leases.acquire('store.gone', holder(2));
      await leases.acquire('writer.a', holder(3));
      if (gone) await leases.release(gone);
      const listed = await leases.list('store.');
      expect(listed.map(({ key, holder: { epoch } }) => [key, epoch])).toEqual([[KEY, 1]]);
      expect((await leases.list('writer.')).map(({ key }) => key)).toEqual(['writer.a']);
      expect(await leases.list('other.')).toEqual([]);
      await harness.advance(harness.timing.leaseTtlMs + 1);
      expect(await leases.list('store.')).toEqual([]);
    });

    it('can be taken from a holder by who has read them', async () => {
      await acquired(harness, 1);
      const seen = await harness.bus.leases.read(KEY);
      if (!seen) throw new Error('nobody holds the lease');
      await harness.bus.leases.release(seen);
      expect((await acquired(harness, 2)).fence).toBeGreaterThan(seen.revision);
      // What was read before belongs to the holder of then.
      await harness.bus.leases.release(seen);
      expect((await harness.bus.leases.read(KEY))?.holder.epoch).toBe(2);
    });

    it('can be given back at once', async () => {
      const lease = await harness.bus.leases.renew(await acquired(harness, 1));
      await harness.bus.leases.release(lease);
      const next = await acquired(harness, 2);
      expect(next.fence).toBeGreaterThan(lease.revision);
    });
  });
}
