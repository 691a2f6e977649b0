/**
 * When a message that nobody has acknowledged is offered again: after 60 s, then after twice as long
 * each time, at most every ten minutes, for a day. A pure function of when it was opened and of the
 * time now, so that a restart changes nothing.
 */

const FIRST_MS = 60_000;
const LONGEST_MS = 10 * 60_000;
/** It is not offered by itself after this. */
export const OFFERED_FOR_MS = 24 * 60 * 60_000;

export interface DeliveryOffer {
  /** Offers so far, the present one included; from 1. */
  readonly attempt: number;
  /** Undefined: it is not offered again. */
  readonly nextAtMs: number | undefined;
}

/** @param nowMs a clock that went back counts as the moment it was opened. */
export function deliveryOffer(createdAtMs: number, nowMs: number): DeliveryOffer {
  const elapsedMs = Math.max(0, Math.min(nowMs - createdAtMs, OFFERED_FOR_MS));
  let attempt = 1;
  let atMs = 0;
  for (;;) {
    const nextMs = atMs + Math.min(FIRST_MS * 2 ** (attempt - 1), LONGEST_MS);
    if (nextMs > OFFERED_FOR_MS) return { attempt, nextAtMs: undefined };
    if (nextMs > elapsedMs) return { attempt, nextAtMs: createdAtMs + nextMs };
    atMs = nextMs;
    attempt += 1;
  }
}
