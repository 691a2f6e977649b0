import { GetUsageRequest, TokenUsage } from '@sessions/contracts';
import type { UsagePoint } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import { numberOf, textOf } from '../method';
import type { GatewayMethod, MethodCall } from '../method';
import { sumOf } from '../../handlers/usage-groups';
import { countedTotals, dateOf, dearestFirst, groupedTotals, toTotals, totalsOf } from '../usage-json';
import { assertOneScope, usageDaysOf } from '../usage-range';

/** The ledger counts runs, no messages and tools: clients that expect these members find them empty. */
const UNCOUNTED = {
  messages: { total: 0, user: 0, assistant: 0, toolCalls: 0, toolResults: 0, errors: 0 },
  tools: { totalCalls: 0, uniqueTools: 0, tools: [] },
  dailyLatency: [],
};
const UNCOUNTED_DAY = { messages: 0, toolCalls: 0, errors: 0 };

/** `sessions.usage`: tokens and costs of the sessions that were active in a range of days. */
export const sessionsUsage: GatewayMethod = async (deps, { params, context }) => {
  assertOneScope(params);
  const answer = await deps.handlers.getUsage(
    GetUsageRequest.create({
      key: textOf(params, 'key'),
      agentId: textOf(params, 'agentId'),
      allAgents: textOf(params, 'agentScope') === 'all',
      ...usageDaysOf(params, deps.clock.nowMs()),
      limit: numberOf(params, 'limit'),
    }),
    context,
  );
  const { updatedAtMs, startDate, endDate, sessions, totals, models, days, modelDays, channels, agents, cacheStatus } = answer;
  return {
    payload: {
      updatedAt: updatedAtMs,
      startDate,
      endDate,
      sessions: sessions.map(({ key, agentId, sessionIds, lastAtMs, usage }) => ({ key, agentId, sessionId: sessionIds[0], sessionIds, scope: 'instance', updatedAt: lastAtMs, usage: usage === undefined ? null : toTotals(usage) })),
      totals: totalsOf(totals),
      aggregates: {
        byModel: groupedTotals(models, ({ modelProvider, model }) => ({ provider: modelProvider ?? null, model: model ?? null })),
        byProvider: groupedTotals(models, ({ modelProvider }) => ({ provider: modelProvider ?? null })),
        byAgent: agents.map(({ agentId, usage }) => countedTotals({ agentId }, sumOf([usage ?? TokenUsage.create({})]))).sort(dearestFirst),
        byChannel: channels.map(({ channel, usage }) => countedTotals({ channel }, sumOf([usage ?? TokenUsage.create({})]))).sort(dearestFirst),
        modelDaily: modelDays.map(({ dayAtMs, usage }) => ({ date: dateOf(dayAtMs), provider: usage?.modelProvider ?? null, model: usage?.model ?? null, tokens: totalsOf(usage)['totalTokens'], ...(usage?.costUsd !== undefined && { cost: usage.costUsd }), count: usage?.runCount ?? 0 })),
        ...UNCOUNTED,
        daily: days.map(({ dayAtMs, usage }) => ({ date: dateOf(dayAtMs), tokens: totalsOf(usage)['totalTokens'], ...(usage?.costUsd !== undefined && { cost: usage.costUsd }), ...totalsOf(usage), ...UNCOUNTED_DAY })),
      },
      cacheStatus: { status: cacheStatus },
    },
  };
};

/** `sessions.usage.timeseries`: what the runs of one session used, newest last. */
export const sessionsUsageTimeseries: GatewayMethod = async (deps, call) => {
  const points = await pointsOf(deps, call, 'timeseries', 'key is required for timeseries');
  return { payload: { sessionId: points[0]?.sessionId ?? null, points: points.map(({ atMs, runId, usage }) => ({ timestamp: atMs, ...(runId !== undefined && { runId }), ...(usage !== undefined && toTotals(usage)) })) } };
};

/** `sessions.usage.logs`: the same, with the model that answered; nothing for a session that nobody has. */
export const sessionsUsageLogs: GatewayMethod = async (deps, call) => {
  const points = await pointsOf(deps, call, 'logs', 'key is required for logs').catch((error: unknown): UsagePoint[] => {
    if (error instanceof SessionError && error.reason === 'SESSION_NOT_FOUND') return [];
    throw error;
  });
  return { payload: { logs: points.map(({ atMs, sessionId, runId, usage }) => ({ timestamp: atMs, sessionId, ...(runId !== undefined && { runId }), provider: usage?.modelProvider, model: usage?.model, ...(usage !== undefined && toTotals(usage)) })) } };
};

async function pointsOf(deps: Parameters<GatewayMethod>[0], { params, context }: MethodCall, view: string, missing: string): Promise<UsagePoint[]> {
  const key = textOf(params, 'key')?.trim() ?? '';
  if (key === '') throw new SessionError('VALIDATION', missing);
  const request = GetUsageRequest.create({ key, agentId: textOf(params, 'agentId'), limit: numberOf(params, 'limit'), view });
  return (await deps.handlers.getUsage(request, context)).points;
}
