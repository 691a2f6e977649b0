/**
 * What the leader begins by itself: plans of stores that were written to, once an hour of all others,
 * and the archives of ended sub-agents. Under `warn` it says what it would do and does nothing else.
 *
 * What it remembers is a convenience: announcements that a new leader does not know are made again,
 * and their time runs anew. Forgetting makes removals later, never earlier.
 */
import { Event } from '@sessions/contracts';
import type { Bus, Subjects, Subscription } from '@sessions/bus';
import {
  REMOVAL_NOTICE_MS,
  holdUnannounced,
  nextDueAtMs,
  noteTouched,
  planNotices,
  planSubagentArchives,
  startSchedule,
  takeDue,
  type Announced,
  type DueJob,
  type ScheduleState,
  type SessionConfig,
} from '@sessions/domain';
import type { CleanupReport } from '@sessions/contracts';
import type { Clock, Logger } from '@sessions/host';
import type { OwnerCalls } from './owner-calls';
import { factsRequest, planStore, readStoreFacts, reportOf, type CleanupChoice, type PlanOccasion, type StorePlan } from './store-plan';
import type { StoreRuns } from './store-runs';

export interface AutomaticRunsDeps {
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly calls: OwnerCalls;
  readonly runs: StoreRuns;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly config: () => SessionConfig;
  /** The configuration was edited and cannot be read: nothing begins by itself until it is mended. */
  readonly isSuspended: () => boolean;
}

interface Remembered {
  /** Sessions whose removal was announced, by key. */
  announced: ReadonlyMap<string, Announced>;
  unlinkAnnouncedAtMs: number | undefined;
  /** Would-be removals that were logged under `warn`, as key, session and time. */
  logged: ReadonlySet<string>;
  /** Key of the last write: the run that it leads to leaves it alone. */
  touchedKey: string | undefined;
  lastRunAtMs: number | undefined;
  lastReport: CleanupReport | undefined;
}

export interface StoreSchedule {
  readonly agentId: string;
  readonly dueAtMs: number;
  readonly lastRunAtMs: number | undefined;
  readonly lastReport: CleanupReport | undefined;
}

export class AutomaticRuns {
  readonly #deps: AutomaticRunsDeps;
  /** By agent; agents that are gone are forgotten. */
  readonly #remembered = new Map<string, Remembered>();
  #state: ScheduleState | undefined;
  #subscription: Subscription | undefined;

  constructor(deps: AutomaticRunsDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const { bus, subjects } = this.#deps;
    this.#subscription = await bus.events.subscribe(subjects.events(), Event, (event) => this.#note(event), { whenSlow: 'drop-newest' });
  }

