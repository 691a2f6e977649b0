import type { Verdict } from './options';

/** Milliseconds of each unit a duration may be written in. */
export const DURATION_UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

export type DurationUnit = keyof typeof DURATION_UNITS;

const PART = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/gi;
const WHOLE = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/i;
const BARE = /^\d+(?:\.\d+)?$/;

/**
 * Reads `"30d"`, `"1h30m"`, or a bare number in `bareUnit`, as milliseconds. Zero is zero, in any
 * unit; a positive value never becomes zero by rounding, because zero switches limits off.
 */
export function parseDuration(value: unknown, bareUnit: DurationUnit): Verdict<number> {
  if (typeof value === 'number') return toMs(value * DURATION_UNITS[bareUnit], value);
  if (typeof value !== 'string') return { ok: false, message: expected(bareUnit) };
  const text = value.trim();
  if (BARE.test(text)) return parseDuration(Number(text), bareUnit);
  if (!WHOLE.test(text)) return { ok: false, message: expected(bareUnit) };
  let sum = 0;
  for (const [, amount = '', unit = ''] of text.matchAll(PART)) {
    sum += Number(amount) * DURATION_UNITS[unit.toLowerCase() as DurationUnit];
  }
  return toMs(sum, sum);
}

function toMs(ms: number, written: number): Verdict<number> {
  if (Number.isNaN(ms) || ms < 0) return { ok: false, message: 'must not be negative or NaN' };
  const rounded = Math.round(ms);
  if (!Number.isSafeInteger(rounded)) return { ok: false, message: 'is too large' };
  if (rounded === 0 && written !== 0) return { ok: false, message: 'must be 0 or at least 1ms' };
  return { ok: true, value: rounded };
}

function expected(bareUnit: DurationUnit): string {
  return `must be a duration such as "30d" or "1h30m" (units ms s m h d), or a number of ${bareUnit}`;
}
