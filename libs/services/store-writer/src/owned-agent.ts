/**
 * One agent's store as its owner's handlers see it: opened for as long as a call lasts, with the
 * publisher of its events beside it.
 *
 * A read of an agent that has no store on disk answers as an empty store would and creates nothing;
 * a mutation creates the store.
 */
import { stat } from 'node:fs/promises';
import * as path from 'node:path';
import { SessionError, priceOf, type AgentId, type JsonValue, type ModelPrice, type ModelRef, type Places, type PriceList, type SessionConfig } from '@sessions/domain';
import { idempotencyKeyOf, type CallContext } from '@sessions/bus';
import type { Clock, Logger } from '@sessions/host';
import type { AgentStore, HeldFiles, HoldRequest, MutationOutcome, MutationView, OpenStoreOptions, TrajectoryWriter } from '@sessions/store';
import { FilesMoved } from './decisions/session-files';
import type { Planned } from './decisions/planned';
import type { LiveFeed } from './live-feed';
import type { Holding, OpenStores } from './open-stores';
import type { SpoolView } from './decisions/spool-view';
import type { OpenApprovals } from './open-approvals';
import type { OpenWork } from './open-work';
import type { PendingCompactions } from './pending-compactions';
import type { EventPublisher } from './publish-events';
import { withSpool, type RunSpool } from './run-spool';
import type { SpawnNotes } from './spawn-notes';

/** How long an answer to a channel's own message id is kept: channels repeat a message for days. */
export const KEEP_CHANNEL_RESULT_MS = 7 * 24 * 60 * 60_000;

/** A store that is open, and what goes with it. */
export interface OpenAgentStore extends Holding {
  readonly store: AgentStore;
  readonly events: EventPublisher;
  readonly compactions: PendingCompactions;
  readonly approvals: OpenApprovals;
  readonly log: Pick<Logger, 'warn'>;
  readonly work: OpenWork;
  readonly spool: RunSpool;
  readonly spawnNotes: SpawnNotes;
  /** Undefined: none are recorded. */
  readonly trajectories: TrajectoryWriter | undefined;
  /** Last mutation that was acknowledged. */
  seq: number;
}

export interface OwnedAgentDeps {
  readonly agentId: AgentId;
  readonly stores: OpenStores<OpenAgentStore>;
  readonly feed: LiveFeed;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly config: () => SessionConfig;
  /** Prices beside the configured ones; undefined: there are none. */
  readonly prices?: () => PriceList | undefined;
  /** Absolute path of the agent's sessions file. */
  readonly sessionsFile: () => string;
  readonly places: Places;
  /** `<name>/<instance>` of this writer. */
  readonly owner: string;
  /** How the store is opened, for work that does it itself. */
  readonly openOptions: () => OpenStoreOptions;
}

export interface MutationRequest<T extends JsonValue> {
  readonly context: CallContext;
  /** Tells apart the requests that may share an idempotency key; absent: any content repeats. */
  readonly contentHash?: string;
  readonly keepResultMs?: number;
  /** Files that the decision is about. */
  readonly held?: HeldFiles;
  /** Pure; see `Mutation.decide`. */
  readonly plan: (view: MutationView) => Planned<T>;
  /** What a stored answer of this method says of itself. */
  readonly method: string;
}

export interface HeldMutation<T extends JsonValue> {
  readonly files: (store: AgentStore) => Promise<readonly HoldRequest[]>;
  readonly request: (held: HeldFiles, store: AgentStore) => Promise<MutationRequest<T>> | MutationRequest<T>;
}

/** A key gets another transcript this often while its files are being held, and no more. */
const HOLDS_MAX = 8;

export class OwnedAgent {
  readonly deps: OwnedAgentDeps;

  constructor(deps: OwnedAgentDeps) {
    this.deps = deps;
  }

  get agentId(): AgentId {
    return this.deps.agentId;
  }

  /** Price of exactly this model, as configured or listed at this moment; undefined: not known. */
  readonly priceOf = (model: ModelRef): ModelPrice | undefined => priceOf(model, this.deps.config(), this.deps.prices?.());

