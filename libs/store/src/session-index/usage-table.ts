/** The usage ledger's lines in the session index: a copy of `usage.jsonl` and of what the journal has beyond it. */
import type Database from 'better-sqlite3';
import { COST_KINDS, type KindCosts, wholeCosts } from '@sessions/domain';
import type { UsageLine } from '../types';

/** Which line of the ledger; ordered by epoch, sequence, place. */
export interface UsagePlace {
  readonly epoch: number;
  readonly seq: number;
  /** Place among the lines of one mutation. */
  readonly n: number;
}

export interface UsageRow {
  readonly epoch: number;
  readonly seq: number;
  readonly n: number;
  readonly at: number;
  readonly key: string;
  readonly session_id: string;
  readonly run_id: string;
  readonly provider: string | null;
  readonly model: string | null;
  readonly input: number;
  readonly output: number;
  readonly cache_read: number;
  readonly cache_write: number;
  readonly cost: number | null;
  /** All of them or none. */
  readonly cost_input: number | null;
  readonly cost_output: number | null;
  readonly cost_cache_read: number | null;
  readonly cost_cache_write: number | null;
}

export const USAGE_COLUMNS = 'epoch, seq, n, at, key, session_id, run_id, provider, model, input, output, cache_read, cache_write, cost, cost_input, cost_output, cost_cache_read, cost_cache_write';

export function kindCosts(row: UsageRow): KindCosts | undefined {
  return wholeCosts([row.cost_input, row.cost_output, row.cost_cache_read, row.cost_cache_write]);
}

export function toUsageLine(row: UsageRow): UsageLine {
  const costsUsd = kindCosts(row);
  return {
    at: row.at,
    key: row.key,
    sessionId: row.session_id,
    runId: row.run_id,
    provider: row.provider,
    model: row.model,
    input: row.input,
    output: row.output,
    cacheRead: row.cache_read,
    cacheWrite: row.cache_write,
    ...(row.cost === null ? {} : { costUsd: row.cost }),
    ...(costsUsd === undefined ? {} : { costsUsd }),
  };
}

export class UsageTable {
  readonly #put: Database.Statement;

  constructor(db: Database.Database) {
    this.#put = db.prepare(`INSERT INTO usage (${USAGE_COLUMNS}) VALUES (${USAGE_COLUMNS.split(', ').map(() => '?').join(', ')}) ON CONFLICT DO NOTHING`);
  }

  /** A line that is there already stays as it is: replaying it twice counts it once. */
  put({ epoch, seq, n }: UsagePlace, line: UsageLine): void {
    const { at, key, sessionId, runId, provider, model, input, output, cacheRead, cacheWrite, costUsd, costsUsd } = line;
    this.#put.run(epoch, seq, n, at, key, sessionId, runId, provider, model, input, output, cacheRead, cacheWrite, costUsd ?? null, ...COST_KINDS.map((kind) => costsUsd?.[kind] ?? null));
  }
}
