/**
 * Carries plans out: batches of at most 200 actions to the owner, one run a store at a time. What
 * changed since the plan was made is skipped by the owner, reported, and planned again next time.
 */
import { randomUUID } from 'node:crypto';
import { ApplyMaintenanceRequest, SkippedAction } from '@sessions/contracts';
import type { ClientCallOptions } from '@sessions/bus';
import { actionBatches, type MaintenanceAction } from '@sessions/domain';
import type { OwnerCalls } from './owner-calls';
import { toWireAction, type Carried } from './store-plan';

export interface CarryOut {
  readonly agentId: string;
  readonly actions: readonly MaintenanceAction[];
  readonly activeKey: string | undefined;
  /** Rows before the first batch. */
  readonly rowCount: number;
  readonly options: ClientCallOptions;
}

export class StoreRuns {
  readonly #calls: OwnerCalls;
  /** The end of the run under way, by agent; an entry goes with its run. */
  readonly #running = new Map<string, Promise<unknown>>();

  constructor(calls: OwnerCalls) {
    this.#calls = calls;
  }

  /** One after the other for each store: a plan is made of what the run before has left. */
  async alone<T>(agentId: string, work: () => Promise<T>): Promise<T> {
    const before = this.#running.get(agentId) ?? Promise.resolve();
    const run = before.then(work, work);
    this.#running.set(agentId, run);
    try {
      return await run;
    } finally {
      if (this.#running.get(agentId) === run) this.#running.delete(agentId);
    }
  }

  /** @throws what the owner refuses with; batches before that are done */
  async carryOut({ agentId, actions, activeKey, rowCount, options }: CarryOut): Promise<Carried> {
    const planId = randomUUID();
    const skipped: SkippedAction[] = [];
    let rows = rowCount;
    let batch = 0;
    for (const part of actionBatches(actions)) {
      options.signal?.throwIfAborted();
      batch += 1;
      const request = ApplyMaintenanceRequest.create({ agentId, planId, batch, actions: part.map(toWireAction), activeKey });
      const answer = await this.#calls.apply(request, `maintenance:${agentId}:${planId}:${String(batch)}`, options);
      rows = answer.rowCount;
      answer.results.forEach(({ outcome, reason }, index) => {
        const action = part[index];
        if (outcome === 'skipped' && action !== undefined) skipped.push(SkippedAction.create({ kind: action.kind, key: action.key, file: action.file, reason: reason ?? 'changed' }));
      });
    }
    return { skipped, rowCount: rows };
  }
}
