/**
 * The open runs and deliveries of a store while it is open: which entry holds which, who has a claim,
 * what is overdue. Entries are the truth; they are found by an index when the store is opened, and every
 * mutation after that is noted here. Jobs are notices, of turns (`turn-notices.ts`) and of messages to other
 * sessions.
 */
import { AgentRuntimeService, CancelTurnRequest, DeliveryJob } from '@sessions/contracts';
import { createClient, type Bus, type Client, type Subjects } from '@sessions/bus';
import { APPROVALS_MEMBER, deliveryOffer, parseEntry, type JsonObject } from '@sessions/domain';
import type { Clock, Logger, Timer } from '@sessions/host';
import type { AgentStore, Effect } from '@sessions/store';
import { deliveriesOf, type OpenDelivery } from './decisions/open-delivery';
import { activeRun, runsOf, type OpenRun } from './decisions/open-run';
import { pendingOf } from './decisions/pending-compaction';
import type { OpenApprovals } from './open-approvals';
import type { PendingCompactions } from './pending-compactions';
import type { EventPublisher } from './publish-events';
import type { RunSpool } from './run-spool';
import { RunClaims } from './run-claims';
import { LOOK_FOR_RUNNER_MS, RunnerPresence } from './runner-presence';
import { TurnNotices } from './turn-notices';

/** How often this looks around while there is open work. */
const LOOK_MS = 1_000;
/** Files that nobody names any more are looked for this often. */
const SWEEP_MS = 24 * 60 * 60_000;

export interface OpenWorkDeps {
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly agentId: string;
  /** Name of this owner, for its calls. */
  readonly owner: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly compactions: PendingCompactions;
  readonly approvals: Pick<OpenApprovals, 'found'>;
  readonly events: Pick<EventPublisher, 'publish'>;
  readonly spool: RunSpool;
  /** Milliseconds. */
  readonly claimMs?: number;
  /** Milliseconds, default TELL_TURN_AGAIN_MS. */
  readonly tellAgainMs?: number;
  /** Has an attempt ended that nobody answers for. */
  readonly expire: (lost: LostAttempt) => Promise<void>;
}

export interface LostAttempt {
  readonly key: string;
  readonly runId: string;
  readonly attempt: number;
}

/** What one entry holds. */
interface Held {
  readonly seq: number;
  readonly sessionId: string;
  readonly runs: readonly OpenRun[];
  readonly deliveries: readonly OpenDelivery[];
}

type Part = 'runs' | 'deliveries';
const PARTS: readonly Part[] = ['runs', 'deliveries'];

export class OpenWork {
  readonly #deps: OpenWorkDeps;
  readonly #held = new Map<string, Held>();
  /** Until everything is found: what mutations told of an entry. The rest of it is still to be found. */
  readonly #told = new Map<string, ReadonlySet<Part>>();
  readonly #keyOfRun = new Map<string, string>();
  readonly #keyOfDelivery = new Map<string, string>();
  readonly #claims: RunClaims;
  /** Attempts that were offered of a delivery. */
  readonly #offered = new Map<string, number>();
  readonly #expiring = new Set<string>();
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #runtime: Client<typeof AgentRuntimeService>;
  readonly #presence: RunnerPresence;
  readonly #turns: TurnNotices;
  #timer: Timer | undefined;
  #closed = false;
  #isFound = false;
  #found: Promise<void> = Promise.resolve();
  #sweptAtMs: number | undefined;

  constructor(deps: OpenWorkDeps) {
    this.#deps = deps;
    const { bus, subjects, owner } = deps;
    this.#claims = new RunClaims(deps.clock, deps.claimMs);
    this.#presence = new RunnerPresence(bus, subjects, owner);
    this.#turns = new TurnNotices(deps);
    this.#runtime = createClient(bus, AgentRuntimeService, { caller: `service:${owner}`, subject: (method, request) => subjects.run((request as { runId: string }).runId, method) });
  }

