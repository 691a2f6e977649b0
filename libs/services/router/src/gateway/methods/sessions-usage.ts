import { GetUsageRequest } from '@sessions/contracts';
import type { SessionUsage, TokenUsage, UsagePoint } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import { numberOf, textOf } from '../method';
import type { GatewayMethod, MethodCall } from '../method';

/** `sessions.usage`: tokens and costs of the sessions that were active in a range of days. */
export const sessionsUsage: GatewayMethod = async (deps, { params, context }) => {
  const answer = await deps.handlers.getUsage(
    GetUsageRequest.create({
      key: textOf(params, 'key'),
      agentId: textOf(params, 'agentId'),
      allAgents: textOf(params, 'agentScope') === 'all',
      startDate: textOf(params, 'startDate'),
      endDate: textOf(params, 'endDate'),
      limit: numberOf(params, 'limit'),
    }),
    context,
  );
  const { updatedAtMs, startDate, endDate, sessions, totals, models, cacheStatus } = answer;
  return {
    payload: {
      updatedAt: updatedAtMs,
      startDate,
      endDate,
      sessions: sessions.map(({ key, agentId, sessionIds, lastAtMs, usage }) => ({ key, agentId, sessionId: sessionIds[0], sessionIds, updatedAt: lastAtMs, usage: toUsage(usage) })),
      totals: toUsage(totals),
      aggregates: { byAgent: grouped(sessions, ({ agentId }) => agentId, 'agentId'), byModel: models.map((usage) => ({ model: modelOf(usage), ...toUsage(usage) })) },
      cacheStatus: { status: cacheStatus },
    },
  };
};

/** `sessions.usage.timeseries`: what the runs of one session used, newest last. */
export const sessionsUsageTimeseries: GatewayMethod = async (deps, call) => {
  const points = await pointsOf(deps, call, 'timeseries', 'key is required for timeseries');
  return { payload: { sessionId: points[0]?.sessionId ?? null, points: points.map(({ atMs, runId, usage }) => ({ timestamp: atMs, ...(runId !== undefined && { runId }), ...toUsage(usage) })) } };
};

/** `sessions.usage.logs`: the same, with the model that answered. */
export const sessionsUsageLogs: GatewayMethod = async (deps, call) => {
  const points = await pointsOf(deps, call, 'logs', 'key is required for logs');
  return { payload: { logs: points.map(({ atMs, sessionId, runId, usage }) => ({ timestamp: atMs, sessionId, ...(runId !== undefined && { runId }), provider: usage?.modelProvider, model: usage?.model, ...toUsage(usage) })) } };
};

async function pointsOf(deps: Parameters<GatewayMethod>[0], { params, context }: MethodCall, view: string, missing: string): Promise<UsagePoint[]> {
  const key = textOf(params, 'key')?.trim() ?? '';
  if (key === '') throw new SessionError('VALIDATION', missing);
  const request = GetUsageRequest.create({ key, agentId: textOf(params, 'agentId'), limit: numberOf(params, 'limit'), view });
  return (await deps.handlers.getUsage(request, context)).points;
}

/** A price that nobody knows has no member; of sums, how many runs have none is beside it. */
function toUsage(usage: TokenUsage | undefined): Record<string, number> | null {
  if (usage === undefined) return null;
  const { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens, totalTokens, costUsd, unpricedCount } = usage;
  return {
    input: inputTokens,
    output: outputTokens,
    cacheRead: cacheReadTokens,
    cacheWrite: cacheWriteTokens,
    totalTokens: totalTokens ?? inputTokens + outputTokens + cacheReadTokens + cacheWriteTokens,
    ...(costUsd !== undefined && { totalCost: costUsd }),
    ...(unpricedCount !== undefined && { missingCostEntries: unpricedCount }),
  };
}

const modelOf = ({ modelProvider, model }: TokenUsage): string => (model === undefined ? 'unknown' : `${modelProvider ?? 'unknown'}/${model}`);

function grouped(sessions: readonly SessionUsage[], nameOf: (session: SessionUsage) => string, member: string): Record<string, unknown>[] {
  const sums = new Map<string, { sessions: number; totalTokens: number; totalCost: number | undefined }>();
  for (const session of sessions) {
    const name = nameOf(session);
    const sum = sums.get(name) ?? { sessions: 0, totalTokens: 0, totalCost: undefined };
    const { totalTokens = 0, totalCost } = toUsage(session.usage) ?? {};
    const cost = totalCost === undefined ? sum.totalCost : (sum.totalCost ?? 0) + totalCost;
    sums.set(name, { sessions: sum.sessions + 1, totalTokens: sum.totalTokens + totalTokens, totalCost: cost });
  }
  return [...sums].map(([name, { totalCost, ...sum }]) => ({ [member]: name, ...sum, ...(totalCost !== undefined && { totalCost }) }));
}
