/**
 * The store-writer: the only service that writes the files of agents' stores. It answers for the
 * agents it serves, opens their stores on demand, and tells the bus what changed.
 */
import { DEFAULT_TIMING, createSubjects, type Bus, type BusTiming } from '@sessions/bus';
import { SessionError, agentSettings, configuredAgents, type AgentId, type Places, type PriceList, type SessionConfig } from '@sessions/domain';
import type { Clock, Logger, Metrics, Service, Timer } from '@sessions/host';
import { TrajectoryWriter, mayHoldOpenWork, openStore, type OpenStoreOptions, type StoreNotice } from '@sessions/store';
import * as path from 'node:path';
import { createCallMetrics } from './call-metrics';
import { LiveFeed } from './live-feed';
import { OpenStores } from './open-stores';
import { OwnedAgent, type OpenAgentStore } from './owned-agent';
import { LeasedOwnership, type LeasedOwnershipDeps } from './leased/leased-ownership';
import { OpenApprovals } from './open-approvals';
import { OpenWork } from './open-work';
import { Ownership, type OwnershipDeps } from './ownership';
import { PendingCompactions } from './pending-compactions';
import { carryOutExport, expireApproval, type ApprovalFacts } from './end-approval';
import { endLostAttempt } from './end-lost-attempt';
import { EventPublisher } from './publish-events';
import { RunSpool } from './run-spool';
import { SpawnNotes, UNCLAIMED_MS } from './spawn-notes';
import { sweepUnclaimed } from './sweep-spawns';
import { createAgentHandlers } from './serve-agent';
import { sessionsFileOf } from './store-places';
import { Uploads } from './uploads';
import { workspaceIn } from './workspace/agent-workspace';

export interface StoreWriterDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** The configuration in force at this moment. A store's path and flush mode count when it is opened. */
  readonly config: () => SessionConfig;
  /** Prices beside the configured ones, as they are at this moment. */
  readonly prices?: () => PriceList | undefined;
  /** State directory and home, both absolute. */
  readonly places: Places;
  /** Name of this process among its peers. */
  readonly instance: string;
  /**
   * Default `standalone`: this process is alone with its state directory and serves every agent at
   * once. `split`: one of several writers; agents are claimed, each under a lease.
   */
  readonly transport?: 'standalone' | 'split';
  readonly subjectPrefix?: string;
  /** Open the default agent's store at the start, and keep it, so that no second gateway serves this state directory. */
  readonly holdsDefaultAgent?: boolean;
  /** Path of better_sqlite3.node, for bundles. */
  readonly nativeBinding?: string;
  /** Stores open at a time, default OPEN_STORES_MAX. */
  readonly openStoresMax?: number;
  /** Milliseconds, default IDLE_CLOSE_MS. */
  readonly idleCloseMs?: number;
  /** Spans of leases, with `split`; default: those of the contract. The bus must run with the same. */
  readonly leaseTiming?: Pick<BusTiming, 'leaseTtlMs' | 'leaseRenewMs' | 'leaseTrustMs'>;
  /** How long a claim on a turn lasts. Milliseconds, default CLAIM_MS. */
  readonly claimMs?: number;
  /** How often overdue compactions and turns are told again. Milliseconds, default TELL_AGAIN_MS. */
  readonly tellAgainMs?: number;
  /** Whether what runs do is recorded, and the absolute directory where it is kept in place of the stores. Default: beside the transcripts. */
  readonly trajectory?: { readonly enabled: boolean; readonly dir: string | undefined };
  /** Default: the engine's. */
  readonly openStore?: typeof openStore;
}

const SERVICE_NAME = 'store-writer';