  /** Looks for what was open when the store was last closed; resolves at once and goes on beside the calls. */
  find(store: AgentStore): void {
    this.#found = this.#find(store).catch((err: unknown) => {
      if (!this.#closed) this.#deps.logger.warn('open work could not be looked for', { agentId: this.#deps.agentId, err });
    });
  }

  /** Resolves when the entries with open work have been looked at. */
  found(): Promise<void> {
    return this.#found;
  }

  /** True while turns or messages between sessions wait: the store stays open for them. */
  get isBusy(): boolean {
    if (this.#keyOfRun.size > 0) return true;
    for (const { deliveries } of this.#held.values()) if (deliveries.some(({ toKey }) => toKey !== undefined)) return true;
    return false;
  }

  get counts(): { readonly runs: number; readonly deliveries: number } {
    return { runs: this.#keyOfRun.size, deliveries: this.#keyOfDelivery.size };
  }

  /** Keys whose entries hold open work, in no order. */
  keys(): readonly string[] {
    return [...this.#held.keys()];
  }

  async keyOfRun(runId: string): Promise<string | undefined> {
    if (!this.#keyOfRun.has(runId) && !this.#isFound) await this.#found;
    return this.#keyOfRun.get(runId);
  }

  async keyOfDelivery(deliveryId: string): Promise<string | undefined> {
    if (!this.#keyOfDelivery.has(deliveryId) && !this.#isFound) await this.#found;
    return this.#keyOfDelivery.get(deliveryId);
  }

  /** Nothing else is open in the session that holds the delivery. */
  isLast(deliveryId: string): boolean {
    const held = this.#held.get(this.#keyOfDelivery.get(deliveryId) ?? '');
    return held?.runs.length === 0 && held.deliveries.length === 1;
  }

  hasRuns(key: string): boolean {
    return (this.#held.get(key)?.runs.length ?? 0) > 0;
  }

  /** Runs that have not ended and go back to one message of a person. */
  runsOfTrace(traceId: string): readonly OpenRun[] {
    return [...this.#held.values()].flatMap(({ runs }) => runs).filter(({ runId, state, interSession }) => state !== 'over' && (interSession?.traceId ?? runId) === traceId);
  }

  /** The claim on a run that is not over yet, by its end as epoch milliseconds. */
  claimOf(runId: string): { readonly attempt: number; readonly runnerId: string; readonly endsAtMs: number } | undefined {
    return this.#claims.valid(runId);
  }

  /** A runner has the run, from now for a whole claim. @returns its end, epoch milliseconds. */
  claimed(runId: string, attempt: number, runnerId: string, { isFound = false } = {}): number {
    if (this.#keyOfRun.has(runId)) this.#claims.take(runId, { attempt, runnerId, isFound });
    return this.#claims.endsAtMs;
  }

  /** Its runner gave a sign of life. */
  renew(runId: string, attempt: number): void {
    this.#claims.renew(runId, attempt);
  }

  /** Resolves to true when the run is not open any more, to false after `limitMs`. */
  whenOver(runId: string, limitMs: number): Promise<boolean> {
    if (!this.#keyOfRun.has(runId)) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = this.#deps.clock.setTimer(limitMs, () => {
        waiting.delete(over);
        resolve(false);
      });
      const over = (): void => {
        timer.cancel();
        resolve(true);
      };
      const waiting = this.#waiting.get(runId) ?? new Set();
      waiting.add(over);
      this.#waiting.set(runId, waiting);
    });
  }

  /** Asks the runner to stop; it may be gone, and then hears it with nobody, or at its next heartbeat. */
  tellToStop(runId: string, reason: string): void {
    void this.#runtime.cancelTurn(CancelTurnRequest.create({ runId, reason })).catch(() => undefined);
  }

  /** What a durable mutation did to entries. To be called for each, in the order in which they end. */
  note(effects: readonly Effect[], seq: number): void {
    for (const effect of effects) {
      if (effect.kind === 'removeEntry') {
        this.#noteTold(effect.key, PARTS);
        this.#put(effect.key, { seq, sessionId: '', runs: [], deliveries: [] });
      } else if (effect.kind === 'putEntry') {
        const { key, set, clear = [] } = effect;
        const before = this.#held.get(key);
        const isRuns = 'openRuns' in set || clear.includes('openRuns');
        const isDeliveries = 'openDeliveries' in set || clear.includes('openDeliveries');
        if (!isRuns && !isDeliveries) continue;
        this.#noteTold(key, PARTS.filter((part) => (part === 'runs' ? isRuns : isDeliveries)));
        this.#put(key, {
          seq,
          sessionId: typeof set['sessionId'] === 'string' ? set['sessionId'] : (before?.sessionId ?? ''),
          runs: isRuns ? runsOf(set) : (before?.runs ?? []),
          deliveries: isDeliveries ? deliveriesOf(set) : (before?.deliveries ?? []),
        });
        if (isRuns) this.#claimBegun(key, before);
      }
    }
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#turns.close();
    for (const waiting of this.#waiting.values()) for (const over of waiting) over();
    this.#waiting.clear();
    this.#held.clear();
    this.#told.clear();
    this.#keyOfRun.clear();
    this.#keyOfDelivery.clear();
    this.#claims.clear();
  }

  async #find(store: AgentStore): Promise<void> {
    const { compactions, approvals } = this.#deps;
    for await (const { key, text, sessionId } of store.facts.openWork()) {
      if (this.#closed) return;
      const entry = parseEntry(JSON.parse(text));
      if (!entry.listed) continue;
      const pending = pendingOf(entry.members, sessionId);
      if (pending !== undefined) compactions.asked({ ...pending, key });
      if (entry.members[APPROVALS_MEMBER] !== undefined) approvals.found(key, entry.members, sessionId);
      this.#take(key, entry.members, sessionId ?? '');
    }
    this.#isFound = true;
    this.#told.clear();
    // Whoever worked on them may have died with the last owner: looked for at once, not after a silence.
    for (const [key, held] of this.#held) this.#lookForRunner(key, held);
  }

  #noteTold(key: string, parts: readonly Part[]): void {
    if (!this.#isFound && !this.#closed) this.#told.set(key, new Set([...(this.#told.get(key) ?? []), ...parts]));
  }

  /** An entry as it was found; what mutations told meanwhile is newer. Whoever works on its run has a whole claim from now. */
  #take(key: string, members: JsonObject, sessionId: string): void {
    const told = this.#told.get(key);
    if (PARTS.every((part) => told?.has(part) === true)) return;
    const before = this.#held.get(key);
    const found = { runs: told?.has('runs') === true ? [] : runsOf(members), deliveries: told?.has('deliveries') === true ? [] : deliveriesOf(members) };
    const held: Held = { seq: before?.seq ?? 0, sessionId: before === undefined || before.sessionId === '' ? sessionId : before.sessionId, runs: [...(before?.runs ?? []), ...found.runs], deliveries: [...(before?.deliveries ?? []), ...found.deliveries] };
    for (const { runId, state, runnerId, attempt, joins } of found.runs) {
      this.#keyOfRun.set(runId, key);
      if (state === 'running' && joins === undefined && runnerId !== undefined) this.claimed(runId, attempt, runnerId, { isFound: true });
    }
    this.#put(key, held);
  }

  #put(key: string, now: Held): void {
    if (this.#closed) return;
    const before = this.#held.get(key);
    // Mutations that wait for file operations end later than those decided after them.
    if (before !== undefined && before.seq > now.seq) return;
    const openRuns = new Set(now.runs.filter(({ state }) => state !== 'over').map(({ runId }) => runId));
    for (const { runId } of before?.runs ?? []) if (!openRuns.has(runId) && this.#keyOfRun.get(runId) === key) this.#forgetRun(runId);
    for (const { deliveryId } of before?.deliveries ?? []) this.#keyOfDelivery.delete(deliveryId);
    if (now.runs.length === 0 && now.deliveries.length === 0) this.#held.delete(key);
    else this.#held.set(key, now);
    for (const runId of openRuns) this.#keyOfRun.set(runId, key);
    for (const { deliveryId } of now.deliveries) this.#keyOfDelivery.set(deliveryId, key);
    const offered = new Set(now.deliveries.map(({ deliveryId }) => deliveryId));
    for (const { deliveryId } of before?.deliveries ?? []) if (!offered.has(deliveryId)) this.#offered.delete(deliveryId);
    const active = activeRun(now.runs);
    const claim = active === undefined ? undefined : this.#claims.get(active.runId);
    if (active !== undefined && claim !== undefined && claim.attempt !== active.attempt) this.#claims.delete(active.runId);
    this.#tellDue(key);
    this.#offerDue(key, now);
    this.#startTimer();
  }

  #forgetRun(runId: string): void {
    this.#presence.forget(runId);
    this.#keyOfRun.delete(runId);
    this.#claims.delete(runId);
    this.#turns.forget(runId);
    for (const over of this.#waiting.get(runId) ?? []) over();
    this.#waiting.delete(runId);
  }

  /** Whoever has just begun holds the run from here, not from when it is answered: a look in between must not find it without anybody. */
  #claimBegun(key: string, before: Held | undefined): void {
    const active = activeRun(this.#held.get(key)?.runs ?? []);
    if (active?.state !== 'running' || active.runnerId === undefined) return;
    const { runId, attempt, runnerId } = active;
    const wasBegun = before?.runs.some((run) => run.runId === runId && run.attempt === attempt && run.runnerId === runnerId) === true;
    if (!wasBegun) this.claimed(runId, attempt, runnerId);
  }

  #startTimer(): void {
    if (this.#timer !== undefined || this.#closed || this.#held.size === 0) return;
    this.#timer = this.#deps.clock.setTimer(
      LOOK_MS,
      () => {
        this.#timer = undefined;
        for (const [key, held] of this.#held) {
          this.#lookForRunner(key, held);
          this.#expireDue(key, held);
          this.#tellDue(key);
          this.#offerDue(key, held);
        }
        this.#sweepDue();
        this.#startTimer();
      },
      { keepsAlive: false },
    );
  }

  /** A runner that is gone holds no claim. */
  #lookForRunner(key: string, { runs }: Held): void {
    const active = activeRun(runs);
    const claim = active === undefined ? undefined : this.#claims.get(active.runId);
    if (active === undefined || claim === undefined) return;
    const { runId } = active;
    if (!claim.isFound && this.#claims.silentMs(claim) < LOOK_FOR_RUNNER_MS) return;
    void this.#presence.isGone(runId).then((isGone) => {
      const now = this.#claims.get(runId);
      if (now !== claim || isGone !== true) return;
      this.#claims.end(claim);
      const held = this.#held.get(key);
      if (held !== undefined) this.#expireDue(key, held);
    });
  }

  /** The claim on the active run has ended. */
  #expireDue(key: string, { runs }: Held): void {
    const active = activeRun(runs);
    if (active?.state !== 'running' || active.runnerId === undefined || this.claimOf(active.runId) !== undefined || this.#expiring.has(active.runId)) return;
    const { runId, attempt } = active;
    this.#expiring.add(runId);
    this.#claims.delete(runId);
    this.#deps
      .expire({ key, runId, attempt })
      .catch((err: unknown) => {
        if (!this.#closed) this.#deps.logger.warn('a lost attempt could not be ended; it is tried again', { agentId: this.#deps.agentId, err });
      })
      .finally(() => this.#expiring.delete(runId));
  }

  #tellDue(key: string): void {
    this.#turns.tellDue(key, () => this.#held.get(key)?.runs ?? []);
  }

  #offerDue(key: string, { deliveries, sessionId }: Held): void {
    const { bus, subjects, agentId, logger, clock, events } = this.#deps;
    const nowMs = clock.nowMs();
    for (const { deliveryId, createdAtMs, toKey, channel = '', accountId } of deliveries) {
      const { attempt, nextAtMs } = deliveryOffer(createdAtMs, nowMs);
      const before = this.#offered.get(deliveryId);
      if (before !== undefined && (attempt <= before || nextAtMs === undefined)) continue;
      this.#offered.set(deliveryId, attempt);
      if (nextAtMs === undefined) continue;
      if (toKey === undefined) {
        // Opened just now: `open` was told with the mutation.
        if (attempt > 1 || before !== undefined) events.publish({ kind: 'delivery', key, sessionId, deliveryId, state: 'offered', channel, accountId });
        continue;
      }
      const job = DeliveryJob.create({ agentId, deliveryId, attempt, channel, accountId });
      bus.jobs
        .publish(subjects.job('delivery', agentId), DeliveryJob, job, `delivery:${agentId}:${deliveryId}:${String(attempt)}${before === undefined && attempt > 1 ? `:${String(nowMs)}` : ''}`)
        .catch((err: unknown) => logger.warn('a delivery could not be put on the queue; it is tried again', { agentId, err }));
    }
  }

  #sweepDue(): void {
    const { clock, spool, logger, agentId } = this.#deps;
    const atMs = clock.monotonicMs();
    if (!this.#isFound || (this.#sweptAtMs !== undefined && atMs - this.#sweptAtMs < SWEEP_MS)) return;
    this.#sweptAtMs = atMs;
    const named = new Set<string>();
    for (const { runs, deliveries } of this.#held.values()) {
      for (const { message } of runs) if (message?.spool !== undefined) named.add(message.spool);
      for (const { spool: name } of deliveries) if (name !== undefined) named.add(name);
    }
    void spool.sweep(named, clock.nowMs()).catch((err: unknown) => logger.warn('files of ended runs could not be removed', { agentId, err }));
  }
}
