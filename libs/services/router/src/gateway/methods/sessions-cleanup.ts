import { CleanupRequest } from '@sessions/contracts';
import type { CleanupReport } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import { CLEANUP_BUDGET_MS } from '../../handlers/cleanup';
import { flagOf, textOf } from '../method';
import type { GatewayMethod } from '../method';
import { withTime } from '../../handlers/with-time';

/** `sessions.cleanup`: the report of one store, or of all. */
export const sessionsCleanup: GatewayMethod = async (deps, { params, context }) => {
  const agent = textOf(params, 'agent');
  const allAgents = flagOf(params, 'allAgents');
  const dryRun = flagOf(params, 'dryRun');
  if (allAgents && agent !== undefined) throw new SessionError('VALIDATION', 'agent and allAgents exclude each other');
  const { reports } = await deps.handlers.cleanup(
    CleanupRequest.create({
      flags: {
        agentIds: agent === undefined ? [] : [agent],
        allAgents,
        enforce: flagOf(params, 'enforce'),
        fixMissing: flagOf(params, 'fixMissing'),
        fixDmScope: flagOf(params, 'fixDmScope'),
        activeKey: textOf(params, 'activeKey'),
      },
      dryRun,
    }),
    withTime(context, deps.bus.clock.nowMs(), CLEANUP_BUDGET_MS),
  );
  const [first] = reports;
  if (!allAgents && first !== undefined) {
    if (first.errorMessage !== undefined) throw new SessionError('STORE_UNREADABLE', first.errorMessage, { hint: 'openclaw sessions verify' });
    return { payload: toReport(first) };
  }
  return { payload: { allAgents: true, mode: first?.mode ?? deps.config().session.maintenance.mode, dryRun, stores: reports.map(toReport) } };
};

function toReport({ skipped, diskBudget, errorReason, errorMessage, warnings, applied, appliedCount, ...counts }: CleanupReport): Record<string, unknown> {
  return {
    ...counts,
    diskBudget: diskBudget ?? null,
    skipped,
    ...(applied !== undefined && { applied }),
    ...(appliedCount !== undefined && { appliedCount }),
    ...(warnings.length > 0 && { warnings }),
    ...(errorReason !== undefined && { error: { reason: errorReason, message: errorMessage } }),
  };
}
