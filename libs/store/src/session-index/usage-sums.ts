/**
 * Sums of the usage ledger, read newest first in slices, so that the worker serves its other messages
 * in between. Memory is bounded by the answer: a session beyond the limit counts in the totals alone.
 */
import type Database from 'better-sqlite3';
import { CostSum, KindCostSum, channelOf } from '@sessions/domain';
import { kindCosts, toUsageLine, USAGE_COLUMNS, type UsagePlace, type UsageRow } from './usage-table';
import type { ChannelUsageSum, DayUsageSum, ModelDayUsageSum, ModelUsageSum, UsageLines, UsageQuery, UsageSum, UsageSums } from './worker-protocol';

/** Sessions or lines of one answer. */
export const USAGE_LIMIT_MAX = 5000;
export const USAGE_MODELS_MAX = 500;
export const USAGE_SESSION_IDS_MAX = 8;
/** Days of one answer, the newest ones. */
export const USAGE_DAYS_MAX = 400;
/** Days and models of one answer, the newest ones. */
export const USAGE_MODEL_DAYS_MAX = 2000;
export const USAGE_CHANNELS_MAX = 100;
const DAY_MS = 24 * 60 * 60 * 1000;
/** Keys of one query; a session has few spellings. */
const KEYS_MAX = 16;
const ROWS_PER_SLICE = 5000;

/** Of a line: the sums that it belongs to. */
class Counting {
  #input = 0;
  #output = 0;
  #cacheRead = 0;
  #cacheWrite = 0;
  #linesCount = 0;
  #unpricedCount = 0;
  readonly #cost = new CostSum();
  readonly #costs = new KindCostSum();

  add(row: UsageRow): void {
    this.#input += row.input;
    this.#output += row.output;
    this.#cacheRead += row.cache_read;
    this.#cacheWrite += row.cache_write;
    this.#linesCount += 1;
    if (row.cost === null) this.#unpricedCount += 1;
    else {
      this.#cost.add(row.cost);
      this.#costs.add(row.cost, kindCosts(row));
    }
  }

  get sum(): UsageSum {
    return { input: this.#input, output: this.#output, cacheRead: this.#cacheRead, cacheWrite: this.#cacheWrite, costUsd: this.#cost.usd, costsUsd: this.#costs.usd, linesCount: this.#linesCount, unpricedCount: this.#unpricedCount };
  }
}

/** Sums by something that lines have in common, as many as there may be: what comes later is in the totals alone. */
class Groups<K, F> {
  readonly #groups = new Map<K, { readonly facts: F; readonly counting: Counting }>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  /** @returns what the group was begun with; undefined: there is no room for it. */
  add(name: K, row: UsageRow, begin: () => F): F | undefined {
    let group = this.#groups.get(name);
    if (group === undefined) {
      if (this.#groups.size >= this.#max) return undefined;
      group = { facts: begin(), counting: new Counting() };
      this.#groups.set(name, group);
    }
    group.counting.add(row);
    return group.facts;
  }

  /** In the order in which they began. */
  all(): (F & UsageSum)[] {
    return [...this.#groups.values()].map(({ facts, counting }) => ({ ...facts, ...counting.sum }));
  }
}

/** @param breathe resolves after other messages had their turn. */
export async function sumUsage(db: Database.Database, query: UsageQuery, breathe: () => Promise<void>): Promise<UsageSums> {
  const totals = new Counting();
  const sessions = new Groups<string, { readonly key: string; readonly sessionIds: string[]; readonly lastAtMs: number } & Pick<ModelUsageSum, 'provider' | 'model'>>(query.limit);
  const models = new Groups<string, Pick<ModelUsageSum, 'provider' | 'model'>>(USAGE_MODELS_MAX);
  const days = new Groups<number, Pick<DayUsageSum, 'dayAtMs'>>(USAGE_DAYS_MAX);
  const modelDays = new Groups<string, Pick<ModelDayUsageSum, 'dayAtMs' | 'provider' | 'model'>>(USAGE_MODEL_DAYS_MAX);
  const channels = new Groups<string, Pick<ChannelUsageSum, 'channel'>>(USAGE_CHANNELS_MAX);
  for (const slice of slices(db, query)) {
    for (const row of slice) {
      const { at, key, session_id: sessionId, provider, model } = row;
      totals.add(row);
      const dayAtMs = Math.floor(at / DAY_MS) * DAY_MS;
      days.add(dayAtMs, row, () => ({ dayAtMs }));
      const session = sessions.add(key, row, () => ({ key, sessionIds: [], lastAtMs: at, provider, model }));
      if (session !== undefined && session.sessionIds.length < USAGE_SESSION_IDS_MAX && !session.sessionIds.includes(sessionId)) session.sessionIds.push(sessionId);
      models.add(JSON.stringify([provider, model]), row, () => ({ provider, model }));
      modelDays.add(JSON.stringify([dayAtMs, provider, model]), row, () => ({ dayAtMs, provider, model }));
      const channel = channelOf({ key });
      if (channel !== undefined) channels.add(channel, row, () => ({ channel }));
    }
    await breathe();
  }
  return { sessions: sessions.all(), models: models.all(), days: days.all().reverse(), modelDays: modelDays.all().reverse(), channels: channels.all(), totals: totals.sum };
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
