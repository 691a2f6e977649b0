/**
 * A lease as its holder knows it: held since when, how long it may still be trusted, or lost.
 *
 * The bucket forgets a lease `ttlMs` after the last renewal that reached it. The holder counts from
 * the moment it *asked* for that renewal and trusts the lease for `trustMs` only, so it has stopped
 * before anybody else can begin, as long as clocks do not differ by more than the gap between the
 * two. Two clocks count, and the slower one never helps: a steady clock stands still while a machine
 * sleeps, a wall clock can be set back.
 */

/** One moment on both clocks, milliseconds. */
export interface Moment {
  readonly wallMs: number;
  readonly steadyMs: number;
}

export interface LeaseTerms {
  /** The bucket forgets the lease this long after its last renewal. */
  readonly ttlMs: number;
  /** How often the holder renews. */
  readonly renewMs: number;
  /** The holder stops acknowledging this long after it asked for its last renewal that succeeded. */
  readonly trustMs: number;
}

export type LeaseEnd = 'trust-ended' | 'superseded' | 'released';

export type LeaseState =
  | { readonly kind: 'held'; readonly provenAt: Moment; readonly triedAt: Moment; readonly failures: number }
  | { readonly kind: 'doubted'; readonly provenAt: Moment; readonly triedAt: Moment; readonly failures: number }
  | { readonly kind: 'ended'; readonly why: LeaseEnd };

/** Delay before a renewal that failed is tried again. */
const RETRY_MS = 1_000;

/** @param askedAt when the request was sent that the bucket granted */
export function leaseAcquired(askedAt: Moment): LeaseState {
  return { kind: 'held', provenAt: askedAt, triedAt: askedAt, failures: 0 };
}

/** The bucket confirmed the lease. One that has ended stays so: its store may be another's by now. */
export function leaseRenewed(state: LeaseState, askedAt: Moment, now: Moment, terms: LeaseTerms): LeaseState {
  const current = leaseAt(state, now, terms);
  return current.kind === 'ended' ? current : leaseAcquired(askedAt);
}

/** The bucket did not answer; nothing is known of the lease that was not known before. */
export function leaseRenewalFailed(state: LeaseState, triedAt: Moment, now: Moment, terms: LeaseTerms): LeaseState {
  const current = leaseAt(state, now, terms);
  return current.kind === 'ended' ? current : { ...current, triedAt, failures: current.failures + 1 };
}

/** The bucket refused a renewal: another's lease, or an own renewal whose answer got lost. Not trusted until that is known. */
export function leaseDoubted(state: LeaseState, triedAt: Moment): LeaseState {
  return state.kind === 'ended' ? state : { ...state, kind: 'doubted', triedAt };
}

/** The refused lease is the own after all: trusted for as long as it was before, to be renewed soon. */
export function leaseUndoubted(state: LeaseState): LeaseState {
  return state.kind === 'doubted' ? { ...state, kind: 'held', failures: state.failures + 1 } : state;
}

export function leaseEnded(state: LeaseState, why: LeaseEnd): LeaseState {
  return state.kind === 'ended' ? state : { kind: 'ended', why };
}

/** The state as time has made it. */
export function leaseAt(state: LeaseState, now: Moment, terms: LeaseTerms): LeaseState {
  return state.kind !== 'ended' && trustLeftMs(state.provenAt, now, terms) <= 0 ? { kind: 'ended', why: 'trust-ended' } : state;
}

/** Whether its holder may act at this moment. */
export function isLeaseTrusted(state: LeaseState, now: Moment, terms: LeaseTerms): boolean {
  return leaseAt(state, now, terms).kind === 'held';
}

/** Milliseconds until the holder has to look again: for its next renewal, or because trust ends. Undefined: it has ended. */
export function leaseDueInMs(state: LeaseState, now: Moment, terms: LeaseTerms): number | undefined {
  const current = leaseAt(state, now, terms);
  if (current.kind === 'ended') return undefined;
  const untilRenewalMs = current.failures === 0 ? terms.renewMs : Math.min(RETRY_MS, terms.renewMs);
  return Math.max(0, Math.min(untilRenewalMs - ageMs(current.triedAt, now), trustLeftMs(current.provenAt, now, terms)));
}

/** Milliseconds for which the holder may still act unless it renews; 0: none. */
export function leaseTrustLeftMs(state: LeaseState, now: Moment, terms: LeaseTerms): number {
  return state.kind === 'ended' ? 0 : Math.max(0, trustLeftMs(state.provenAt, now, terms));
}

/** Time that has surely not been less: the greater of what two clocks tell. */
function ageMs(then: Moment, now: Moment): number {
  return Math.max(now.wallMs - then.wallMs, now.steadyMs - then.steadyMs);
}

function trustLeftMs(provenAt: Moment, now: Moment, terms: LeaseTerms): number {
  return Math.min(terms.trustMs, terms.ttlMs) - ageMs(provenAt, now);
}
