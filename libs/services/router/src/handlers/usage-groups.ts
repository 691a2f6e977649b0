/** Sums of tokens and costs that several stores tell of. */
import { CostOfKinds, TokenUsage } from '@sessions/contracts';
import { KindCostSum, sumCosts } from '@sessions/domain';

/** Sums of what is given; a cost only where some part has one, its kinds only where every part with a cost has them. */
export function sumOf(usages: readonly TokenUsage[]): TokenUsage {
  const add = (of: (usage: TokenUsage) => number | undefined): number => usages.reduce((sum, usage) => sum + (of(usage) ?? 0), 0);
  const kinds = new KindCostSum();
  for (const { costUsd, costs } of usages) kinds.add(costUsd, costs && { input: costs.inputUsd, output: costs.outputUsd, cacheRead: costs.cacheReadUsd, cacheWrite: costs.cacheWriteUsd });
  const { usd } = kinds;
  return TokenUsage.create({
    inputTokens: add((usage) => usage.inputTokens),
    outputTokens: add((usage) => usage.outputTokens),
    cacheReadTokens: add((usage) => usage.cacheReadTokens),
    cacheWriteTokens: add((usage) => usage.cacheWriteTokens),
    unpricedCount: add((usage) => usage.unpricedCount),
    runCount: add((usage) => usage.runCount),
    costUsd: sumCosts(usages.map(({ costUsd }) => costUsd)),
    costs: usd && CostOfKinds.create({ inputUsd: usd.input, outputUsd: usd.output, cacheReadUsd: usd.cacheRead, cacheWriteUsd: usd.cacheWrite }),
  });
}

/** Sums over stores, by something that they have in common; what is beyond the most that there may be is in the totals alone. */
export class UsageGroups<T> {
  readonly #groups = new Map<string, { readonly first: T; readonly usages: TokenUsage[] }>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  add(name: readonly unknown[], first: T, usage: TokenUsage | undefined): void {
    const key = JSON.stringify(name.map((part) => part ?? null));
    const group = this.#groups.get(key);
    if (usage === undefined || (group === undefined && this.#groups.size >= this.#max)) return;
    if (group === undefined) this.#groups.set(key, { first, usages: [usage] });
    else group.usages.push(usage);
  }

  all(): (readonly [T, TokenUsage])[] {
    return [...this.#groups.values()].map(({ first, usages }) => [first, sumOf(usages)] as const);
  }
}
