/** Sums of usage as clients of the gateway know them. */
import type { TokenUsage } from '@sessions/contracts';

type Totals = Record<string, number>;

/** A price that nobody knows has no member; of sums, how many runs have none is beside it. */
export function toTotals({ inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens, totalTokens, costUsd, unpricedCount }: TokenUsage): Totals {
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

/** Of no runs at all: what they cost is known. */
const NOTHING: Totals = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, totalTokens: 0, totalCost: 0, missingCostEntries: 0 };

export const totalsOf = (usage: TokenUsage | undefined): Totals => (usage === undefined ? { ...NOTHING } : toTotals(usage));

/** `YYYY-MM-DD` in UTC. */
export const dateOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** One row a group, the most expensive first, then that with the most tokens. */
export function groupedTotals<G extends object>(usages: readonly TokenUsage[], groupOf: (usage: TokenUsage) => G): (G & { count: number; totals: Totals })[] {
  const groups = new Map<string, { readonly group: G; count: number; totals: Totals }>();
  for (const usage of usages) {
    const group = groupOf(usage);
    const name = JSON.stringify(group);
    const before = groups.get(name) ?? { group, count: 0, totals: {} };
    groups.set(name, { group, count: before.count + (usage.runCount ?? 0), totals: added(before.totals, toTotals(usage)) });
  }
  return [...groups.values()]
    .map(({ group, count, totals }) => ({ ...group, count, totals }))
    .sort((a, b) => (b.totals['totalCost'] ?? 0) - (a.totals['totalCost'] ?? 0) || (b.totals['totalTokens'] ?? 0) - (a.totals['totalTokens'] ?? 0));
}

function added(one: Totals, other: Totals): Totals {
  const sum = { ...one };
  for (const [name, value] of Object.entries(other)) sum[name] = (sum[name] ?? 0) + value;
  return sum;
}