  /** @returns what `work` does, or `empty()` where the agent has no store. */
  async read<T>(work: (store: AgentStore, open: OpenAgentStore) => Promise<T>, empty: () => T): Promise<T> {
    if (!(await this.hasStore())) return empty();
    return this.deps.stores.use(this.agentId, (open) => work(open.store, open));
  }

  /** For work that may create the store. */
  use<T>(work: (open: OpenAgentStore) => Promise<T>): Promise<T> {
    return this.deps.stores.use(this.agentId, work);
  }

  /**
   * Makes one decision durable, then publishes what it announced, in the order of decisions.
   * @param after with the outcome, while the store is still open.
   */
  mutate<T extends JsonValue & { readonly method: string }, R>(request: MutationRequest<T>, after: (outcome: MutationOutcome<T>, store: AgentStore, open: OpenAgentStore) => Promise<R>): Promise<R> {
    return this.use(async (open) => after(await commit(open, request), open.store, open));
  }

  /** As `mutate`, for decisions that may need long texts written or read: they are made again then. */
  mutateSpooled<T extends JsonValue & { readonly method: string }, R>(request: (spool: SpoolView) => MutationRequest<T>, after: (outcome: MutationOutcome<T>, store: AgentStore, open: OpenAgentStore) => Promise<R>): Promise<R> {
    return this.use((open) => withSpool(open.spool, async (spool) => after(await commit(open, request(spool)), open.store, open)));
  }

  /**
   * As `mutate`, over files that nobody else changes meanwhile. Where the session has other files by
   * the time of the decision, which throws `FilesMoved` then, those are held and it is planned anew.
   * @param files which to hold, of the session as it is now.
   */
  mutateHeld<T extends JsonValue & { readonly method: string }, R>(held: HeldMutation<T>, after: (outcome: MutationOutcome<T>, store: AgentStore) => Promise<R>): Promise<R> {
    return this.use(async (open) => after(await commitHeld(open, held), open.store));
  }

  async hasStore(): Promise<boolean> {
    if (this.deps.stores.isOpen(this.agentId)) return true;
    try {
      return (await stat(path.dirname(this.deps.sessionsFile()))).isDirectory();
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'ENOENT' || code === 'ENOTDIR') return false;
      throw error;
    }
  }
}

export async function commitHeld<T extends JsonValue & { readonly method: string }>(open: OpenAgentStore, { files, request }: HeldMutation<T>): Promise<MutationOutcome<T>> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const wanted = await files(open.store);
      return await open.store.withHeld(wanted, async (held) => commit(open, { held, ...(await request(held, open.store)) }));
    } catch (error) {
      if (!(error instanceof FilesMoved)) throw error;
      if (attempt >= HOLDS_MAX) throw new SessionError('ENTRY_CHANGED', 'the session changes faster than its files can be held', { cause: error });
    }
  }
}

export async function commit<T extends JsonValue & { readonly method: string }>(open: OpenAgentStore, request: MutationRequest<T>): Promise<MutationOutcome<T>> {
  const { store, events } = open;
  let turn: ReturnType<EventPublisher['takeTurn']> | undefined;
  let announcements: Planned<T>['announcements'] = [];
  let outcome: MutationOutcome<T>;
  try {
    outcome = await store.mutate<T>({
      idempotencyKey: idempotencyKeyOf(request.context),
      ...(request.contentHash === undefined ? {} : { contentHash: request.contentHash }),
      ...(request.held === undefined ? {} : { held: request.held }),
      ...(request.keepResultMs === undefined ? {} : { keepResultMs: request.keepResultMs }),
      decide: (view) => {
        // A decision that is made again takes a later place: the earlier one never came about.
        turn?.giveUp();
        turn = undefined;
        const planned = request.plan(view);
        announcements = planned.announcements;
        turn = events.takeTurn();
        return planned.decision;
      },
    });
  } catch (error) {
    turn?.giveUp();
    throw error;
  }
  open.seq = Math.max(open.seq, outcome.seq);
  turn?.done(announcements);
  open.work.note(outcome.effects, outcome.seq);
  open.approvals.note(outcome.effects);
  if (outcome.repeated && outcome.result.method !== request.method) {
    throw new SessionError('IDEMPOTENCY_MISMATCH', 'the idempotency key was used before with another method', { facts: { method: outcome.result.method } });
  }
  return outcome;
}
