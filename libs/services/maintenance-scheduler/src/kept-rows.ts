/**
 * What the limits do not reach, for those who watch: a gauge over all stores of this leader, and a log
 * line when something begins to stand over a limit. Counts only: a key may name a person.
 */
import { PROTECTIONS, type Bound, type BoundException } from '@sessions/domain';
import type { Logger, Metrics } from '@sessions/host';

const BOUNDS: readonly Bound[] = ['age', 'count', 'size'];
/** What was logged and still stands is logged again after this time. */
const LOG_AGAIN_MS = 24 * 3_600_000;

export class KeptRows {
  readonly #logger: Logger;
  readonly #gauge: ReturnType<Metrics['gauge']>;
  /** By agent; at most one for each bound and protection. */
  readonly #stores = new Map<string, readonly BoundException[]>();
  /** When it was last logged, by agent, bound and protection. */
  readonly #loggedAtMs = new Map<string, number>();

  constructor(logger: Logger, metrics: Metrics) {
    this.#logger = logger;
    this.#gauge = metrics.gauge('sessions_maintenance_kept_rows', 'Sessions that stay although a limit would take them, by limit and by what protects them', ['bound', 'protection']);
  }

  /** @param exceptions of the last plan of this store */
  note(agentId: string, exceptions: readonly BoundException[], nowMs: number): void {
    this.#stores.set(agentId, exceptions);
    this.#measure();
    for (const { bound, protection, rowCount } of exceptions) {
      const name = `${agentId} ${bound} ${protection}`;
      const loggedAtMs = this.#loggedAtMs.get(name);
      if (loggedAtMs !== undefined && nowMs - loggedAtMs < LOG_AGAIN_MS) continue;
      this.#loggedAtMs.set(name, nowMs);
      const line = { agentId, reason: `${bound}.${protection}`, count: rowCount };
      // Age leaves places and main sessions alone in every healthy store; a bound that is not kept should be looked at.
      if (bound === 'age') this.#logger.info('sessions stay over a limit of maintenance, they are protected', line);
      else this.#logger.warn('a limit of maintenance is not kept, protected sessions exceed it', line);
    }
  }

  /** Stores that are gone count no more. */
  keepOnly(agentIds: readonly string[]): void {
    const gone = [...this.#stores.keys()].filter((agentId) => !agentIds.includes(agentId));
    if (gone.length === 0) return;
    for (const agentId of gone) this.#stores.delete(agentId);
    for (const name of this.#loggedAtMs.keys()) if (gone.some((agentId) => name.startsWith(`${agentId} `))) this.#loggedAtMs.delete(name);
    this.#measure();
  }

  /** Another copy leads: it counts. */
  forget(): void {
    this.keepOnly([]);
  }

  #measure(): void {
    const all = [...this.#stores.values()].flat();
    for (const bound of BOUNDS) {
      for (const protection of PROTECTIONS) {
        const rows = all.filter((one) => one.bound === bound && one.protection === protection).reduce((sum, { rowCount }) => sum + rowCount, 0);
        this.#gauge.set({ bound, protection }, rows);
      }
    }
  }
}
