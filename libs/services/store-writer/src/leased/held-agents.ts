/**
 * The agents whose leases this writer holds: from the lease to the open store and its subjects, and
 * all the way back. One agent is at most once on its way in either direction.
 *
 * Lost by a death at any line: nothing that was acknowledged. A lease without a process ends by its
 * time; a store without its lease refuses (`checks`), and the engine's own fence refuses whatever
 * gets past that.
 *
 * What is bounded: agents held at a time, and leavings at once. An agent that nobody asked for and
 * whose store is closed is given back, so leases cost nothing at rest.
 */
import { ClaimStoreResponse, HandOverResponse, StoreServiceService } from '@sessions/contracts';
import { SessionError, type AgentId, type LeaseEnd } from '@sessions/domain';
import { serveService, type Bus, type Served, type Subjects } from '@sessions/bus';
import type { Clock, Logger } from '@sessions/host';
import type { OpenStores } from '../open-stores';
import type { OpenAgentStore, OwnedAgent } from '../owned-agent';
import { POOL_METHODS, type OwnerChecks } from '../ownership';
import type { StoreHandlers } from '../serve-agent';
import type { LeaseKeeper } from './lease-keeper';

/** Agents that one writer holds at a time; each costs a renewal every few seconds. */
export const HELD_AGENTS_MAX = 1_000;
/** Agents that are left at the same time: each closes a store with several synced writes. */
export const LEAVING_AT_ONCE = 8;

export interface HeldAgentsDeps {
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stores: OpenStores<OpenAgentStore>;
  /** `<name>/<instance>`. */
  readonly owner: string;
  readonly createAgent: (agentId: AgentId) => OwnedAgent;
  readonly createHandlers: (agent: OwnedAgent, checks: OwnerChecks) => StoreHandlers;
  readonly heldMax?: number;
}

interface HeldAgent {
  readonly agent: OwnedAgent;
  readonly lease: LeaseKeeper;
  served: Served | undefined;
  /** Resolves when the calls under way at its subjects have been answered. */
  left: Promise<void> | undefined;
  /** Resolves when its store is closed, then its lease is given back, then `leaving` resolves. */
  closed: Promise<HandOverResponse> | undefined;
  leaving: Promise<HandOverResponse> | undefined;
  lastUsedAtMs: number;
}

export class HeldAgents {
  readonly #deps: HeldAgentsDeps;
  readonly #held = new Map<AgentId, HeldAgent>();

  constructor(deps: HeldAgentsDeps) {
    this.#deps = deps;
  }

