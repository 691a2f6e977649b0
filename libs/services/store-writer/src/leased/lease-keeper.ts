/**
 * Keeps one lease: acquires it, renews it, gives it back, and says at any moment whether its holder
 * may still act on it (`libs/domain/src/lease` decides, this does).
 *
 * A bucket that does not answer is asked again until trust ends, 20 s after the last renewal that
 * went well; then, or when another holds the lease, it has ended for good and `onEnded` is called
 * once. Whether it is trusted is computed from the clocks when it is asked: a process that was
 * stopped does not believe a timer that had no chance to run.
 *
 * An answer that gets lost leaves a renewal undecided. The next one is then refused though nobody
 * else came; the lease is not trusted until a reading shows that it is still the own.
 */
import type { Bus, Lease, LeaseHolder } from '@sessions/bus';
import { SessionError, isLeaseTrusted, leaseAcquired, leaseAt, leaseDoubted, leaseDueInMs, leaseEnded, leaseRenewalFailed, leaseRenewed, leaseTrustLeftMs, leaseUndoubted, type LeaseEnd, type LeaseState, type LeaseTerms, type Moment } from '@sessions/domain';
import type { Clock, Logger, Timer } from '@sessions/host';

/** One call to the bucket is given up after this; its outcome is unknown then. */
export const LEASE_CALL_MS = 5_000;

export interface LeaseKeeperDeps {
  readonly leases: Bus['leases'];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly terms: LeaseTerms;
}

export class LeaseKeeper {
  readonly #deps: LeaseKeeperDeps;
  readonly #onEnded: (why: LeaseEnd) => void;
  #lease: Lease;
  #state: LeaseState;
  #epoch: number;
  #timer: Timer | undefined;
  #renewing: Promise<void> | undefined;

  /** @returns undefined when another holds it; rejects when the bucket does not answer. */
  static async acquire(deps: LeaseKeeperDeps, key: string, holder: LeaseHolder, onEnded: (why: LeaseEnd) => void): Promise<LeaseKeeper | undefined> {
    const askedAt = momentOf(deps.clock);
    const lease = await answered(deps.clock, LEASE_CALL_MS, deps.leases.acquire(key, holder));
    return lease === undefined ? undefined : new LeaseKeeper(deps, lease, askedAt, onEnded);
  }

