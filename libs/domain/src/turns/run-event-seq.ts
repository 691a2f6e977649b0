/** Numbers of a run's events: each attempt has its own, above those of the attempt before. */

/** Events that an attempt may tell of. */
export const RUN_ATTEMPT_EVENTS_MAX = 1_000_000;

/** @param attempt from 1 @returns the number of its first event, which tells that the run begins */
export function firstRunSeq(attempt: number): number {
  return (attempt - 1) * RUN_ATTEMPT_EVENTS_MAX + 1;
}
