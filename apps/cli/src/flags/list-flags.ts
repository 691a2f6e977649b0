/** The flags of `openclaw sessions` and `openclaw sessions list`, as given and as understood. */
import { SessionError } from '@sessions/domain';

/** Which stores a command reads; values as given. */
export interface ScopeFlags {
  readonly agent?: string | undefined;
  readonly allAgents?: boolean | undefined;
  readonly store?: string | undefined;
}

export interface ListFlags extends ScopeFlags {
  readonly active?: string | undefined;
  readonly limit?: string | undefined;
  readonly verbose?: boolean | undefined;
  readonly json?: boolean | undefined;
}

export const LIST_LIMIT_DEFAULT = 100;

const DIGITS = /^\d+$/;

/** A whole number from 1 in plain digits; undefined: something else. */
export function parsePositive(text: string): number | undefined {
  const value = DIGITS.test(text) ? Number(text) : 0;
  return value >= 1 && Number.isSafeInteger(value) ? value : undefined;
}

/** @returns minutes, or null when not given. @throws VALIDATION */
export function parseActiveMinutes(given: string | undefined): number | null {
  if (given === undefined) return null;
  const minutes = parsePositive(given.trim());
  if (minutes !== undefined) return minutes;
  throw new SessionError('VALIDATION', '--active must be a positive number of minutes, for example --active 30.', { facts: { option: '--active', given } });
}

/** @returns rows at most, or null for all of them. @throws VALIDATION */
export function parseLimit(given: string | undefined, defaultCount: number): number | null {
  if (given === undefined) return defaultCount;
  const text = given.trim();
  if (text.toLowerCase() === 'all') return null;
  const count = parsePositive(text);
  if (count !== undefined) return count;
  throw new SessionError('VALIDATION', '--limit must be a positive integer or "all", for example --limit 25.', { facts: { option: '--limit', given } });
}

/** A whole number of milliseconds for timers. @throws VALIDATION */
export function parseTimeoutMs(given: string | undefined, defaultMs: number): number {
  if (given === undefined) return defaultMs;
  const value = parsePositive(given);
  if (value !== undefined && value < 2 ** 31) return value;
  throw new SessionError('VALIDATION', '--timeout must be a positive whole number of milliseconds, for example --timeout 10000.', { facts: { option: '--timeout', given } });
}
