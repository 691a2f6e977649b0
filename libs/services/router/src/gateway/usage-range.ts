/** Which days a question about usage means: those it names, else those of its range. Days are UTC, both included. */
import { SessionError } from '@sessions/domain';
import type { JsonObject } from '@sessions/domain';
import { numberOf, textOf } from './method';
import { dateOf } from './usage-json';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Days of a preset; `all` has no beginning. */
const RANGES: Readonly<Record<string, number>> = { '7d': 7, '30d': 30, '90d': 90, '1y': 365 };
const BEGINNING = '1970-01-01';

export interface UsageDays {
  readonly startDate: string | undefined;
  readonly endDate: string | undefined;
}

/** @throws VALIDATION for agents that contradict each other */
export function usageDaysOf(params: JsonObject, nowMs: number): UsageDays {
  const startDate = textOf(params, 'startDate');
  const endDate = textOf(params, 'endDate');
  if (startDate !== undefined || endDate !== undefined) return { startDate, endDate };
  const range = textOf(params, 'range');
  if (range === 'all') return { startDate: BEGINNING, endDate: undefined };
  const days = numberOf(params, 'days') ?? (range === undefined ? undefined : RANGES[range]);
  return { startDate: days === undefined ? undefined : dateOf(nowMs - (Math.max(1, Math.floor(days)) - 1) * DAY_MS), endDate: undefined };
}

/** @throws VALIDATION */
export function assertOneScope(params: JsonObject): void {
  if (params['agentScope'] !== 'all' || (textOf(params, 'key') === undefined && textOf(params, 'agentId') === undefined)) return;
  throw new SessionError('VALIDATION', 'agentScope=all cannot be combined with key or agentId');
}
