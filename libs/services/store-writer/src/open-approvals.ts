/**
 * Approvals of a store while it is open: found in its entries when it is opened, and noted with every
 * mutation after that. One that was granted is carried out, one at a time, also after a restart; one
 * whose time is over is ended. The entries are the truth.
 */
import { APPROVALS_MEMBER, type JsonObject } from '@sessions/domain';
import type { Clock, Logger, Timer } from '@sessions/host';
import type { Effect } from '@sessions/store';
import { approvalsOf, type OpenApproval } from './decisions/open-approval';

export interface KnownApproval extends OpenApproval {
  readonly key: string;
}

export interface OpenApprovalsDeps {
  readonly agentId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Does what was granted and ends the approval. */
  readonly carryOut: (approval: KnownApproval) => Promise<void>;
  /** Ends one that was not granted in time. */
  readonly expire: (approval: KnownApproval) => Promise<void>;
}

/** How long after a failure, of the store for example, it is tried again. */
const AGAIN_MS = 5_000;

export class OpenApprovals {
  readonly #deps: OpenApprovalsDeps;
  readonly #known = new Map<string, KnownApproval>();
  readonly #timers = new Map<string, Timer>();
  readonly #begun = new Set<string>();
  #queue: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(deps: OpenApprovalsDeps) {
    this.#deps = deps;
  }

  list(): readonly KnownApproval[] {
    return [...this.#known.values()];
  }

  get(approvalId: string): KnownApproval | undefined {
    return this.#known.get(approvalId);
  }

  /** Something that was granted is being done: the store stays open for it. */
  get isBusy(): boolean {
    return this.#begun.size > 0;
  }

  /** An entry as it was found. */
  found(key: string, members: JsonObject, sessionId: string | null): void {
    const now = approvalsOf(members, sessionId);
    for (const known of this.list()) if (known.key === key && now.every(({ approvalId }) => approvalId !== known.approvalId)) this.#forget(known.approvalId);
    for (const approval of now) this.#take({ ...approval, key });
  }

  /** What a durable mutation did to entries. @param membersOf of an entry as it is now */
  note(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'removeEntry') this.found(effect.key, {}, null);
      if (effect.kind !== 'putEntry') continue;
      const { key, set, clear = [] } = effect;
      if (clear.includes(APPROVALS_MEMBER)) this.found(key, {}, null);
      const value = set[APPROVALS_MEMBER];
      if (!Array.isArray(value)) continue;
      // All of one entry are of one transcript.
      const [first] = value as readonly JsonObject[];
      this.found(key, { [APPROVALS_MEMBER]: value }, typeof first?.['sessionId'] === 'string' ? first['sessionId'] : null);
    }
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    this.#known.clear();
  }

  #take(approval: KnownApproval): void {
    if (this.#closed) return;
    const { approvalId, approvedAtMs, expiresAtMs } = approval;
    this.#known.set(approvalId, approval);
    if (approvedAtMs !== undefined) this.#begin(approval);
    else if (!this.#timers.has(approvalId)) this.#wait(approvalId, Math.max(0, expiresAtMs - this.#deps.clock.nowMs()), () => this.#expire(approvalId));
  }

  #begin(approval: KnownApproval): void {
    const { approvalId } = approval;
    if (this.#begun.has(approvalId)) return;
    this.#begun.add(approvalId);
    this.#queue = this.#queue
      .then(() => (this.#closed || !this.#known.has(approvalId) ? undefined : this.#deps.carryOut(approval)))
      .catch((err: unknown) => {
        if (this.#closed) return;
        this.#deps.logger.warn('what was approved could not be ended; it is tried again', { agentId: this.#deps.agentId, err });
        this.#wait(approvalId, AGAIN_MS, () => {
          const known = this.#known.get(approvalId);
          if (known !== undefined) this.#begin(known);
        });
      })
      .finally(() => this.#begun.delete(approvalId));
  }

  #expire(approvalId: string): void {
    const known = this.#known.get(approvalId);
    if (known === undefined || known.approvedAtMs !== undefined) return;
    this.#deps.expire(known).catch((err: unknown) => {
      if (this.#closed) return;
      this.#deps.logger.warn('an approval whose time is over could not be ended; it is tried again', { agentId: this.#deps.agentId, err });
      this.#wait(approvalId, AGAIN_MS, () => this.#expire(approvalId));
    });
  }

  #wait(approvalId: string, afterMs: number, then: () => void): void {
    this.#timers.get(approvalId)?.cancel();
    this.#timers.set(
      approvalId,
      this.#deps.clock.setTimer(
        afterMs,
        () => {
          this.#timers.delete(approvalId);
          if (!this.#closed) then();
        },
        { keepsAlive: false },
      ),
    );
  }

  #forget(approvalId: string): void {
    this.#known.delete(approvalId);
    this.#timers.get(approvalId)?.cancel();
    this.#timers.delete(approvalId);
  }
}
