/**
 * In whose store runs are, as far as this router has heard: from what it delivered itself and from what
 * owners and runners tell of runs. A hint: the store is asked in any case. Bounded: of more than
 * `RUNS_MAX` runs the one unheard longest is forgotten, of one id the `AGENTS_MAX` agents heard last stay.
 */
import type { Event } from '@sessions/contracts';

const RUNS_MAX = 20_000;
const AGENTS_MAX = 8;

export class RunPlaces {
  readonly #agents = new Map<string, readonly string[]>();
  readonly #runsMax: number;

  constructor(runsMax = RUNS_MAX) {
    this.#runsMax = runsMax;
  }

  note(runId: string, agentId: string): void {
    const before = this.#agents.get(runId) ?? [];
    this.#agents.delete(runId);
    this.#agents.set(runId, [agentId, ...before.filter((one) => one !== agentId)].slice(0, AGENTS_MAX));
    const oldest = this.#agents.size > this.#runsMax ? this.#agents.keys().next().value : undefined;
    if (oldest !== undefined) this.#agents.delete(oldest);
  }

  noteEvent({ agentId, body }: Event): void {
    if (body?.$case === 'changed' && body.value.runId !== undefined) this.note(body.value.runId, agentId);
    if (body?.$case === 'run' && body.value.stream === 'lifecycle') this.note(body.value.runId, agentId);
  }

  /** The one heard last comes first; empty: none was heard. */
  agentsOf(runId: string): readonly string[] {
    return this.#agents.get(runId) ?? [];
  }
}