  stop(): Promise<void> {
    return Promise.resolve(this.#subscription?.stop());
  }

  /** A new leader waits each store's interval first. */
  restart(): void {
    this.#state = undefined;
    this.#remembered.clear();
  }

  async tick(_nowMs: number, signal: AbortSignal): Promise<void> {
    const agentIds = (await this.#deps.calls.agents({ signal })).filter(({ hasStore }) => hasStore).map(({ agentId }) => agentId);
    const clock = this.#clock();
    const { state, jobs } = takeDue(this.#state ?? startSchedule(clock, agentIds), { agentIds, clock, isSuspended: this.#deps.isSuspended() });
    this.#state = state;
    for (const agentId of this.#remembered.keys()) if (!agentIds.includes(agentId)) this.#remembered.delete(agentId);
    for (const job of jobs) {
      signal.throwIfAborted();
      try {
        await this.#deps.runs.alone(job.agentId, () => (job.kind === 'plan' ? this.#tidy(job, signal) : this.#archiveSubagents(job, signal)));
      } catch (err) {
        if (signal.aborted) throw err;
        // One store that cannot be tidied keeps no other from it.
        this.#deps.logger.warn('an automatic run of maintenance failed', { agentId: job.agentId, reason: job.kind, err });
      }
    }
  }

  schedule(): readonly StoreSchedule[] {
    const state = this.#state;
    if (state === undefined) return [];
    return [...state.stores.keys()].map((agentId) => {
      const { lastRunAtMs, lastReport } = this.#of(agentId);
      return { agentId, dueAtMs: nextDueAtMs(state, agentId, this.#clock()), lastRunAtMs, lastReport };
    });
  }

  #note({ agentId, sessionKey, body }: Event): void {
    const isOwn = body?.$case === 'changed' && body.value.reason === 'cleanup';
    const isWrite = body?.$case === 'message' || body?.$case === 'changed' || (body?.$case === 'store' && body.value.kind === 'touched');
    if (isOwn || !isWrite || this.#state === undefined) return;
    this.#state = noteTouched(this.#state, agentId, this.#clock());
    if (sessionKey !== undefined) this.#of(agentId).touchedKey = sessionKey;
  }

  async #tidy({ agentId, planNowMs }: DueJob, signal: AbortSignal): Promise<void> {
    const { calls, runs, clock, logger } = this.#deps;
    const config = this.#deps.config();
    const remembered = this.#of(agentId);
    const isEnforced = config.session.maintenance.mode === 'enforce';
    // Under `warn` the plan is made as if it were enforced, and only told.
    const choice: CleanupChoice = { enforce: !isEnforced, dryRun: !isEnforced, fixMissing: false, fixDmScope: false, activeKey: remembered.touchedKey };
    const occasion: PlanOccasion = { agentId, config, choice, nowMs: planNowMs, asker: 'automatic', noticeMs: REMOVAL_NOTICE_MS, unlinkAnnouncedAtMs: remembered.unlinkAnnouncedAtMs };
    const startedAtMs = clock.monotonicMs();
    const planned = await planStore(occasion, calls.facts(factsRequest(occasion), { signal }));
    remembered.lastRunAtMs = clock.nowMs();
    if (!isEnforced) return this.#tell(planned, remembered);
    this.#announce(planned, planNowMs, config, remembered);
    const { actions, held } = holdUnannounced(planned.plan.actions, { announced: remembered.announced, nowMs: planNowMs });
    const carried = await runs.carryOut({ agentId, actions, activeKey: choice.activeKey, rowCount: planned.facts.totals.rowCount, options: { signal } });
    remembered.lastReport = reportOf(planned, config, choice, { ...carried, skipped: [...carried.skipped, ...held.map(({ kind, key }) => ({ kind, key, file: undefined, reason: 'announced' }))] });
    if (actions.length === 0) return;
    logger.info('maintenance tidied a store', { agentId, count: actions.length - carried.skipped.length, durationMs: Math.round(clock.monotonicMs() - startedAtMs) });
  }

  /** Once for each row until it changes; counts only, a key may name a person. */
  #tell({ agentId, plan }: StorePlan, remembered: Remembered): void {
    const wanted = new Set(plan.actions.map(({ kind, key, file, expectedSessionId, expectedUpdatedAtMs }) => [kind, key ?? file, expectedSessionId, expectedUpdatedAtMs].join(' ')));
    const news = [...wanted].filter((one) => !remembered.logged.has(one)).length;
    remembered.logged = wanted;
    if (news > 0) this.#deps.logger.warn('maintenance would change a store; the mode is warn, so it does not', { agentId, count: news });
  }

  /** Says what will go before the first of it goes: to the log, and to whoever listens. */
  #announce({ agentId, epoch, facts, plan }: StorePlan, nowMs: number, config: SessionConfig, remembered: Remembered): void {
    const { pruneAfterMs } = config.session.maintenance;
    const { notices, moreCount } = planNotices({ rows: facts.rows, pruneAfterMs, nowMs, announced: remembered.announced });
    const present = new Set(facts.rows.map(({ key }) => key));
    const announced = new Map([...remembered.announced].filter(([key]) => present.has(key)));
    for (const { key, sessionId, updatedAtMs } of notices) announced.set(key, { sessionId, updatedAtMs, announcedAtMs: nowMs });
    remembered.announced = announced;
    if (notices.length > 0) {
      const firstAtMs = Math.min(...notices.map(({ removeAtMs }) => removeAtMs));
      this.#publish(agentId, epoch, { notice: 'removal', sessions: notices.length, more: moreCount, firstAtMs });
      this.#deps.logger.warn('sessions will be archived for their age unless they are used before', { agentId, count: notices.length + moreCount });
    }
    if (plan.announceUnlink === undefined || remembered.unlinkAnnouncedAtMs !== undefined) return;
    remembered.unlinkAnnouncedAtMs = nowMs;
    const { filesCount, bytes } = plan.announceUnlink;
    this.#publish(agentId, epoch, { notice: 'unlink', files: filesCount, bytes });
    this.#deps.logger.warn('archives past their retention will be removed in a day', { agentId, count: filesCount, bytes });
  }

  /** A store's events concern no session: they have no place in the order of any. */
  #publish(agentId: string, epoch: number, facts: Readonly<Record<string, string | number>>): void {
    const { bus, subjects, clock } = this.#deps;
    const event = Event.create({ agentId, epoch, atMs: clock.nowMs(), body: { $case: 'store', value: { kind: 'maintenance', factsJson: Buffer.from(JSON.stringify(facts)) } } });
    bus.events.publish(subjects.event(agentId, 'store', undefined), Event, event);
  }

  async #archiveSubagents({ agentId, planNowMs }: DueJob, signal: AbortSignal): Promise<void> {
    const { calls, runs, logger } = this.#deps;
    const config = this.#deps.config();
    const { subagents } = config.agents.defaults;
    if (subagents.archiveAfterMinutes <= 0) return;
    const nothing: CleanupChoice = { enforce: false, dryRun: false, fixMissing: false, fixDmScope: false, activeKey: undefined };
    const request = { ...factsRequest({ agentId, config: { ...config, session: { ...config.session, maintenance: { ...config.session.maintenance, mode: 'warn' } } }, choice: nothing, nowMs: planNowMs, asker: 'automatic' }), dueArchives: true };
    const { facts } = await readStoreFacts(agentId, calls.facts(request, { signal }));
    if (facts.totals.refusal !== undefined) return;
    const actions = planSubagentArchives(facts.rows, subagents, planNowMs);
    if (actions.length === 0) return;
    const { skipped } = await runs.carryOut({ agentId, actions, activeKey: undefined, rowCount: facts.totals.rowCount, options: { signal } });
    logger.info('ended sub-agents were archived', { agentId, count: actions.length - skipped.length });
  }

  #of(agentId: string): Remembered {
    let remembered = this.#remembered.get(agentId);
    if (remembered === undefined) {
      remembered = { announced: new Map(), unlinkAnnouncedAtMs: undefined, logged: new Set(), touchedKey: undefined, lastRunAtMs: undefined, lastReport: undefined };
      this.#remembered.set(agentId, remembered);
    }
    return remembered;
  }

  #clock(): { nowMs: number; steadyMs: number } {
    const { clock } = this.#deps;
    return { nowMs: clock.nowMs(), steadyMs: clock.monotonicMs() };
  }
}
