/**
 * Which agents' stores this writer owns among several writers: those whose lease it holds.
 *
 * At the start only the pool is served. A claim that arrives there makes this writer the owner when
 * nobody is (`claims.ts`); a writer that may not take the agent passes the claim on to the others,
 * one level deep, so that its caller need not be lucky.
 *
 * Two ways to keep the files (`storeWriter.volume`): on a `shared` volume any writer may own any
 * agent that it covers, and rebalancing moves agents to where they should be; with their `own`
 * volumes an agent stays where its directory is, and a new one is made by the writer that was asked,
 * once every other one of `storeWriter.writers` has said that it does not have it.
 */
import { StoreServiceListAgentsResponse, StoreServiceService, type ClaimStoreResponse } from '@sessions/contracts';
import { serveService, type Served } from '@sessions/bus';
import { SessionError, asAgentId, type AgentId, type LeaseTerms } from '@sessions/domain';
import { isOwnerGone } from '@sessions/store';
import type { Clock, Timer } from '@sessions/host';
import { coversAgent, notCovered } from '../covered-agents';
import { listAgents } from '../list-agents';
import { POOL_METHODS, POOL_QUEUE_GROUP, type OwnershipDeps } from '../ownership';
import { IDLE_CLOSE_MS } from '../open-stores';
import { sessionsFileOf } from '../store-places';
import type { StoreHandlers } from '../serve-agent';
import { Claims } from './claims';
import { HeldAgents } from './held-agents';
import { askPeers, mergeAgents, notHere, writerAway } from './other-volumes';
import { Rebalancing } from './rebalancing';
import { WaitingStores } from '../waiting-stores';
import { WriterMembers } from './writer-members';

/** How often this writer looks around: who is there, what is idle, what should be elsewhere. */
export const LOOK_AROUND_MS = 10_000;
/** The first time: what the last owners left when everything ended waits for nobody to ask for it. */
const FIRST_LOOK_MS = 250;

export interface LeasedOwnershipDeps extends OwnershipDeps {
  readonly clock: Clock;
  readonly instance: string;
  readonly terms: LeaseTerms;
  readonly idleCloseMs?: number;
  readonly nativeBinding?: string;
}

export class LeasedOwnership {
  readonly #deps: LeasedOwnershipDeps;
  readonly #members: WriterMembers;
  readonly #held: HeldAgents;
  readonly #claims: Claims;
  readonly #rebalancing: Rebalancing;
  readonly #waiting: WaitingStores;
  #served: Served[] = [];
  #timer: Timer | undefined;
  #draining = false;
  #drained: Promise<void> | undefined;

