/** Sums of usage as clients of the gateway know them. */
import type { TokenUsage } from '@sessions/contracts';
import { sumOf } from '../handlers/usage-groups';

type Totals = Record<string, number>;

/** A price that nobody knows has no member; of sums, how many runs have none is beside it. */
export function toTotals({ inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens, totalTokens, costUsd, costs, unpricedCount }: TokenUsage): Totals {
  return {
    input: inputTokens,
    output: outputTokens,
    cacheRead: cacheReadTokens,
    cacheWrite: cacheWriteTokens,
    totalTokens: totalTokens ?? inputTokens + outputTokens + cacheReadTokens + cacheWriteTokens,
    ...(costUsd !== undefined && { totalCost: costUsd }),
    ...(costs !== undefined && { inputCost: costs.inputUsd, outputCost: costs.outputUsd, cacheReadCost: costs.cacheReadUsd, cacheWriteCost: costs.cacheWriteUsd }),
    ...(unpricedCount !== undefined && { missingCostEntries: unpricedCount }),
  };
}

/** Of no runs at all: what they cost is known. */
const NOTHING: Totals = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, totalTokens: 0, totalCost: 0, inputCost: 0, outputCost: 0, cacheReadCost: 0, cacheWriteCost: 0, missingCostEntries: 0 };

export const totalsOf = (usage: TokenUsage | undefined): Totals => (usage === undefined ? { ...NOTHING } : toTotals(usage));

/** `YYYY-MM-DD` in UTC. */
export const dateOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** One row a group, the most expensive first, then that with the most tokens. */
export function groupedTotals<G extends object>(usages: readonly TokenUsage[], groupOf: (usage: TokenUsage) => G): (G & { count: number; totals: Totals })[] {
  const groups = new Map<string, { readonly group: G; readonly usages: TokenUsage[] }>();
  for (const usage of usages) {
    const group = groupOf(usage);
    const name = JSON.stringify(group);
    const before = groups.get(name);
    if (before === undefined) groups.set(name, { group, usages: [usage] });
    else before.usages.push(usage);
  }
  return [...groups.values()].map(({ group, usages: own }) => countedTotals(group, sumOf(own))).sort(dearestFirst);
}

/** A group's row: how many runs it has, and what they add up to. */
export const countedTotals = <G extends object>(group: G, usage: TokenUsage): G & { count: number; totals: Totals } => ({ ...group, count: usage.runCount ?? 0, totals: toTotals(usage) });

export const dearestFirst = (a: { totals: Totals }, b: { totals: Totals }): number =>
  (b.totals['totalCost'] ?? 0) - (a.totals['totalCost'] ?? 0) || (b.totals['totalTokens'] ?? 0) - (a.totals['totalTokens'] ?? 0);
