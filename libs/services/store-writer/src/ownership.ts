/**
 * Which agents' stores this writer answers for when it is alone with its state directory, by the
 * subjects it serves. Among other writers `leased/leased-ownership.ts` takes its place.
 *
 * Served: the two pool methods, for any writer; and per agent the methods of its owner. An agent is
 * served from the start when it is configured or found on disk, any other once somebody claims it.
 * Serving opens nothing: the store is opened by the first request, and its owner file keeps every
 * other process out from then on.
 */
import { ClaimStoreResponse, HandOverResponse, StoreServiceListAgentsResponse, StoreServiceService } from '@sessions/contracts';
import { SessionError, asAgentId, configuredAgents, type AgentId, type Places, type SessionConfig } from '@sessions/domain';
import { serveService, type Bus, type Served, type Subjects } from '@sessions/bus';
import type { Logger } from '@sessions/host';
import { coversAgent, notCovered } from './covered-agents';
import { listAgents } from './list-agents';
import type { OpenStores } from './open-stores';
import type { OpenAgentStore, OwnedAgent } from './owned-agent';
import type { StoreHandlers } from './serve-agent';
import { storesOnDisk } from './store-places';
import { WaitingStores } from './waiting-stores';

/** Agents that one writer serves. */
export const AGENTS_MAX = 10_000;

export const POOL_METHODS: ReadonlySet<string> = new Set(['ClaimStore', 'ListAgents']);
export const POOL_QUEUE_GROUP = 'store-writer';

/** What a store's handlers have to ask. */
export interface OwnerChecks {
  /** @throws NOT_OWNER when no call may begin: the store is another's, or is being handed over. */
  assertOwner(): void;
  /** @throws NOT_OWNER when no call may be answered as the owner's any more. */
  assertMayAnswer(): void;
}

export interface OwnershipDeps {
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly logger: Logger;
  readonly config: () => SessionConfig;
  readonly places: Places;
  readonly stores: OpenStores<OpenAgentStore>;
  /** `<name>/<instance>`. */
  readonly owner: string;
  /** The default agent's store is made, opened at the start and kept open: the state directory is ours alone. */
  readonly holdsDefaultAgent: boolean;
  readonly createAgent: (agentId: AgentId) => OwnedAgent;
  /** Whether work may wait in a store that is not open. */
  readonly mayHoldOpenWork: (agentId: AgentId) => boolean;
  readonly createHandlers: (agent: OwnedAgent, checks: OwnerChecks) => StoreHandlers;
}

interface ServedAgent {
  readonly agent: OwnedAgent;
  readonly served: Promise<Served>;
  handingOver: Promise<HandOverResponse> | undefined;
}

export class Ownership {
  readonly #deps: OwnershipDeps;
  readonly #agents = new Map<AgentId, ServedAgent>();
  #pool: Served | undefined;
  #draining = false;

  constructor(deps: OwnershipDeps) {
    this.#deps = deps;
  }

