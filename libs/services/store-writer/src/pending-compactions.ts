/**
 * Compactions that a store waits for, while it is open: found in its entries when it is opened
 * (`open-work.ts`), and told to the workers then, when one is asked for, and again while one is overdue. The entries are the
 * truth; a job on the queue is a notice of them, so losing one loses nothing.
 */
import { CompactionJob } from '@sessions/contracts';
import type { Bus, Subjects } from '@sessions/bus';
import type { Clock, Logger, Timer } from '@sessions/host';
import type { PendingCompaction } from './decisions/pending-compaction';

/** How often overdue compactions are told again. */
export const TELL_AGAIN_MS = 30_000;
/** Compactions of one store that are remembered; more are found again when the store is next opened. */
export const PENDING_MAX = 10_000;

export interface KnownCompaction extends PendingCompaction {
  readonly key: string;
}

export interface PendingCompactionsDeps {
  readonly bus: Pick<Bus, 'jobs'>;
  readonly subjects: Subjects;
  readonly agentId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Time that a compaction may take before it is overdue. */
  readonly timeoutMs: () => number;
  readonly tellAgainMs?: number;
}

export class PendingCompactions {
  readonly #deps: PendingCompactionsDeps;
  readonly #known = new Map<string, KnownCompaction>();
  #timer: Timer | undefined;
  #closed = false;

  constructor(deps: PendingCompactionsDeps) {
    this.#deps = deps;
  }

  list(): readonly KnownCompaction[] {
    return [...this.#known.values()];
  }

  /** It is durable: workers may hear of it. */
  asked(compaction: KnownCompaction): void {
    if (this.#closed || this.#known.has(compaction.operationId) || this.#known.size >= PENDING_MAX) return;
    this.#known.set(compaction.operationId, compaction);
    this.#tell(compaction);
    this.#startTimer();
  }

  ended(operationId: string): void {
    this.#known.delete(operationId);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#known.clear();
  }

  #startTimer(): void {
    if (this.#timer !== undefined || this.#closed) return;
    this.#timer = this.#deps.clock.setTimer(this.#deps.tellAgainMs ?? TELL_AGAIN_MS, () => {
      this.#timer = undefined;
      const overdueSinceMs = this.#deps.clock.nowMs() - this.#deps.timeoutMs();
      for (const compaction of this.#known.values()) if (compaction.requestedAtMs < overdueSinceMs) this.#tell(compaction);
      if (this.#known.size > 0) this.#startTimer();
    });
  }

  /** The attempt grows with the time since the request, so that the queue takes no later notice for a repeat. */
  #tell({ operationId, key, requestedAtMs }: KnownCompaction): void {
    const { bus, subjects, agentId, clock, logger } = this.#deps;
    const attempt = 1 + Math.max(0, Math.floor((clock.nowMs() - requestedAtMs) / 1000));
    const job = CompactionJob.create({ agentId, operationId, attempt, sessionKey: key });
    bus.jobs
      .publish(subjects.job('compaction', agentId), CompactionJob, job, `compaction:${agentId}:${operationId}:${String(attempt)}`)
      .catch((err: unknown) => logger.warn('a compaction could not be put on the queue; it is tried again', { agentId, err }));
  }
}
