/**
 * Claims at this writer: takes a lease that is free, answers with the owner of one that is not.
 *
 * An owner that died keeps its lease for up to 30 s. Where its death can be proven (a process of this
 * host that is gone, with the store's lock free) the lease is taken from it at once: lock and epoch
 * in the store make that as safe as waiting. Nothing is changed on disk before the lease is ours.
 */
import { ClaimStoreResponse } from '@sessions/contracts';
import type { Bus, Lease, LeaseHolder } from '@sessions/bus';
import { SessionError, type AgentId, type LeaseTerms } from '@sessions/domain';
import type { Clock, Logger } from '@sessions/host';
import { isOwnerGone, recordedEpoch } from '@sessions/store';
import type { HeldAgents } from './held-agents';
import { LEASE_CALL_MS, LeaseKeeper, answered, isSameProcess } from './lease-keeper';

/** How often a claim that is overtaken by others is tried before its caller is asked to come again. */
export const ACQUIRE_TRIES_MAX = 3;
const COME_AGAIN_MS = 1_000;

export interface ClaimsDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly terms: LeaseTerms;
  readonly held: HeldAgents;
  /** How this process calls itself in leases, with an epoch. */
  readonly holder: (epoch: number) => LeaseHolder;
  /** Absolute path of an agent's sessions file. */
  readonly sessionsFile: (agentId: AgentId) => string;
  readonly nativeBinding?: string;
}

/** Runs with the lease held and the store not yet opened; may refuse. */
export type BeforeOpening = (agentId: AgentId) => Promise<void>;

export class Claims {
  readonly #deps: ClaimsDeps;
  /** Claims under way: a store that many callers miss is taken once. */
  readonly #running = new Map<AgentId, Promise<ClaimStoreResponse>>();

  constructor(deps: ClaimsDeps) {
    this.#deps = deps;
  }

  /**
   * Takes the agent, or answers with its owner.
   * @throws NO_OWNER when the leases cannot be reached or change hands too fast; why the store cannot be opened.
   */
  claim(agentId: AgentId, beforeOpening: BeforeOpening = () => Promise.resolve()): Promise<ClaimStoreResponse> {
    const running = this.#running.get(agentId);
    if (running !== undefined) return running;
    const started = this.#claim(agentId, beforeOpening).finally(() => this.#running.delete(agentId));
    this.#running.set(agentId, started);
    return started;
  }

  /** Resolves when no claim is under way. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#running.values()]);
  }

  async #claim(agentId: AgentId, beforeOpening: BeforeOpening): Promise<ClaimStoreResponse> {
    const { held } = this.#deps;
    await held.settled(agentId);
    const present = await held.answer(agentId);
    if (present !== undefined) return present;
    // Held, but not to be relied on: its time is over, and nobody has noticed yet.
    await held.leave(agentId);
    await held.makeRoom();
    const taken = await this.#acquire(agentId);
    return taken instanceof LeaseKeeper ? held.enter(agentId, taken, () => beforeOpening(agentId)) : taken;
  }

  async #acquire(agentId: AgentId): Promise<LeaseKeeper | ClaimStoreResponse> {
    const { bus, held, holder, sessionsFile } = this.#deps;
    const key = storeLease(agentId);
    for (let attempt = 1; attempt <= ACQUIRE_TRIES_MAX; attempt += 1) {
      const present = await this.#asked(agentId, bus.leases.read(key));
      if (present !== undefined && !this.#mayTakeFrom(agentId, present)) {
        return ClaimStoreResponse.create({ epoch: present.holder.epoch, owner: present.holder.instance });
      }
      if (present !== undefined) await this.#asked(agentId, bus.leases.release(present));
      const epoch = Math.max(present?.holder.epoch ?? 0, recordedEpoch(agentId, sessionsFile(agentId))) + 1;
      const taken: LeaseKeeper | undefined = await this.#asked(
        agentId,
        LeaseKeeper.acquire({ leases: bus.leases, ...this.#deps }, key, holder(epoch), (why) => held.lost(agentId, taken, why)),
      );
      if (taken !== undefined) return taken;
    }
    throw new SessionError('NO_OWNER', `the lease of agent ${agentId} changes hands`, { facts: { agentId }, retryAfterMs: COME_AGAIN_MS });
  }

  /** The lease is one of ours that no store goes with (an answer got lost, this container was started again), or its owner is dead beyond doubt. */
  #mayTakeFrom(agentId: AgentId, { holder }: Lease): boolean {
    const { logger, sessionsFile, nativeBinding } = this.#deps;
    if (isSameProcess(holder, this.#deps.holder(0))) return true;
    if (!isOwnerGone(agentId, sessionsFile(agentId), holder, nativeBinding)) return false;
    logger.warn('the owner of a store is dead; its lease is taken over', { agentId, epoch: holder.epoch, member: holder.instance });
    return true;
  }

  async #asked<T>(agentId: AgentId, work: Promise<T>): Promise<T> {
    try {
      return await answered(this.#deps.clock, LEASE_CALL_MS, work);
    } catch (error) {
      if (error instanceof SessionError && error.reason === 'SHUTTING_DOWN') throw error;
      throw new SessionError('NO_OWNER', 'nobody can take a store over: the leases cannot be reached', {
        facts: { agentId },
        hint: 'stores that have an owner are served on; look at the bus',
        retryAfterMs: COME_AGAIN_MS,
        cause: error,
      });
    }
  }
}

export function storeLease(agentId: AgentId): string {
  return `store.${agentId}`;
}
