import { GetUsageRequest } from '@sessions/contracts';
import { textOf } from '../method';
import type { GatewayMethod } from '../method';
import { dateOf, totalsOf } from '../usage-json';
import { assertOneScope, usageDaysOf } from '../usage-range';

const DAY_MS = 24 * 60 * 60 * 1000;

/** `usage.cost`: what the ledgers add up to, in all and by day. */
export const usageCost: GatewayMethod = async (deps, { params, context }) => {
  assertOneScope(params);
  const request = GetUsageRequest.create({ agentId: textOf(params, 'agentId'), ...usageDaysOf(params, deps.clock.nowMs()), limit: 1 });
  const { updatedAtMs, startDate, endDate, days, totals, cacheStatus } = await deps.handlers.getUsage(request, context);
  return {
    payload: {
      updatedAt: updatedAtMs,
      days: Math.round((Date.parse(endDate) - Date.parse(startDate)) / DAY_MS) + 1,
      daily: days.map(({ dayAtMs, usage }) => ({ date: dateOf(dayAtMs), ...totalsOf(usage) })),
      totals: totalsOf(totals),
      cacheStatus: { status: cacheStatus },
    },
  };
};

/** `usage.status`: limits that providers grant. None is asked here, so there is none to tell of. */
export const usageStatus: GatewayMethod = (deps) => Promise.resolve({ payload: { updatedAt: deps.clock.nowMs(), providers: [] } });
