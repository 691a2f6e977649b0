/**
 * What the leader begins by itself: plans of stores that were written to, once an hour of all others,
 * and the archives of ended sub-agents. Under `warn` it says what it would do and does nothing else.
 *
 * What it remembers is a convenience. Announcements are the owner's, kept with the rows and archives
 * that they are about: a new leader neither repeats one nor begins its time anew.
 */
import { Event } from '@sessions/contracts';
import type { Bus, Subjects, Subscription } from '@sessions/bus';
import {
  holdUnannounced,
  nextDueAtMs,
  noteTouched,
  planAnnouncements,
  planSubagentArchives,
  startSchedule,
  takeDue,
  type DueJob,
  type ScheduleState,
  type SessionConfig,
  type StoreTotals,
} from '@sessions/domain';
import type { CleanupReport } from '@sessions/contracts';
import type { Clock, Logger } from '@sessions/host';
import type { KeptRows } from './kept-rows';
import type { OwnerCalls } from './owner-calls';
import { factsRequest, planStore, readStoreFacts, reportOf, type CleanupChoice, type PlanOccasion, type StorePlan } from './store-plan';
import type { StoreRuns } from './store-runs';

export interface AutomaticRunsDeps {
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly calls: OwnerCalls;
  readonly runs: StoreRuns;
  readonly keptRows: KeptRows;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly config: () => SessionConfig;
  /** The configuration was edited and cannot be read: nothing begins by itself until it is mended. */
  readonly isSuspended: () => boolean;
}

interface Remembered {
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

  /** A new leader waits each store's interval first, and notes what is written from now on. */
  restart(leads: boolean): void {
    this.#state = leads ? startSchedule(this.#clock()) : undefined;
    this.#remembered.clear();
    this.#deps.keptRows.forget();
  }

  async tick(_nowMs: number, signal: AbortSignal): Promise<void> {
    const agentIds = (await this.#deps.calls.agents({ signal })).filter(({ hasStore }) => hasStore).map(({ agentId }) => agentId);
    const clock = this.#clock();
    const { state, jobs } = takeDue(this.#state ?? startSchedule(clock, agentIds), { agentIds, clock, isSuspended: this.#deps.isSuspended() });
    this.#state = state;
    this.#deps.keptRows.keepOnly(agentIds);
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
    const { removalNoticeMs: noticeMs } = config.session.maintenance;
    const isEnforced = config.session.maintenance.mode === 'enforce';
    // Under `warn` the plan is made as if it were enforced, and only told.
    const choice: CleanupChoice = { enforce: !isEnforced, dryRun: !isEnforced, fixMissing: false, fixDmScope: false, activeKey: remembered.touchedKey };
    const spared = remembered.touchedKey;
    const occasion: PlanOccasion = { agentId, config, choice, nowMs: planNowMs, asker: 'automatic', noticeMs };
    const startedAtMs = clock.monotonicMs();
    const planned = await planStore(occasion, calls.facts(factsRequest(occasion), { signal }));
    remembered.lastRunAtMs = clock.nowMs();
    // Once: what is not written again is judged like every other session next time.
    if (remembered.touchedKey === spared) remembered.touchedKey = undefined;
    this.#deps.keptRows.note(agentId, planned.plan.exceptions, clock.nowMs());
    if (!isEnforced) {
      remembered.lastReport = reportOf(planned, config, choice, undefined);
      return this.#tell(planned, remembered);
    }
    await this.#announce(planned, occasion, signal);
    const { actions, held } = holdUnannounced(planned.plan.actions, { ...boundFacts(planned.facts.totals), rows: planned.facts.rows, nowMs: planNowMs, noticeMs });
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

  /** Has the owner note and tell what will go before the first of it goes; what it told is logged. */
  async #announce({ agentId, facts, plan }: StorePlan, { config, choice, nowMs, noticeMs = 0 }: PlanOccasion, signal: AbortSignal): Promise<void> {
    const { pruneAfterMs } = config.session.maintenance;
    const { unlinkAnnouncedAtMs, rowCount } = facts.totals;
    const announcements = planAnnouncements({ rows: facts.rows, pruneAfterMs, noticeMs, nowMs, ...boundFacts(facts.totals), ...(unlinkAnnouncedAtMs === undefined ? {} : { unlinkAnnouncedAtMs }) }, plan);
    if (announcements.actions.length === 0) return;
    const { skipped } = await this.#deps.runs.carryOut({ agentId, actions: announcements.actions, activeKey: choice.activeKey, rowCount, options: { signal } });
    const countOf = (kind: string): number => announcements.actions.filter((action) => action.kind === kind).length - skipped.filter((action) => action.kind === kind).length;
    const { logger } = this.#deps;
    const count = countOf('announce-removal');
    if (count > 0) logger.warn('sessions will be archived for their age unless they are used before', { agentId, count: count + announcements.moreCount });
    const byBound = announcements.actions.find(({ kind }) => kind === 'announce-bounds');
    if (byBound !== undefined && countOf('announce-bounds') > 0) logger.warn('sessions will be archived because there are too many, or they are too large', { agentId, count: byBound.sessionsCount ?? 0 });
    if (countOf('announce-unlink') > 0) logger.warn('archives past their retention will be removed in a day', { agentId, count: plan.announceUnlink?.filesCount ?? 0, bytes: plan.announceUnlink?.bytes ?? 0 });
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
      remembered = { logged: new Set(), touchedKey: undefined, lastRunAtMs: undefined, lastReport: undefined };
      this.#remembered.set(agentId, remembered);
    }
    return remembered;
  }

  #clock(): { nowMs: number; steadyMs: number } {
    const { clock } = this.#deps;
    return { nowMs: clock.nowMs(), steadyMs: clock.monotonicMs() };
  }
}

function boundFacts({ boundsAnnouncedAtMs, removedBefore = false }: StoreTotals): Pick<StoreTotals, 'boundsAnnouncedAtMs' | 'removedBefore'> {
  return { removedBefore, ...(boundsAnnouncedAtMs === undefined ? {} : { boundsAnnouncedAtMs }) };
}