  /** @throws why the default agent's store cannot be ours: another process holds it, or it cannot be written. */
  async start(): Promise<void> {
    const { bus, subjects, config, places, logger } = this.#deps;
    const { ids, defaultAgentId } = configuredAgents(config());
    const { stores, skipped } = await storesOnDisk(config(), places);
    for (const { path, reason } of skipped) logger.warn('a place that looks like a store is not served', { file: path, reason: reason.replaceAll(' ', '-') });
    await Promise.all([...new Set([...ids, ...stores.map((store) => store.agentId)])].filter((agentId) => this.#covers(agentId)).map((agentId) => this.#serve(agentId)));
    const standing = this.#agents.get(defaultAgentId)?.agent;
    // Taken even where nothing is stored yet: two gateways on one state directory find each other here.
    if (this.#deps.holdsDefaultAgent) await standing?.use(() => Promise.resolve());
    else await standing?.read(() => Promise.resolve(), () => undefined);
    const handlers: StoreHandlers = {
      claimStore: ({ agentId }) => this.claim(agentId),
      listAgents: () => this.#listAgents(),
    };
    this.#pool = await serveService(bus, StoreServiceService, handlers, {
      subjectFor: (method) => (POOL_METHODS.has(method) ? subjects.storePool(method) : undefined),
      queueGroup: POOL_QUEUE_GROUP,
    });
    this.#openWhereWorkWaits();
  }

  /** Beside the first calls. */
  #openWhereWorkWaits(): void {
    const { logger, stores, mayHoldOpenWork } = this.#deps;
    const waiting = new WaitingStores({
      logger,
      agents: () => Promise.resolve([...this.#agents.keys()]),
      mayWait: (agentId) => !stores.isOpen(agentId) && mayHoldOpenWork(agentId),
      open: (agentId) => this.#agents.get(agentId)?.agent.read(async (_store, { work }) => work.found(), () => undefined) ?? Promise.resolve(),
    });
    const goOn = (): boolean => !this.#draining;
    // At all of them: nothing looks again later. A last look for those that found no place among the open stores.
    void waiting.lookAtAll(goOn).then(() => waiting.look(goOn));
  }

  /** Serves an agent, if it is not served yet, and says who its owner is now. */
  async claim(agent: string): Promise<ClaimStoreResponse> {
    const agentId = asAgentId(agent);
    if (!this.#covers(agentId)) throw notCovered(agentId);
    await this.#agents.get(agentId)?.handingOver;
    const entry = this.#agents.get(agentId) ?? this.#serveNew(agentId);
    await entry.served;
    const { owner } = this.#deps;
    return entry.agent.read(
      ({ epoch }, { seq }) => Promise.resolve(ClaimStoreResponse.create({ epoch, owner, storeSeq: seq })),
      () => ClaimStoreResponse.create({ owner }),
    );
  }

  /** Takes no further request; resolves when those under way have been answered. */
  async drain(): Promise<void> {
    this.#draining = true;
    const served = await Promise.allSettled([...this.#agents.values()].map((entry) => entry.served));
    await Promise.all([this.#pool?.stop(), ...served.map((one) => (one.status === 'fulfilled' ? one.value.stop() : undefined))]);
  }

  #covers(agentId: AgentId): boolean {
    return coversAgent(this.#deps.config().storeWriter.agents, agentId);
  }

  async #serve(agentId: AgentId): Promise<void> {
    await (this.#agents.get(agentId) ?? this.#serveNew(agentId)).served;
  }

  #serveNew(agentId: AgentId): ServedAgent {
    if (this.#draining) throw new SessionError('SHUTTING_DOWN', 'this store-writer is shutting down');
    if (this.#agents.size >= AGENTS_MAX) throw new SessionError('OVERLOADED', `one store-writer serves at most ${String(AGENTS_MAX)} agents`);
    const { bus, subjects, createAgent, createHandlers } = this.#deps;
    const agent = createAgent(agentId);
    const assertOwner = (): void => {
      if (entry.handingOver !== undefined) throw new SessionError('NOT_OWNER', 'the store is being handed over', { facts: { agentId } });
    };
    const handlers: StoreHandlers = { ...createHandlers(agent, { assertOwner, assertMayAnswer: () => undefined }), handOver: () => this.#handOver(entry) };
    const served = serveService(bus, StoreServiceService, handlers, {
      subjectFor: (method) => (POOL_METHODS.has(method) ? undefined : subjects.store(agentId, method)),
    });
    const entry: ServedAgent = { agent, served, handingOver: undefined };
    this.#agents.set(agentId, entry);
    served.catch(() => this.#agents.delete(agentId));
    return entry;
  }

  /** Finishes what is under way, brings the files up to date and frees the store. */
  #handOver(entry: ServedAgent): Promise<HandOverResponse> {
    entry.handingOver ??= (async () => {
      const { agentId } = entry.agent;
      const { stores, logger } = this.#deps;
      try {
        const answer = stores.isOpen(agentId)
          ? await stores.use(agentId, ({ store, seq }) => Promise.resolve(HandOverResponse.create({ epoch: store.epoch, storeSeq: seq })))
          : HandOverResponse.create({});
        await stores.release(agentId);
        return answer;
      } finally {
        this.#agents.delete(agentId);
        // Not waited for: it ends when this very call has been answered.
        void entry.served.then((served) => served.stop()).catch((err: unknown) => logger.error('subjects of a store could not be left', { agentId, err }));
      }
    })();
    return entry.handingOver;
  }

  async #listAgents(): Promise<StoreServiceListAgentsResponse> {
    const { config, places, createAgent } = this.#deps;
    const hasStore = (agentId: AgentId): Promise<boolean> => (this.#agents.get(agentId)?.agent ?? createAgent(agentId)).hasStore();
    return StoreServiceListAgentsResponse.create({ agents: await listAgents(config(), places, hasStore) });
  }
}
