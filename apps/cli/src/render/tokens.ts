/** Token counts of a row against its context window. */
const THOUSAND = 1000;
const DECIMAL_BELOW = 10_000;
const PERCENT_MAX = 999;

/** `0.9k`, `1.0k`, `52k`: one decimal below 10 000. */
export function formatThousands(count: number): string {
  return count < DECIMAL_BELOW ? `${(count / THOUSAND).toFixed(1)}k` : `${Math.round(count / THOUSAND)}k`;
}

/** `52k/200k (26%)`; `unknown/200k (?%)` without a count, `…/? (?%)` without a window. */
export function formatTokens(totalTokens: number | null, contextTokens: number | null): string {
  const window = contextTokens === null || contextTokens === 0 ? '?' : formatThousands(contextTokens);
  if (totalTokens === null) return `unknown/${window} (?%)`;
  const percent = window === '?' || contextTokens === null ? '?' : String(Math.min(PERCENT_MAX, Math.round((totalTokens / contextTokens) * 100)));
  return `${formatThousands(totalTokens)}/${window} (${percent}%)`;
}
