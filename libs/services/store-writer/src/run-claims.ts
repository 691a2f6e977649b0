/**
 * Who works on which run, and until when: a claim ends by itself unless its runner gives a sign of life.
 * Kept in memory only: after a restart whoever ran has a whole claim's time again, or is found to be gone.
 */
import type { Clock } from '@sessions/host';

/** A claim that nobody renews ends after this. */
export const CLAIM_MS = 60_000;

export interface Claim {
  readonly attempt: number;
  readonly runnerId: string;
  /** On the monotonic clock. */
  endsAtMs: number;
  /** Found when the store was opened: nobody has given a sign of life since. */
  isFound: boolean;
}

export class RunClaims {
  readonly #clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
  readonly #claimMs: number;
  readonly #claims = new Map<string, Claim>();

  constructor(clock: Pick<Clock, 'nowMs' | 'monotonicMs'>, claimMs = CLAIM_MS) {
    this.#clock = clock;
    this.#claimMs = claimMs;
  }

  /** Also one that is over. */
  get(runId: string): Claim | undefined {
    return this.#claims.get(runId);
  }

  /** One that is not over yet, by its end as epoch milliseconds. */
  valid(runId: string): Omit<Claim, 'isFound'> | undefined {
    const claim = this.#claims.get(runId);
    const leftMs = (claim?.endsAtMs ?? 0) - this.#clock.monotonicMs();
    return claim === undefined || leftMs <= 0 ? undefined : { attempt: claim.attempt, runnerId: claim.runnerId, endsAtMs: Math.round(this.#clock.nowMs() + leftMs) };
  }

  /** From now for a whole claim. */
  take(runId: string, { attempt, runnerId, isFound }: Omit<Claim, 'endsAtMs'>): void {
    this.#claims.set(runId, { attempt, runnerId, isFound, endsAtMs: this.#clock.monotonicMs() + this.#claimMs });
  }

  /** Its runner gave a sign of life. */
  renew(runId: string, attempt: number): void {
    const claim = this.#claims.get(runId);
    if (claim?.attempt === attempt) this.take(runId, { attempt, runnerId: claim.runnerId, isFound: false });
  }

  /** Nobody has been heard of for so long, milliseconds. */
  silentMs(claim: Claim): number {
    return this.#clock.monotonicMs() - (claim.endsAtMs - this.#claimMs);
  }

  /** Its runner is gone. */
  end(claim: Claim): void {
    claim.endsAtMs = this.#clock.monotonicMs();
  }

  delete(runId: string): void {
    this.#claims.delete(runId);
  }

  clear(): void {
    this.#claims.clear();
  }

  /** The end of a claim that is taken now, epoch milliseconds. */
  get endsAtMs(): number {
    return this.#clock.nowMs() + this.#claimMs;
  }
}
