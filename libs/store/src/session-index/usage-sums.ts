/**
 * Sums of the usage ledger, read newest first in slices, so that the worker serves its other messages
 * in between. Memory is bounded by the answer: a session beyond the limit counts in the totals alone.
 */
import type Database from 'better-sqlite3';
import { toUsageLine, USAGE_COLUMNS, type UsagePlace, type UsageRow } from './usage-table';
import type { DayUsageSum, ModelUsageSum, SessionUsageSum, UsageLines, UsageQuery, UsageSum, UsageSums } from './worker-protocol';

/** Sessions or lines of one answer. */
export const USAGE_LIMIT_MAX = 5000;
export const USAGE_MODELS_MAX = 500;
export const USAGE_SESSION_IDS_MAX = 8;
/** Days of one answer, the newest ones. */
export const USAGE_DAYS_MAX = 400;
const DAY_MS = 24 * 60 * 60 * 1000;
/** Keys of one query; a session has few spellings. */
const KEYS_MAX = 16;
const ROWS_PER_SLICE = 5000;

type Counting = { -readonly [Member in keyof UsageSum]: UsageSum[Member] };

/** @param breathe resolves after other messages had their turn. */
export async function sumUsage(db: Database.Database, query: UsageQuery, breathe: () => Promise<void>): Promise<UsageSums> {
  const totals = zero();
  const sessions = new Map<string, Counting & { readonly newest: UsageRow; readonly sessionIds: Set<string> }>();
  const models = new Map<string, Counting & Pick<ModelUsageSum, 'provider' | 'model'>>();
  const days = new Map<number, Counting>();
  for (const slice of slices(db, query)) {
    for (const row of slice) {
      add(totals, row);
      const dayAtMs = Math.floor(row.at / DAY_MS) * DAY_MS;
      let day = days.get(dayAtMs);
      if (day === undefined && days.size < USAGE_DAYS_MAX) {
        day = zero();
        days.set(dayAtMs, day);
      }
      if (day !== undefined) add(day, row);
      let session = sessions.get(row.key);
      if (session === undefined && sessions.size < query.limit) {
        session = { ...zero(), newest: row, sessionIds: new Set() };
        sessions.set(row.key, session);
      }
      if (session !== undefined) {
        add(session, row);
        if (session.sessionIds.size < USAGE_SESSION_IDS_MAX) session.sessionIds.add(row.session_id);
      }
      const name = JSON.stringify([row.provider, row.model]);
      let model = models.get(name);
      if (model === undefined && models.size < USAGE_MODELS_MAX) {
        model = { ...zero(), provider: row.provider, model: row.model };
        models.set(name, model);
      }
      if (model !== undefined) add(model, row);
    }
    await breathe();
  }
  return {
    sessions: [...sessions].map(([key, { newest, sessionIds, ...sum }]): SessionUsageSum => ({ key, ...sum, sessionIds: [...sessionIds], lastAtMs: newest.at, provider: newest.provider, model: newest.model })),
    models: [...models.values()],
    days: [...days].map(([dayAtMs, sum]): DayUsageSum => ({ dayAtMs, ...sum })).reverse(),
    totals,
  };
}

/** The newest lines, oldest of them first. */
export function usageLines(db: Database.Database, query: UsageQuery): UsageLines {
  const { where, values } = conditionsOf(query);
  const rows = db.prepare(`SELECT ${USAGE_COLUMNS} FROM usage WHERE ${where} ORDER BY at DESC, epoch DESC, seq DESC, n DESC LIMIT ?`).all(...values, query.limit) as UsageRow[];
  return { lines: rows.reverse().map(toUsageLine) };
}

function* slices(db: Database.Database, query: UsageQuery): Generator<UsageRow[]> {
  const { where, values } = conditionsOf(query);
  const slice = db.prepare(
    `SELECT ${USAGE_COLUMNS} FROM usage WHERE ${where} AND at <= ? AND (at, epoch, seq, n) < (?, ?, ?, ?)
     ORDER BY at DESC, epoch DESC, seq DESC, n DESC LIMIT ${ROWS_PER_SLICE}`,
  );
  let from: UsagePlace & { readonly at: number } = { at: Number.MAX_SAFE_INTEGER, epoch: Number.MAX_SAFE_INTEGER, seq: 0, n: 0 };
  for (;;) {
    const rows = slice.all(...values, from.at, from.at, from.epoch, from.seq, from.n) as UsageRow[];
    if (rows.length > 0) yield rows;
    if (rows.length < ROWS_PER_SLICE) return;
    from = rows[rows.length - 1] as UsageRow;
  }
}

function conditionsOf({ keys, fromMs, untilMs }: UsageQuery): { readonly where: string; readonly values: (string | number)[] } {
  const conditions = ['at >= ?', 'at < ?'];
  const values: (string | number)[] = [fromMs ?? Number.MIN_SAFE_INTEGER, untilMs ?? Number.MAX_SAFE_INTEGER];
  if (keys !== undefined) {
    const some = keys.slice(0, KEYS_MAX);
    conditions.push(`key IN (${some.map(() => '?').join(', ')})`);
    values.push(...some);
  }
  return { where: conditions.join(' AND '), values };
}

function zero(): Counting {
  return { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, costUsd: undefined, linesCount: 0, unpricedCount: 0 };
}

function add(sum: Counting, row: UsageRow): void {
  sum.input += row.input;
  sum.output += row.output;
  sum.cacheRead += row.cache_read;
  sum.cacheWrite += row.cache_write;
  sum.linesCount += 1;
  if (row.cost === null) sum.unpricedCount += 1;
  else sum.costUsd = (sum.costUsd ?? 0) + row.cost;
}
