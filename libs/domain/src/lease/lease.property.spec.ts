import * as fc from 'fast-check';
import { isLeaseTrusted, leaseAcquired, leaseAt, leaseDoubted, leaseDueInMs, leaseEnded, leaseRenewalFailed, leaseRenewed, leaseUndoubted } from './lease';
import type { LeaseState, LeaseTerms, Moment } from './lease';

const TERMS: LeaseTerms = { ttlMs: 30_000, renewMs: 7_000, trustMs: 20_000 };
const at = (ms: number): Moment => ({ wallMs: 1_000_000 + ms, steadyMs: ms });

type Happening = { readonly kind: 'renewed' | 'failed' | 'doubted' | 'superseded' | 'nothing'; readonly afterMs: number; readonly tookMs: number };
const happenings: fc.Arbitrary<Happening[]> = fc.array(
  fc.record({
    kind: fc.constantFrom('renewed' as const, 'renewed' as const, 'failed' as const, 'doubted' as const, 'superseded' as const, 'nothing' as const),
    afterMs: fc.integer({ min: 0, max: 12_000 }),
    tookMs: fc.integer({ min: 0, max: 12_000 }),
  }),
  { maxLength: 12 },
);

/** Plays happenings; `seen` gets every state with its moment and the bucket's own expiry. */
function play(list: readonly Happening[], seen: (state: LeaseState, nowMs: number, bucketEndsMs: number) => void): void {
  let state = leaseAcquired(at(0));
  let nowMs = 0;
  let bucketEndsMs = TERMS.ttlMs;
  for (const { kind, afterMs, tookMs } of list) {
    const askedMs = nowMs + afterMs;
    nowMs = askedMs + tookMs;
    if (kind === 'renewed' && leaseAt(state, at(askedMs), TERMS).kind !== 'ended') bucketEndsMs = askedMs + TERMS.ttlMs;
    if (kind === 'renewed') state = leaseRenewed(state, at(askedMs), at(nowMs), TERMS);
    else if (kind === 'failed') state = leaseRenewalFailed(state, at(askedMs), at(nowMs), TERMS);
    else if (kind === 'doubted') state = leaseDoubted(state, at(askedMs));
    else if (kind === 'superseded') state = leaseEnded(state, 'superseded');
    seen(state, nowMs, bucketEndsMs);
  }
}

describe('a lease', () => {
  it('is never trusted within ten seconds of the moment at which the bucket may give it to another', () => {
    fc.assert(
      fc.property(happenings, fc.integer({ min: 0, max: 60_000 }), (list, laterMs) => {
        play(list, (state, nowMs, bucketEndsMs) => {
          if (isLeaseTrusted(state, at(nowMs + laterMs), TERMS)) expect(nowMs + laterMs).toBeLessThan(bucketEndsMs - 9_999);
        });
      }),
    );
  });

  it('that has ended stays so, whatever happens', () => {
    fc.assert(
      fc.property(happenings, (list) => {
        let ended = false;
        play(list, (state, nowMs) => {
          const present = leaseAt(state, at(nowMs), TERMS);
          if (ended) expect(present.kind).toBe('ended');
          // An end by time is only seen when somebody looks; the next happening looks too.
          ended = present.kind === 'ended';
        });
      }),
    );
  });

  it('is looked after no later than its trust ends, and a bucket away for ten seconds costs nothing', () => {
    let state = leaseRenewed(leaseAcquired(at(0)), at(7_000), at(7_000), TERMS);
    for (let nowMs = 14_000; nowMs <= 24_000; nowMs += 1_000) state = leaseRenewalFailed(state, at(nowMs), at(nowMs), TERMS);
    expect(isLeaseTrusted(state, at(24_000), TERMS)).toBe(true);
    expect(leaseDueInMs(state, at(24_000), TERMS)).toBe(1_000);
    expect(leaseDueInMs(state, at(26_500), TERMS)).toBe(0);
    expect(isLeaseTrusted(state, at(26_999), TERMS)).toBe(true);
    expect(isLeaseTrusted(state, at(27_000), TERMS)).toBe(false);
    expect(leaseDueInMs(state, at(27_000), TERMS)).toBeUndefined();
  });

  it('counts from the request, not from its answer', () => {
    const state = leaseRenewed(leaseAcquired(at(0)), at(5_000), at(15_000), TERMS);
    expect(isLeaseTrusted(state, at(24_999), TERMS)).toBe(true);
    expect(isLeaseTrusted(state, at(25_000), TERMS)).toBe(false);
  });

  it('is not trusted while a renewal was refused, and again when it turns out to be the own', () => {
    const doubted = leaseDoubted(leaseAcquired(at(0)), at(1_000));
    expect(isLeaseTrusted(doubted, at(1_000), TERMS)).toBe(false);
    const own = leaseUndoubted(doubted);
    expect(isLeaseTrusted(own, at(19_999), TERMS)).toBe(true);
    // Nothing was renewed by finding that out.
    expect(isLeaseTrusted(own, at(20_000), TERMS)).toBe(false);
    expect(leaseDueInMs(own, at(1_000), TERMS)).toBe(1_000);
  });

  it('believes the clock that tells more time: a machine slept, or its clock was set back', () => {
    const state = leaseAcquired({ wallMs: 1_000, steadyMs: 0 });
    expect(isLeaseTrusted(state, { wallMs: 22_000, steadyMs: 10 }, TERMS)).toBe(false);
    expect(isLeaseTrusted(state, { wallMs: 0, steadyMs: 20_000 }, TERMS)).toBe(false);
    expect(isLeaseTrusted(state, { wallMs: 0, steadyMs: 19_999 }, TERMS)).toBe(true);
  });
});
