/** Every time span of the bus in one place; a test harness may shorten them. */
export interface BusTiming {
  /** A stream whose reader granted no credit for this long is ended by the server. */
  readonly streamCreditMs: number;
  /** How often a stream's server says that it is there, and its reader answers; three times missed: the other is gone. */
  readonly streamBeatMs: number;
  /** A job that is neither acknowledged nor reported as in progress for this long comes again. */
  readonly ackWaitMs: number;
  /** How often a worker reports a long job as in progress. */
  readonly inProgressMs: number;
  /** First delay before a failed job comes again; each further one is four times as long. */
  readonly redeliveryMs: number;
  /** How long a message id keeps a second job of that id away. */
  readonly duplicateWindowMs: number;
  /** How long a lease holds without renewal. */
  readonly leaseTtlMs: number;
  /** How often a holder renews. */
  readonly leaseRenewMs: number;
  /** A holder that could not renew for this long stops acknowledging. */
  readonly leaseTrustMs: number;
}

export const DEFAULT_TIMING: BusTiming = {
  streamCreditMs: 30_000,
  streamBeatMs: 10_000,
  ackWaitMs: 30_000,
  inProgressMs: 10_000,
  redeliveryMs: 1_000,
  duplicateWindowMs: 120_000,
  leaseTtlMs: 30_000,
  leaseRenewMs: 7_000,
  leaseTrustMs: 20_000,
};

const REDELIVERY_FACTOR = 4;

/** Delay before delivery number `deliveries + 1`, milliseconds; `deliveries` counts from 1. */
export function redeliveryDelayMs(timing: BusTiming, deliveries: number): number {
  return timing.redeliveryMs * REDELIVERY_FACTOR ** Math.max(0, deliveries - 1);
}
