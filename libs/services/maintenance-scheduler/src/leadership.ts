/**
 * Which copy of the scheduler acts: the holder of the lease `leader.maintenance`.
 *
 * Leading is only ever a matter of not doing the same work twice at the same time: what a leader
 * starts are bounded jobs that their owners check again. So a copy that cannot tell whether it still
 * leads stops, at once when the lease is known to be another's, after `trustMs` when the bucket
 * cannot be asked; and one that slept finds out by the clock before it does anything.
 */
import type { Lease, LeaseHolder, Leases } from '@sessions/bus';
import type { Clock, Logger, Timer } from '@sessions/host';

export const LEADER_KEY = 'leader.maintenance';

export interface LeadershipDeps {
  readonly leases: Leases;
  readonly clock: Clock;
  readonly logger: Logger;
  /** This copy; the epoch is set at each taking. */
  readonly holder: Omit<LeaseHolder, 'epoch' | 'acquiredAtMs'>;
  readonly renewMs: number;
  /** How long the lease is believed in without a renewal. */
  readonly trustMs: number;
  readonly onChange: (isLeader: boolean) => void;
}

export interface Leadership {
  /** Looks for the lease now and every `renewMs`. */
  start(): Promise<void>;
  /** Gives the lease up, so that another copy leads at its next look. */
  stop(): Promise<void>;
  /** True only while the lease is held and was renewed lately enough. */
  isLeader(): boolean;
}

export function createLeadership({ leases, clock, logger, holder, renewMs, trustMs, onChange }: LeadershipDeps): Leadership {
  let lease: Lease | undefined;
  /** The highest epoch that was seen; a bucket that was lost starts again from it. */
  let epoch = 0;
  let renewedAtMs = 0;
  let timer: Timer | undefined;
  let looking: Promise<void> = Promise.resolve();
  let stopped = true;

  const isTrusted = (): boolean => clock.monotonicMs() - renewedAtMs < trustMs;

  const stepDown = (reason: string): void => {
    if (lease === undefined) return;
    lease = undefined;
    logger.warn('the leadership of maintenance was lost', { reason, epoch });
    onChange(false);
  };

  const take = async (): Promise<void> => {
    const present = await leases.read(LEADER_KEY);
    epoch = Math.max(epoch, present?.holder.epoch ?? 0);
    if (present !== undefined) return;
    const askedAtMs = clock.monotonicMs();
    const taken = await leases.acquire(LEADER_KEY, { ...holder, epoch: epoch + 1, acquiredAtMs: clock.nowMs() });
    if (taken === undefined) return;
    if (stopped) return void (await leases.release(taken));
    lease = taken;
    epoch = taken.holder.epoch;
    renewedAtMs = askedAtMs;
    logger.info('this copy leads the maintenance', { epoch });
    onChange(true);
  };

  const renew = async (held: Lease): Promise<void> => {
    // Counted from before the call: the bucket counts from when it hears of it.
    const askedAtMs = clock.monotonicMs();
    try {
      const renewed = await leases.renew(held);
      if (lease !== held) return;
      lease = renewed;
      renewedAtMs = askedAtMs;
    } catch (err) {
      if ((err as { reason?: unknown }).reason === 'EPOCH_SUPERSEDED') return stepDown('EPOCH_SUPERSEDED');
      if (!isTrusted()) return stepDown('not-renewed');
      logger.warn('the leadership of maintenance could not be renewed', { err, epoch });
    }
  };

  const look = async (): Promise<void> => {
    try {
      if (lease !== undefined) await renew(lease);
      else await take();
    } catch (err) {
      logger.warn('the leader of maintenance could not be found out', { err });
    }
  };

  const again = (): void => {
    if (stopped) return;
    timer = clock.setTimer(
      renewMs,
      () => {
        looking = look();
        void looking.then(again);
      },
      { keepsAlive: false },
    );
  };

  /** A renewal that hangs must not keep a leader in office. */
  const watch = (): void => {
    if (stopped) return;
    if (lease !== undefined && !isTrusted()) stepDown('not-renewed');
    watching = clock.setTimer(renewMs, watch, { keepsAlive: false });
  };
  let watching: Timer | undefined;

  return {
    async start() {
      stopped = false;
      looking = look();
      await looking;
      again();
      watch();
    },
    async stop() {
      stopped = true;
      timer?.cancel();
      watching?.cancel();
      const held = lease;
      lease = undefined;
      if (held === undefined) return;
      onChange(false);
      await leases.release(held);
    },
    isLeader: () => lease !== undefined && isTrusted(),
  };
}