  /** Agents that are held and not being left. */
  get ids(): readonly AgentId[] {
    return [...this.#held.values()].filter((entry) => entry.leaving === undefined).map(({ agent }) => agent.agentId);
  }

  /** Resolves when the agent is not on its way out. */
  async settled(agentId: AgentId): Promise<void> {
    await this.#held.get(agentId)?.leaving?.catch(() => undefined);
  }

  /** What a claim is answered with while the agent is held. */
  async answer(agentId: AgentId): Promise<ClaimStoreResponse | undefined> {
    const entry = this.#held.get(agentId);
    if (entry === undefined || entry.leaving !== undefined || !entry.lease.isTrusted || entry.served === undefined) return undefined;
    entry.lastUsedAtMs = this.#deps.clock.monotonicMs();
    return this.#look(entry);
  }

  /** Makes room for one more. @throws OVERLOADED when every agent's store is in use */
  async makeRoom(): Promise<void> {
    if (this.#held.size < (this.#deps.heldMax ?? HELD_AGENTS_MAX)) return;
    const idle = this.#idle().sort((one, other) => one.lastUsedAtMs - other.lastUsedAtMs)[0];
    if (idle === undefined) throw new SessionError('OVERLOADED', `this store-writer holds ${String(this.#held.size)} agents, all in use`, { retryAfterMs: 1_000 });
    await this.#leave(idle);
  }

  /**
   * Opens the store that `lease` stands for, where there is one, and serves the agent's subjects.
   * @param beforeOpening may still refuse, with the lease held
   * @throws why it cannot be served; the lease is given back then.
   */
  async enter(agentId: AgentId, lease: LeaseKeeper, beforeOpening: () => Promise<void>): Promise<ClaimStoreResponse> {
    const { bus, subjects, clock, createAgent, createHandlers } = this.#deps;
    const entry: HeldAgent = { agent: createAgent(agentId), lease, served: undefined, left: undefined, closed: undefined, leaving: undefined, lastUsedAtMs: clock.monotonicMs() };
    this.#held.set(agentId, entry);
    try {
      await beforeOpening();
      const answer = await this.#look(entry);
      const handlers: StoreHandlers = { ...createHandlers(entry.agent, this.#checksOf(entry)), handOver: () => this.#leave(entry) };
      const served = await serveService(bus, StoreServiceService, handlers, {
        subjectFor: (method) => (POOL_METHODS.has(method) ? undefined : subjects.store(agentId, method)),
      });
      // Lost while it was opening: what came too late is taken back.
      if (entry.leaving === undefined && lease.isTrusted) entry.served = served;
      else await served.stop();
      if (entry.served === undefined) throw notOwner(agentId);
      return answer;
    } catch (error) {
      await this.#leave(entry);
      throw error;
    }
  }

  /** Finishes what is under way, brings the files up to date, frees store, lease and subjects. Never rejects. */
  async leave(agentId: AgentId): Promise<void> {
    const entry = this.#held.get(agentId);
    if (entry !== undefined) await this.#leave(entry);
  }

  /** Leaves every agent. */
  async leaveAll(): Promise<void> {
    const entries = [...this.#held.values()];
    await eachOf(entries, LEAVING_AT_ONCE, async (entry) => {
      void this.#leave(entry);
      await entry.closed;
    });
    // All leases together: a bucket that is away costs the time of one call, not of a thousand.
    await Promise.all(entries.flatMap((entry) => [entry.leaving, entry.left]));
  }

  /** Leaves agents that nobody asked for in `idleMs` and whose store is closed. */
  async leaveIdle(idleMs: number): Promise<void> {
    const nowMs = this.#deps.clock.monotonicMs();
    await eachOf(this.#idle().filter((entry) => nowMs - entry.lastUsedAtMs >= idleMs), LEAVING_AT_ONCE, (entry) => this.#leave(entry));
  }

  /** The lease has ended: nothing is acknowledged from here on. */
  lost(agentId: AgentId, lease: LeaseKeeper | undefined, why: LeaseEnd | 'fenced'): void {
    const entry = this.#held.get(agentId);
    if (entry === undefined || (lease !== undefined && entry.lease !== lease)) return;
    this.#deps.logger.warn('a store is not ours any more and is closed', { agentId, epoch: entry.lease.epoch, reason: why });
    void this.#leave(entry);
  }

  /** Epoch that a store may be opened under. @throws NOT_OWNER */
  admit(agentId: AgentId): number {
    const entry = this.#held.get(agentId);
    if (entry === undefined || entry.leaving !== undefined || !entry.lease.isTrusted) throw notOwner(agentId);
    return entry.lease.epoch;
  }

  /** The store was opened under `epoch`. False: it is not to be used any more. */
  opened(agentId: AgentId, epoch: number): boolean {
    const entry = this.#held.get(agentId);
    if (entry === undefined || !entry.lease.isTrusted) return false;
    entry.lease.raiseEpoch(epoch);
    return true;
  }

  #checksOf(entry: HeldAgent): OwnerChecks {
    const { agentId } = entry.agent;
    const assertMayAnswer = (): void => {
      if (!entry.lease.isTrusted) throw notOwner(agentId);
    };
    return {
      assertMayAnswer,
      assertOwner: () => {
        assertMayAnswer();
        if (entry.leaving !== undefined) throw notOwner(agentId);
        entry.lastUsedAtMs = this.#deps.clock.monotonicMs();
      },
    };
  }

  /** Opens the store where there is one. */
  #look({ agent, lease }: HeldAgent): Promise<ClaimStoreResponse> {
    const { owner } = this.#deps;
    return agent.read(
      ({ epoch }, { seq }) => Promise.resolve(ClaimStoreResponse.create({ epoch, owner, storeSeq: seq })),
      () => ClaimStoreResponse.create({ epoch: lease.epoch, owner }),
    );
  }

  #leave(entry: HeldAgent): Promise<HandOverResponse> {
    entry.leaving ??= (async () => {
      // Subjects first: from here on calls find nobody and are claimed anew. Not waited for: this may be
      // one of the calls that it waits for.
      const { agentId } = entry.agent;
      entry.left = entry.served?.stop().catch((err: unknown) => this.#deps.logger.error('subjects of a store could not be left', { agentId, err }));
      entry.closed = this.#close(entry);
      const answer = await entry.closed;
      await entry.lease.release();
      if (this.#held.get(agentId) === entry) this.#held.delete(agentId);
      return answer;
    })();
    return entry.leaving;
  }

  /** Waits for those at work, then brings the files up to date and closes them. Never rejects. */
  async #close({ agent: { agentId }, lease }: HeldAgent): Promise<HandOverResponse> {
    const { stores, logger } = this.#deps;
    let answer = HandOverResponse.create({ epoch: lease.epoch });
    try {
      if (stores.isOpen(agentId)) {
        answer = await stores.use(agentId, ({ store, seq }) => Promise.resolve(HandOverResponse.create({ epoch: store.epoch, storeSeq: seq }))).catch(() => answer);
      }
      await stores.release(agentId);
    } catch (err) {
      logger.error('a store could not be left in order', { agentId, err });
    }
    return answer;
  }

  #idle(): HeldAgent[] {
    const { stores } = this.#deps;
    return [...this.#held.values()].filter((entry) => entry.leaving === undefined && entry.served !== undefined && !stores.isOpen(entry.agent.agentId));
  }
}

function notOwner(agentId: AgentId): SessionError {
  return new SessionError('NOT_OWNER', `this store-writer does not own the store of agent ${agentId}`, { facts: { agentId } });
}

/** Calls `work` for each item, a bounded number at a time. */
export async function eachOf<T>(items: readonly T[], atOnce: number, work: (item: T) => Promise<unknown>): Promise<void> {
  const waiting = [...items];
  const lane = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, waiting.length) }, lane));
}
