/**
 * GetUsage: tokens and costs as the stores know them. `totals` adds up what the rows hold;
 * `timeseries` and `logs` give the model calls of one session's live transcript.
 *
 * Unknown stays unknown: a row or call without a price adds no cost, and a sum of which no part has
 * a price has none.
 */
import { EntryFilter, GetHistoryRequest, GetUsageResponse, ListEntriesRequest, SessionRow, SessionUsage, TokenUsage, UsagePoint } from '@sessions/contracts';
import type { GetUsageRequest } from '@sessions/contracts';
import { SessionError, isJsonObject } from '@sessions/domain';
import type { JsonObject } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import { existingSession } from './existing-session';
import { HISTORY_LIMIT_MAX, readPage } from './get-history';
import { agentsToRead } from './resolve-address';

/** Sessions of one answer. */
export const USAGE_SESSIONS_MAX = 5_000;
const DAY_MS = 24 * 60 * 60 * 1000;
/** Days of a range that is not given. */
const DAYS_DEFAULT = 30;
const PAGE_ROWS = 1000;
const VIEWS: ReadonlySet<string> = new Set(['', 'totals', 'timeseries', 'logs']);

interface Range {
  readonly startDate: string;
  readonly endDate: string;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** @throws VALIDATION, SESSION_NOT_FOUND for the key of a single session */
export async function getUsage(deps: HandlerDeps, request: GetUsageRequest, context: CallContext): Promise<GetUsageResponse> {
  if (!VIEWS.has(request.view)) throw new SessionError('VALIDATION', 'view must be totals, timeseries or logs');
  const range = rangeOf(request, deps.clock.nowMs());
  const head = { updatedAtMs: deps.clock.nowMs(), startDate: range.startDate, endDate: range.endDate, cacheStatus: 'fresh' };
  if (request.view === 'timeseries' || request.view === 'logs') {
    return GetUsageResponse.create({ ...head, points: await pointsOf(deps, request, context) });
  }
  const sessions = await sessionsOf(deps, request, range, context);
  return GetUsageResponse.create({ ...head, sessions: sessions.slice(0, request.limit ?? USAGE_SESSIONS_MAX), totals: sessions.length === 0 ? undefined : sumOf(sessions.map(({ usage }) => usage)) });
}

async function sessionsOf(deps: HandlerDeps, request: GetUsageRequest, range: Range, context: CallContext): Promise<SessionUsage[]> {
  const session = request.key === undefined ? undefined : await existingSession(deps, request, context);
  if (session !== undefined) return [usageOf(session.row)];
  const agents = await agentsToRead(deps, { agentId: request.agentId, all: true, discover: true }, context);
  const found: SessionUsage[] = [];
  for (const { agentId } of agents) {
    const filter = EntryFilter.create({ includeGlobal: true, includeUnknown: true, includeCronRuns: true });
    for (let offset = 0; found.length < USAGE_SESSIONS_MAX; ) {
      const page = await deps.stores.read('listEntries', ListEntriesRequest.create({ agentId, filter, limit: PAGE_ROWS, offset }), context);
      const rows = page.encodedRows.map((bytes) => SessionRow.decode(bytes));
      found.push(...rows.filter((row) => (row.updatedAtMs ?? -1) >= range.fromMs && (row.updatedAtMs ?? -1) < range.untilMs).map(usageOf));
      // Newest first: behind the first row before the range there is nothing in it.
      if (page.nextOffset === undefined || (rows.at(-1)?.updatedAtMs ?? -1) < range.fromMs) break;
      offset = page.nextOffset;
    }
  }
  return found.sort((a, b) => b.lastAtMs - a.lastAtMs).slice(0, USAGE_SESSIONS_MAX);
}

function usageOf(row: SessionRow): SessionUsage {
  return SessionUsage.create({
    key: row.key,
    agentId: row.agentId,
    sessionIds: row.sessionId === undefined ? [] : [row.sessionId],
    lastAtMs: row.updatedAtMs ?? 0,
    usage: {
      inputTokens: row.inputTokens ?? 0,
      outputTokens: row.outputTokens ?? 0,
      cacheReadTokens: row.cacheReadTokens ?? 0,
      cacheWriteTokens: row.cacheWriteTokens ?? 0,
      totalTokens: row.totalTokens,
      costUsd: row.estimatedCostUsd,
      modelProvider: row.modelProvider,
      model: row.model,
    },
  });
}

function sumOf(usages: readonly (TokenUsage | undefined)[]): TokenUsage {
  const known = usages.filter((usage) => usage !== undefined);
  const add = (of: (usage: TokenUsage) => number | undefined): number => known.reduce((sum, usage) => sum + (of(usage) ?? 0), 0);
  const hasCost = known.some(({ costUsd }) => costUsd !== undefined);
  return TokenUsage.create({
    inputTokens: add((usage) => usage.inputTokens),
    outputTokens: add((usage) => usage.outputTokens),
    cacheReadTokens: add((usage) => usage.cacheReadTokens),
    cacheWriteTokens: add((usage) => usage.cacheWriteTokens),
    totalTokens: add((usage) => usage.totalTokens),
    ...(hasCost && { costUsd: add((usage) => usage.costUsd) }),
  });
}

async function pointsOf(deps: HandlerDeps, request: GetUsageRequest, context: CallContext): Promise<UsagePoint[]> {
  if (request.key === undefined) throw new SessionError('VALIDATION', 'key is required');
  const { agentId, key, row } = await existingSession(deps, { key: request.key, agentId: request.agentId }, context, (asked) => `No transcript found for session: ${asked}`);
  const limit = Math.min(Math.max(1, request.limit ?? HISTORY_LIMIT_MAX), HISTORY_LIMIT_MAX);
  const page = await readPage(deps, GetHistoryRequest.create({ key, agentId, limit, includeTools: true }), context);
  return page.records.flatMap(({ lineJson }) => {
    const point = pointOf(lineJson);
    return point === undefined ? [] : [UsagePoint.create({ ...point, key, sessionId: page.sessionId ?? row.sessionId ?? '' })];
  });
}

/** The usage of one transcript line; undefined for a line without. */
function pointOf(lineJson: Uint8Array): { atMs: number; usage: TokenUsage } | undefined {
  let line: unknown;
  try {
    line = JSON.parse(Buffer.from(lineJson).toString('utf8'));
  } catch {
    return undefined;
  }
  if (!isJsonObject(line) || !isJsonObject(line.message) || !isJsonObject(line.message.usage)) return undefined;
  const { usage, provider, model, timestamp } = line.message;
  const writtenAtMs = typeof line.timestamp === 'string' ? Date.parse(line.timestamp) : Number(timestamp);
  const cost = isJsonObject(usage.cost) ? countOf(usage.cost, 'total') : undefined;
  return {
    atMs: Number.isFinite(writtenAtMs) ? writtenAtMs : 0,
    usage: TokenUsage.create({
      inputTokens: countOf(usage, 'input') ?? 0,
      outputTokens: countOf(usage, 'output') ?? 0,
      cacheReadTokens: countOf(usage, 'cacheRead') ?? 0,
      cacheWriteTokens: countOf(usage, 'cacheWrite') ?? 0,
      totalTokens: countOf(usage, 'totalTokens'),
      costUsd: cost,
      modelProvider: typeof provider === 'string' ? provider : undefined,
      model: typeof model === 'string' ? model : undefined,
    }),
  };
}

function countOf(members: JsonObject, name: string): number | undefined {
  const value = members[name];
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;
}

/** Whole days in UTC, both included. @throws VALIDATION */
function rangeOf({ startDate, endDate }: GetUsageRequest, nowMs: number): Range {
  const untilDay = endDate === undefined ? startOfDay(nowMs) : dayOf('endDate', endDate);
  const fromDay = startDate === undefined ? untilDay - (DAYS_DEFAULT - 1) * DAY_MS : dayOf('startDate', startDate);
  if (fromDay > untilDay) throw new SessionError('VALIDATION', 'startDate must not be after endDate');
  const shown = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
  return { startDate: shown(fromDay), endDate: shown(untilDay), fromMs: fromDay, untilMs: untilDay + DAY_MS };
}

const startOfDay = (ms: number): number => Math.floor(ms / DAY_MS) * DAY_MS;

function dayOf(name: string, text: string): number {
  const ms = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  if (!Number.isFinite(ms)) throw new SessionError('VALIDATION', `${name} must be a date such as 2026-06-01`);
  return ms;
}
