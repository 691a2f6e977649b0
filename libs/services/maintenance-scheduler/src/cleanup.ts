/** Plan and Cleanup: what somebody asks for, of one store or several. Holds nothing but the answers it may have to repeat. */
import { CleanupReport, MaintenanceAction as WireAction, type CleanupFlags, type MaintenanceServiceCleanupRequest, type MaintenanceServiceCleanupResponse, type PlanRequest, type PlanResponse } from '@sessions/contracts';
import { idempotencyKeyOf, toSessionError, type CallContext } from '@sessions/bus';
import { SessionError, actionBatches, configuredAgents, type SessionConfig } from '@sessions/domain';
import type { Clock, Logger } from '@sessions/host';
import type { OwnerCalls } from './owner-calls';
import { factsRequest, planStore, reportOf, toWireAction, type CleanupChoice, type PlanOccasion, type StorePlan } from './store-plan';
import type { StoreRuns } from './store-runs';

export interface CleanupDeps {
  readonly calls: OwnerCalls;
  readonly runs: StoreRuns;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly config: () => SessionConfig;
}

/** Clean-ups whose answer is kept for a repeat of the request; the oldest goes first. */
const ANSWERS_MAX = 100;

export class Cleanups {
  readonly #deps: CleanupDeps;
  readonly #answers = new Map<string, Promise<MaintenanceServiceCleanupResponse>>();

  constructor(deps: CleanupDeps) {
    this.#deps = deps;
  }

  /** Actions in batches, then the summary, store after store. @throws AGENT_UNKNOWN, STORE_UNREADABLE */
  async *plan({ flags, nowAtMs }: PlanRequest, context: CallContext): AsyncGenerator<PlanResponse> {
    const choice = choiceOf(flags, true);
    for (const agentId of await this.#agentsOf(flags, context)) {
      const planned = await this.#plan(agentId, choice, nowAtMs, context);
      for (const part of actionBatches(planned.plan.actions)) {
        yield { item: { $case: 'actions', value: { agentId, planId: '', actions: part.map((action): WireAction => toWireAction(action)) } } };
      }
      yield { item: { $case: 'summary', value: reportOf(planned, this.#deps.config(), choice, undefined) } };
    }
  }

  /** A store that cannot be cleaned has its refusal in its report; the others are cleaned. */
  cleanup(request: MaintenanceServiceCleanupRequest, context: CallContext): Promise<MaintenanceServiceCleanupResponse> {
    if (request.dryRun) return this.#run(request, context);
    const key = idempotencyKeyOf(context);
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const answer = this.#run(request, context);
    this.#answers.set(key, answer);
    answer.catch(() => this.#answers.delete(key));
    const [oldest] = this.#answers.keys();
    if (this.#answers.size > ANSWERS_MAX && oldest !== undefined) this.#answers.delete(oldest);
    return answer;
  }

  async #run({ flags, dryRun, nowAtMs }: MaintenanceServiceCleanupRequest, context: CallContext): Promise<MaintenanceServiceCleanupResponse> {
    const choice = choiceOf(flags, dryRun);
    const reports: CleanupReport[] = [];
    for (const agentId of await this.#agentsOf(flags, context)) {
      try {
        reports.push(await this.#deps.runs.alone(agentId, () => this.#one(agentId, choice, nowAtMs, context)));
      } catch (error) {
        const { reason, message } = toSessionError(error);
        this.#deps.logger.warn('a store could not be cleaned up', { agentId, reason });
        reports.push(CleanupReport.create({ agentId, mode: choice.enforce ? 'enforce' : this.#deps.config().session.maintenance.mode, dryRun, errorReason: reason, errorMessage: message }));
      }
    }
    return { reports };
  }

  async #one(agentId: string, choice: CleanupChoice, nowAtMs: number | undefined, context: CallContext): Promise<CleanupReport> {
    const { runs, logger, clock, config } = this.#deps;
    const startedAtMs = clock.monotonicMs();
    const planned = await this.#plan(agentId, choice, nowAtMs, context);
    if (choice.dryRun) return reportOf(planned, config(), choice, undefined);
    const { actions } = planned.plan;
    const carried = await runs.carryOut({ agentId, actions, activeKey: choice.activeKey, rowCount: planned.facts.totals.rowCount, options: { context } });
    logger.info('a store was cleaned up', { agentId, count: actions.length - carried.skipped.length, durationMs: Math.round(clock.monotonicMs() - startedAtMs) });
    return reportOf(planned, config(), choice, carried);
  }

  #plan(agentId: string, choice: CleanupChoice, nowAtMs: number | undefined, context: CallContext): Promise<StorePlan> {
    const { calls, clock, config } = this.#deps;
    const occasion: PlanOccasion = { agentId, config: config(), choice, nowMs: nowAtMs ?? clock.nowMs(), asker: 'person' };
    return planStore(occasion, calls.facts(factsRequest(occasion), { context }));
  }

  /** @throws AGENT_UNKNOWN */
  async #agentsOf(flags: CleanupFlags | undefined, context: CallContext): Promise<readonly string[]> {
    const { ids, defaultAgentId } = configuredAgents(this.#deps.config());
    const asked = flags?.agentIds ?? [];
    if (flags?.allAgents !== true && asked.length === 0) return [defaultAgentId];
    const onDisk = (await this.#deps.calls.agents({ context })).filter(({ hasStore }) => hasStore).map(({ agentId }) => agentId);
    if (flags?.allAgents === true) return [...new Set<string>([...ids, ...onDisk])];
    const known: ReadonlySet<string> = new Set([...ids, ...onDisk]);
    const unknown = asked.find((agentId) => !known.has(agentId));
    if (unknown !== undefined) throw new SessionError('AGENT_UNKNOWN', `Unknown agent id "${unknown}"`, { facts: { agentId: unknown } });
    return asked;
  }
}

function choiceOf(flags: CleanupFlags | undefined, dryRun: boolean): CleanupChoice {
  return {
    dryRun,
    enforce: flags?.enforce ?? false,
    fixMissing: flags?.fixMissing ?? false,
    fixDmScope: flags?.fixDmScope ?? false,
    activeKey: flags?.activeKey,
  };
}