  private constructor(deps: LeaseKeeperDeps, lease: Lease, askedAt: Moment, onEnded: (why: LeaseEnd) => void) {
    this.#deps = deps;
    this.#lease = lease;
    this.#epoch = lease.holder.epoch;
    this.#state = leaseAcquired(askedAt);
    this.#onEnded = onEnded;
    this.#schedule();
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Whether its holder may act at this very moment. */
  get isTrusted(): boolean {
    return isLeaseTrusted(this.#state, momentOf(this.#deps.clock), this.#deps.terms);
  }

  /** The store was opened again under a higher epoch; those who read the lease are to see it. */
  raiseEpoch(epoch: number): void {
    if (epoch <= this.#epoch) return;
    this.#epoch = epoch;
    this.#renew();
  }

  /** Gives it back, as far as the bucket can be reached; its time ends it otherwise. Never rejects. */
  async release(): Promise<void> {
    const { clock, leases, logger } = this.#deps;
    this.#state = leaseEnded(this.#state, 'released');
    this.#timer?.cancel();
    await this.#renewing;
    try {
      await answered(clock, LEASE_CALL_MS, leases.release(this.#lease));
    } catch (err) {
      logger.warn('a lease could not be given back; it ends by itself', { lease: this.#lease.key, err });
    }
  }

  #schedule(): void {
    this.#timer?.cancel();
    if (this.#state.kind === 'ended') return;
    const dueInMs = leaseDueInMs(this.#state, momentOf(this.#deps.clock), this.#deps.terms);
    if (dueInMs === undefined) return this.#end('trust-ended');
    this.#timer = this.#deps.clock.setTimer(dueInMs, () => this.#renew(), { keepsAlive: false });
  }

  #renew(): void {
    this.#renewing ??= this.#tryRenewal().finally(() => {
      this.#renewing = undefined;
      // What changed meanwhile has not been told yet.
      if (this.#state.kind !== 'ended' && this.#epoch !== this.#lease.holder.epoch && this.#state.failures === 0) this.#renew();
      else this.#schedule();
    });
  }

  async #tryRenewal(): Promise<void> {
    const { leases, clock, terms, logger } = this.#deps;
    const askedAt = momentOf(clock);
    this.#state = leaseAt(this.#state, askedAt, terms);
    if (this.#state.kind === 'ended') return this.#tellEnded(this.#state.why);
    const limitMs = Math.min(LEASE_CALL_MS, leaseTrustLeftMs(this.#state, askedAt, terms));
    try {
      const lease = await answered(clock, limitMs, leases.renew({ ...this.#lease, holder: { ...this.#lease.holder, epoch: this.#epoch } }));
      this.#keep(lease, askedAt);
    } catch (error) {
      if (error instanceof SessionError && error.reason === 'EPOCH_SUPERSEDED') return this.#resolveDoubt(askedAt);
      this.#state = leaseRenewalFailed(this.#state, askedAt, momentOf(clock), terms);
      if (this.#state.kind === 'ended') return this.#tellEnded(this.#state.why);
      logger.warn('a lease could not be renewed and is tried again', { lease: this.#lease.key, attempt: this.#state.failures, err: error });
    }
  }

  /** Refused: is it another's, or did the answer to an own renewal get lost? */
  async #resolveDoubt(askedAt: Moment): Promise<void> {
    const { leases, clock } = this.#deps;
    this.#state = leaseDoubted(this.#state, askedAt);
    const present = await answered(clock, LEASE_CALL_MS, leases.read(this.#lease.key)).catch(() => undefined);
    if (present === undefined || !isSameHolder(present.holder, this.#lease.holder)) return this.#end('superseded');
    this.#lease = { ...present, fence: this.#lease.fence };
    this.#state = leaseUndoubted(this.#state);
  }

  #keep(lease: Lease, askedAt: Moment): void {
    const { clock, terms } = this.#deps;
    this.#lease = lease;
    const before = this.#state;
    this.#state = leaseRenewed(before, askedAt, momentOf(clock), terms);
    if (this.#state.kind === 'ended' && before.kind !== 'ended') this.#tellEnded(this.#state.why);
  }

  #end(why: LeaseEnd): void {
    if (this.#state.kind === 'ended') return;
    this.#state = leaseEnded(this.#state, why);
    this.#tellEnded(why);
  }

  #tellEnded(why: LeaseEnd): void {
    this.#timer?.cancel();
    if (why !== 'released') this.#onEnded(why);
  }
}

export function momentOf(clock: Clock): Moment {
  return { wallMs: clock.nowMs(), steadyMs: clock.monotonicMs() };
}

/** Same process, or the one that took its place in a container that was started again. */
export function isSameProcess(one: LeaseHolder, other: LeaseHolder): boolean {
  return one.instance === other.instance && one.host === other.host && one.pid === other.pid;
}

/** Same process, same acquiring; the epoch may have grown. */
function isSameHolder(one: LeaseHolder, other: LeaseHolder): boolean {
  return isSameProcess(one, other) && one.acquiredAtMs === other.acquiredAtMs;
}

/** @throws DEADLINE when `work` takes longer; it goes on and nobody hears of it. */
export async function answered<T>(clock: Clock, limitMs: number, work: Promise<T>): Promise<T> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = clock.setTimer(limitMs, () => reject(new SessionError('DEADLINE', `no answer within ${String(Math.round(limitMs))} ms`)), { keepsAlive: false });
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    timer?.cancel();
    work.catch(() => undefined);
  }
}
