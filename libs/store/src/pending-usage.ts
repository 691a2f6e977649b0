/**
 * Lines of the usage ledger that are handed to the journal and not yet in the index, so that a run's
 * usage is found there however soon it is reported again.
 */
import type { UsageLine } from './types';

interface Pending {
  readonly line: UsageLine;
  readonly seq: number;
}

export class PendingUsage {
  readonly #appliedSeq: () => number;
  /** In the order of sequences. Bounded by what the index may lag behind. */
  #lines: Pending[] = [];

  /** @param appliedSeq last sequence that the index answers for. */
  constructor(appliedSeq: () => number) {
    this.#appliedSeq = appliedSeq;
  }

  add(lines: readonly UsageLine[], seq: number): void {
    if (lines.length === 0) return;
    this.#forgetApplied();
    for (const line of lines) this.#lines.push({ line, seq });
  }

  ofRun(runId: string): UsageLine[] {
    this.#forgetApplied();
    return this.#lines.filter(({ line }) => line.runId === runId).map(({ line }) => line);
  }

  hasSession(sessionId: string): boolean {
    this.#forgetApplied();
    return this.#lines.some(({ line }) => line.sessionId === sessionId);
  }

  #forgetApplied(): void {
    const applied = this.#appliedSeq();
    if ((this.#lines[0]?.seq ?? Number.POSITIVE_INFINITY) > applied) return;
    this.#lines = this.#lines.filter(({ seq }) => seq > applied);
  }
}
