/**
 * What each turn has sent and spawned: hops bound how far a message of a person reaches, this bounds how
 * wide one turn may spread it. A call that is made again counts once. In this router's memory only:
 * with several routers each allows a turn as much, and the built-in runtime, which counts in the
 * transcript, allows it once in all.
 */
import { TURN_SENDS_MAX } from '@sessions/domain';

/** Runs that are remembered; of more the one that has sent nothing for longest is forgotten. */
const RUNS_MAX = 2_000;

export class TurnSends {
  readonly #calls = new Map<string, Set<string>>();

  /** @param callKey names the call for good. @returns false: the turn has sent what it may */
  take(runId: string, callKey: string): boolean {
    const calls = this.#calls.get(runId) ?? new Set();
    if (!calls.has(callKey) && calls.size >= TURN_SENDS_MAX) return false;
    this.#calls.delete(runId);
    this.#calls.set(runId, calls.add(callKey));
    const oldest = this.#calls.size > RUNS_MAX ? this.#calls.keys().next().value : undefined;
    if (oldest !== undefined) this.#calls.delete(oldest);
    return true;
  }
}
