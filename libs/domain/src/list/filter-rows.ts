/**
 * Which rows a list gives, in which order, and what it says about the rest: the rule in its plain
 * form, which the indexed queries are tested against. Rows come in store order, the stores of several
 * agents in agent order.
 */
import type { SessionRow } from '@sessions/contracts';
import { SessionError } from '../errors';
import { cliRowKind, gatewayRowKind, isCronRunKey } from '../keys/key-kind';
import { isInChannel } from '../search/channel-of';
import { searchTextOf } from './session-row';

/** Rows that a list gives when nothing is asked. */
export const LIST_LIMIT_DEFAULT = 100;

const MINUTE_MS = 60_000;

/** Absent members restrict nothing; the `include` members default to false. */
export interface RowFilter {
  /** Agent of the store that holds the row. */
  readonly agentId?: string;
  /** Only rows of these agents' stores. */
  readonly agentIds?: readonly string[];
  /** Minutes, at least 1: rows changed within them, the bound included, and rows of the future. */
  readonly activeMinutes?: number;
  /** Exact and case-sensitive. */
  readonly label?: string;
  /** Key that `spawnedBy` or `parentSessionKey` equals. */
  readonly spawnedBy?: string;
  /** Any case; part of a name, an id, the key or the model. Blank: no restriction. */
  readonly search?: string;
  readonly includeGlobal?: boolean;
  readonly includeUnknown?: boolean;
  readonly includeCronRuns?: boolean;
  /** Kinds of the command line or of the gateway; empty: all. */
  readonly kinds?: readonly string[];
  readonly keys?: readonly string[];
  readonly keyPrefix?: string;
  readonly status?: string;
  /** In any case. */
  readonly channel?: string;
}

export interface RowPage {
  /** Rows at most; `all` for no bound. */
  readonly limit?: number | 'all';
  /** Rows to skip. */
  readonly offset?: number;
}

export interface SelectedRows {
  readonly rows: readonly SessionRow[];
  /** Rows given. */
  readonly count: number;
  /** Rows that pass the filter, before offset and limit. */
  readonly totalCount: number;
  /** Null when no bound applied. */
  readonly limitApplied: number | null;
  readonly hasMore: boolean;
  /** Null when no row follows. */
  readonly nextOffset: number | null;
}

/** @throws VALIDATION for a limit or a window below 1, or an offset below 0. */
export function selectRows(rows: readonly SessionRow[], filter: RowFilter, page: RowPage, nowMs: number): SelectedRows {
  const { limit = LIST_LIMIT_DEFAULT, offset = 0 } = page;
  if (limit !== 'all') requireWhole('limit', limit, 1);
  requireWhole('offset', offset, 0);
  if (filter.activeMinutes !== undefined) requireWhole('activeMinutes', filter.activeMinutes, 1);
  const matching = filterRows(rows, filter, nowMs).sort(newestFirst);
  const end = limit === 'all' ? matching.length : offset + limit;
  const given = matching.slice(offset, end);
  const hasMore = end < matching.length;
  return {
    rows: given,
    count: given.length,
    totalCount: matching.length,
    limitApplied: limit === 'all' ? null : limit,
    hasMore,
    nextOffset: hasMore ? end : null,
  };
}

/** Rows that pass, in the order given. */
export function filterRows(rows: readonly SessionRow[], filter: RowFilter, nowMs: number): SessionRow[] {
  const search = filter.search?.trim().toLowerCase() ?? '';
  return rows.filter((row) => isShownKey(row.key, filter) && passes(row, filter, nowMs) && (search === '' || searchTextOf(row).includes(search)));
}

/** Newest change first, a missing one as 0; ties stay as they were, as sorting is stable. */
export function newestFirst(left: SessionRow, right: SessionRow): number {
  return (right.updatedAtMs ?? 0) - (left.updatedAtMs ?? 0);
}

function isShownKey(key: string, filter: RowFilter): boolean {
  if (key === 'global') return filter.includeGlobal === true;
  if (key === 'unknown') return filter.includeUnknown === true;
  return filter.includeCronRuns === true || !isCronRunKey(key);
}

function passes(row: SessionRow, filter: RowFilter, nowMs: number): boolean {
  return (
    isOneOf(row.agentId, filter.agentIds) &&
    equals(row.agentId, filter.agentId) &&
    isActive(row, filter.activeMinutes, nowMs) &&
    equals(row.label, filter.label) &&
    (filter.spawnedBy === undefined || row.spawnedBy === filter.spawnedBy || row.parentSessionKey === filter.spawnedBy) &&
    hasKind(row, filter.kinds) &&
    (filter.keys === undefined || filter.keys.length === 0 || filter.keys.includes(row.key)) &&
    row.key.startsWith(filter.keyPrefix ?? '') &&
    equals(row.status, filter.status) &&
    (filter.channel === undefined || isInChannel(row, filter.channel))
  );
}

function isActive(row: SessionRow, activeMinutes: number | undefined, nowMs: number): boolean {
  if (activeMinutes === undefined) return true;
  return row.updatedAtMs !== undefined && nowMs - row.updatedAtMs <= activeMinutes * MINUTE_MS;
}

function hasKind(row: SessionRow, kinds: readonly string[] | undefined): boolean {
  if (kinds === undefined || kinds.length === 0) return true;
  const facts = { ...(row.chatType === undefined ? {} : { chatType: row.chatType }), ...(row.spawnedBy === undefined ? {} : { spawnedBy: row.spawnedBy }) };
  return kinds.includes(cliRowKind(row.key, facts)) || kinds.includes(gatewayRowKind(row.key, facts));
}

function isOneOf(value: string, wanted: readonly string[] | undefined): boolean {
  return wanted === undefined || wanted.includes(value);
}

function equals(value: string | undefined, wanted: string | undefined): boolean {
  return wanted === undefined || value === wanted;
}

function requireWhole(field: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) throw new SessionError('VALIDATION', `${field} must be a whole number from ${least}`, { facts: { field } });
}