/** Builds the service and starts nothing. */
export function createStoreWriter(deps: StoreWriterDeps): Service {
  const { bus, clock, config, places, instance } = deps;
  const logger = deps.logger.child({ service: SERVICE_NAME });
  const owner = `${SERVICE_NAME}/${instance}`;
  const subjects = createSubjects(deps.subjectPrefix ?? config().bus.subjectPrefix);
  const feed = new LiveFeed();
  const openGauge = deps.metrics.gauge('sessions_open_stores', 'Stores that are open');
  const metrics = createCallMetrics(deps.metrics, clock, logger);
  const sessionsFile = (agentId: AgentId): string => sessionsFileOf(config(), agentId, places);
  const uploads = new Uploads({ clock, directory: (agentId) => path.join(ownDirOf(sessionsFile(agentId as AgentId)), 'uploads') });
  const stores = new OpenStores<OpenAgentStore>({
    clock,
    logger,
    ...(deps.openStoresMax === undefined ? {} : { openMax: deps.openStoresMax }),
    ...(deps.idleCloseMs === undefined ? {} : { idleCloseMs: deps.idleCloseMs }),
    keepsOpen: (agentId) => deps.holdsDefaultAgent === true && agentId === configuredAgents(config()).defaultAgentId,
    open: async (agentId, onFailure) => {
      const reports = createReports(logger, agentId);
      const epochFloor = leased?.admit(agentId);
      const store = await (deps.openStore ?? openStore)({
        ...optionsOf(deps, agentId, sessionsFile(agentId as AgentId)),
        ...(epochFloor === undefined ? {} : { epochFloor, takesOver: true }),
        onNotice: reports.notice,
        onFailure: (error) => {
          onFailure();
          leased?.failed(agentId, error);
        },
      });
      if (leased?.opened(agentId, store.epoch) === false) {
        await store.close();
        throw new SessionError('NOT_OWNER', 'the store was lost while it opened', { facts: { agentId } });
      }
      const events = new EventPublisher({ bus, subjects, agentId, epoch: store.epoch, clock, feed, logger });
      events.publish({ kind: 'store', storeKind: 'owner', facts: { epoch: store.epoch, owner } });
      reports.publishTo(events);
      openGauge.inc();
      const timeoutMs = (): number => agentSettings(config(), agentId as AgentId).compaction.timeoutSeconds * 1000;
      const compactions = new PendingCompactions({ bus, subjects, agentId, clock, logger, timeoutMs, ...(deps.tellAgainMs === undefined ? {} : { tellAgainMs: deps.tellAgainMs }) });
      const spool = new RunSpool(store.layout.ownDir);
      const spawnNotes = new SpawnNotes(store.layout.ownDir);
      const approvalFacts = (): ApprovalFacts => {
        const { nativeBinding } = optionsOf(deps, agentId, sessionsFile(agentId as AgentId));
        return { agentId, config: config(), places, reader: { agentId, sessionsFile: sessionsFile(agentId as AgentId), ...(nativeBinding === undefined ? {} : { nativeBinding }) }, nowMs: () => clock.nowMs() };
      };
      const approvals: OpenApprovals = new OpenApprovals({ agentId, clock, logger, carryOut: (approval) => carryOutExport(opened, approvalFacts(), approval), expire: (approval) => expireApproval(opened, approvalFacts(), approval) });
      const work: OpenWork = new OpenWork({
        bus,
        subjects,
        agentId,
        owner,
        clock,
        logger,
        compactions,
        approvals,
        events,
        spool,
        ...(deps.claimMs === undefined ? {} : { claimMs: deps.claimMs }),
        ...(deps.tellAgainMs === undefined ? {} : { tellAgainMs: deps.tellAgainMs }),
        expire: (lost) => endLostAttempt(opened, { ...lost, agentId, config: config(), session: { cwd: workspaceIn(config(), agentId as AgentId, places) }, nowMs: clock.nowMs(), pathOf: (file) => path.join(store.layout.dir, file) }),
      });
      let sweep: Timer | undefined;
      const sweeps = (): void => {
        void sweepUnclaimed(opened, workspaceIn(config(), agentId as AgentId, places), clock.nowMs()).catch((err: unknown) => logger.warn('files of spawns could not be looked through', { agentId, err }));
        sweep = clock.setTimer(UNCLAIMED_MS, sweeps, { keepsAlive: false });
      };
      const opened: OpenAgentStore = {
        store,
        events,
        compactions,
        approvals,
        log: logger,
        work,
        spool,
        spawnNotes,
        trajectories: deps.trajectory?.enabled === false ? undefined : new TrajectoryWriter({ store, directory: deps.trajectory?.dir, nowMs: () => clock.nowMs() }),
        seq: (await store.info()).seq,
        get isBusy() {
          return work.isBusy || approvals.isBusy;
        },
        get failure() {
          return store.failure;
        },
        close() {
          sweep?.cancel();
          openGauge.dec();
          compactions.close();
          approvals.close();
          work.close();
          return store.close();
        },
      };
      work.find(store);
      sweeps();
      return opened;
    },
  });
  const ownershipDeps: OwnershipDeps = {
    bus,
    subjects,
    logger,
    config,
    places,
    stores,
    owner,
    holdsDefaultAgent: deps.holdsDefaultAgent ?? false,
    createAgent: (agentId) =>
      new OwnedAgent({
        agentId,
        stores,
        feed,
        clock,
        logger,
        config,
        ...(deps.prices === undefined ? {} : { prices: deps.prices }),
        sessionsFile: () => sessionsFile(agentId),
        places,
        owner,
        openOptions: () => optionsOf(deps, agentId, sessionsFile(agentId)),
      }),
    mayHoldOpenWork: (agentId) => mayHoldOpenWork({ agentId, sessionsFile: sessionsFile(agentId), ...(deps.nativeBinding === undefined ? {} : { nativeBinding: deps.nativeBinding }) }),
    createHandlers: (agent, checks) => createAgentHandlers({ agent, uploads, metrics, checks }),
  };
  const leased: LeasedOwnership | undefined = deps.transport === 'split' ? new LeasedOwnership({ ...ownershipDeps, ...leaseDepsOf(deps) }) : undefined;
  const ownership = leased ?? new Ownership(ownershipDeps);
  return {
    name: SERVICE_NAME,
    async start() {
      try {
        await ownership.start();
      } catch (error) {
        await ownership.drain();
        await stores.closeAll();
        throw error;
      }
    },
    drain: () => ownership.drain(),
    async stop() {
      await ownership.drain();
      await stores.closeAll();
    },
  };
}