  constructor(deps: LeasedOwnershipDeps) {
    this.#deps = deps;
    const { logger, owner, config, places, nativeBinding } = deps;
    const native = nativeBinding === undefined ? {} : { nativeBinding };
    const sessionsFile = (agentId: AgentId): string => sessionsFileOf(config(), agentId, places);
    // A writer's presence has no store: any agent's path will do to judge its process, and no lock is there.
    const isGone = (holder: { host: string; pid: number }): boolean => isOwnerGone('main', `${places.stateDir}/.no-store/sessions.json`, { ...holder, epoch: 1 });
    this.#members = new WriterMembers({ ...deps, isGone });
    this.#held = new HeldAgents(deps);
    this.#claims = new Claims({ ...deps, ...native, held: this.#held, sessionsFile, holder: (epoch) => this.#members.holder(epoch) });
    this.#waiting = new WaitingStores({
      logger,
      agents: async () => (await this.#ownAgents()).filter(({ hasStore }) => hasStore).map(({ agentId }) => asAgentId(agentId)),
      mayWait: (agentId) => this.#covers(agentId) && !deps.stores.isOpen(agentId) && deps.mayHoldOpenWork(agentId),
      // Whoever has it answers; nobody has it: it is ours, and open.
      open: (agentId) => this.#claimHere(agentId),
    });
    this.#rebalancing = new Rebalancing({ logger, owner, instance: deps.instance, members: this.#members, held: this.#held });
  }

  async start(): Promise<void> {
    const { bus, subjects, instance } = this.#deps;
    const own: StoreHandlers = { claimStore: ({ agentId }) => this.#claimHere(asAgentId(agentId)), listAgents: async () => response(await this.#ownAgents()) };
    const pool: StoreHandlers = { claimStore: ({ agentId }) => this.claim(agentId), listAgents: () => this.#allAgents() };
    this.#served.push(await serveService(bus, StoreServiceService, own, { subjectFor: (method) => (POOL_METHODS.has(method) ? subjects.writer(instance, method) : undefined) }));
    await this.#members.announce();
    this.#served.push(
      await serveService(bus, StoreServiceService, pool, { subjectFor: (method) => (POOL_METHODS.has(method) ? subjects.storePool(method) : undefined), queueGroup: POOL_QUEUE_GROUP }),
    );
    this.#lookLater(FIRST_LOOK_MS, async () => void (await this.#waiting.look(() => !this.#draining)));
  }

  /** Makes sure that the agent has an owner, here or elsewhere, and says who it is. */
  async claim(agent: string): Promise<ClaimStoreResponse> {
    const agentId = asAgentId(agent);
    this.#refuseWhileDraining();
    if (await this.#isHere(agentId)) return this.#claimHere(agentId);
    const answers = await askPeers(this.#members, agentId, await this.#peers());
    if (answers.answer !== undefined) return answers.answer;
    if (!this.#covers(agentId)) throw notCovered(agentId);
    if (answers.silent.length > 0) throw writerAway(agentId, answers.silent);
    return this.#claims.claim(agentId, (asked) => this.#assertNowhere(asked));
  }

  /** Takes no further request; resolves when every store has been handed over. Safe to call again. */
  drain(): Promise<void> {
    this.#draining = true;
    this.#timer?.cancel();
    this.#drained ??= (async () => {
      await Promise.all(this.#served.map((served) => served.stop()));
      await this.#claims.settled();
      await this.#held.leaveAll();
      await this.#members.leave();
    })();
    return this.#drained;
  }

  /** @see HeldAgents.admit */
  admit(agentId: string): number {
    return this.#held.admit(asAgentId(agentId));
  }

  /** @see HeldAgents.opened */
  opened(agentId: string, epoch: number): boolean {
    return this.#held.opened(asAgentId(agentId), epoch);
  }

  /** The engine found a newer owner: the lease, whatever it says, is worth nothing. */
  failed(agentId: string, error: SessionError): void {
    if (error.reason === 'EPOCH_SUPERSEDED') this.#held.lost(asAgentId(agentId), undefined, 'fenced');
  }

  /** The agent is this writer's to take, as far as files and configuration say. */
  async #isHere(agentId: AgentId): Promise<boolean> {
    if (!this.#covers(agentId)) return false;
    return this.#isShared || this.#held.ids.includes(agentId) || (await this.#deps.createAgent(agentId).hasStore());
  }

  async #claimHere(agentId: AgentId): Promise<ClaimStoreResponse> {
    this.#refuseWhileDraining();
    if (!(await this.#isHere(agentId))) throw notHere(agentId, this.#deps.instance);
    return this.#claims.claim(agentId);
  }

  /**
   * While the lease is ours nobody else can make the agent's directory, so what the others say now
   * holds until it is made.
   * @throws NO_OWNER when another has the files, or may have them
   */
  async #assertNowhere(agentId: AgentId): Promise<void> {
    const answers = await askPeers(this.#members, agentId, await this.#peers());
    if (answers.answer !== undefined) throw new SessionError('NO_OWNER', `the files of agent ${agentId} are with another writer`, { facts: { agentId } });
    if (answers.silent.length > 0) throw writerAway(agentId, answers.silent);
  }

  #refuseWhileDraining(): void {
    if (this.#draining) throw new SessionError('SHUTTING_DOWN', 'this store-writer is shutting down');
  }

  async #peers(): Promise<readonly string[]> {
    const all = this.#isShared ? await this.#members.list() : this.#deps.config().storeWriter.writers;
    return all.filter((name) => name !== this.#deps.instance);
  }

  get #isShared(): boolean {
    return this.#deps.config().storeWriter.volume === 'shared';
  }

  #covers(agentId: AgentId): boolean {
    return coversAgent(this.#deps.config().storeWriter.agents, agentId);
  }

  #ownAgents(): ReturnType<typeof listAgents> {
    const { config, places, createAgent } = this.#deps;
    return listAgents(config(), places, (agentId) => createAgent(agentId).hasStore());
  }

  async #allAgents(): Promise<StoreServiceListAgentsResponse> {
    const own = await this.#ownAgents();
    return response(this.#isShared ? own : await mergeAgents(own, this.#members, await this.#peers()));
  }

  #lookLater(afterMs = LOOK_AROUND_MS, look = (): Promise<void> => this.#lookAround()): void {
    if (this.#draining) return;
    this.#timer = this.#deps.clock.setTimer(
      afterMs,
      () => {
        void look().finally(() => this.#lookLater());
      },
      { keepsAlive: false },
    );
  }

  async #lookAround(): Promise<void> {
    try {
      await this.#members.announce();
      await this.#held.leaveIdle(this.#deps.idleCloseMs ?? IDLE_CLOSE_MS);
      if (this.#isShared && !this.#draining) await this.#rebalancing.run();
      await this.#waiting.look(() => !this.#draining);
    } catch (err) {
      this.#deps.logger.warn('a look at the other store-writers failed and is repeated', { err });
    }
  }
}

function response(agents: Awaited<ReturnType<typeof listAgents>>): StoreServiceListAgentsResponse {
  return StoreServiceListAgentsResponse.create({ agents });
}