function leaseDepsOf({ clock, instance, idleCloseMs, nativeBinding, leaseTiming = DEFAULT_TIMING }: StoreWriterDeps): Pick<LeasedOwnershipDeps, 'clock' | 'instance' | 'terms' | 'idleCloseMs' | 'nativeBinding'> {
  return {
    clock,
    instance,
    terms: { ttlMs: leaseTiming.leaseTtlMs, renewMs: leaseTiming.leaseRenewMs, trustMs: leaseTiming.leaseTrustMs },
    ...(idleCloseMs === undefined ? {} : { idleCloseMs }),
    ...(nativeBinding === undefined ? {} : { nativeBinding }),
  };
}

function optionsOf(deps: StoreWriterDeps, agentId: string, sessionsFile: string): OpenStoreOptions {
  const { storeFlush, writeLock } = deps.config().session;
  const { acquireTimeoutMs, staleMs, maxHoldMs } = writeLock;
  return {
    agentId,
    sessionsFile,
    instance: deps.instance,
    transport: deps.transport ?? 'standalone',
    clock: deps.clock,
    flush: storeFlush,
    checkpointDelayMs: deps.config().storeWriter.checkpointDelayMs,
    writeLock: { acquireTimeoutMs, staleMs, maxHoldMs },
    ...(deps.nativeBinding === undefined ? {} : { nativeBinding: deps.nativeBinding }),
  };
}

/** The engine's directory beside a sessions file (store format, layout). */
function ownDirOf(sessionsFile: string): string {
  const base = path.basename(sessionsFile);
  return path.join(path.dirname(sessionsFile), base === 'sessions.json' ? '.store' : `.store-${base}`);
}

const EVENT_KINDS: Readonly<Record<StoreNotice['kind'], string | undefined>> = {
  damage: 'damage',
  repaired: 'repaired',
  rebuilt: 'repaired',
  'external-edit': 'touched',
  oddity: undefined,
};

/** What a store reports goes to the log, and to the bus once its events have a publisher. */
function createReports(logger: Logger, agentId: string): { readonly notice: (notice: StoreNotice) => void; readonly publishTo: (events: EventPublisher) => void } {
  const early: StoreNotice[] = [];
  let publisher: EventPublisher | undefined;
  const publish = ({ kind, count }: StoreNotice): void => {
    const storeKind = EVENT_KINDS[kind];
    if (storeKind !== undefined) publisher?.publish({ kind: 'store', storeKind, facts: { notice: kind, ...(count === undefined ? {} : { count }) } });
  };
  return {
    notice(notice) {
      const { kind, path: file, count } = notice;
      const fields = { agentId, reason: kind, ...(file === undefined ? {} : { file }), ...(count === undefined ? {} : { count }) };
      // A notice is a sentence of the engine's: it names files and counts, never the text of a conversation.
      if (kind === 'damage') logger.warn(`store: ${notice.message}`, fields);
      else logger.info(`store: ${notice.message}`, fields);
      if (publisher === undefined) early.push(notice);
      else publish(notice);
    },
    publishTo(events) {
      publisher = events;
      for (const notice of early.splice(0)) publish(notice);
    },
  };
}
