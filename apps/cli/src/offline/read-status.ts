/** What `openclaw status` knows from the files: stores, newest sessions, what needs attention. */
import type { CliContext } from '../cli-context';
import { SENDER_ROWS_MAX, directSenders } from './direct-senders';
import { readRows } from './read-rows';
import { readStore, readerOptions } from './read-store';
import { selectStores } from './select-stores';
import type { StoreChoice } from './select-stores';
import { SessionRow } from '@sessions/contracts';
import { ROW_FLAGS, SessionError, configuredAgents, contextTokensFor, dmScopeWarning, modelFor, rowProtections, toCliRow } from '@sessions/domain';
import type { CliRow, SessionConfig } from '@sessions/domain';
import { livingOwner, readLedgerTotals, storeLayout } from '@sessions/store';
import { existsSync, readdirSync } from 'node:fs';

/** The process that has the store; it may have closed it since. */
export interface StatusOwner {
  readonly pid: number;
  readonly instance: string;
  readonly epoch: number;
  readonly acquiredAtMs: number;
}

/** Of the usage ledger, whatever became of the sessions; of a store that has none, sums over its rows. */
export interface AgentUsage {
  readonly source: 'ledger' | 'rows';
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** US dollars; absent: no price is known. */
  readonly estimatedCostUsd?: number;
  /** Runs whose price is not known, and which the cost lacks; only of a ledger. */
  readonly missingCostEntries?: number;
}

export interface AnnouncedRemoval {
  readonly key: string;
  readonly announcedAtMs: number;
  /** A run of the clean-up removes it then at the earliest; a message before that keeps it. */
  readonly notBeforeMs: number;
}

export interface OverLimit {
  readonly maxEntries: number;
  /** Sessions that the limit leaves alone: in use, main, groups, channels, threads. */
  readonly protectedCount: number;
}

export interface AgentStatus {
  readonly agentId: string;
  readonly path: string;
  /** Null when the store cannot be read. */
  readonly count: number | null;
  readonly recent: readonly CliRow[];
  /** Null when no process on this machine has the store. */
  readonly owner: StatusOwner | null;
  /** Sessions whose removal was announced, the first to go first: RECENT_MAX of them, of `announcedCount`. */
  readonly announced: readonly AnnouncedRemoval[];
  readonly announcedCount: number;
  /** Sessions with an answer or a result that nobody has acknowledged. */
  readonly undeliveredCount: number;
  /** Only of a store with more sessions than `session.maintenance.maxEntries`. */
  readonly overLimit?: OverLimit;
  /** Set when senders were looked for in so many of the newest sessions only. */
  readonly sendersFromNewest?: number;
  /** Only when asked for. */
  readonly usage?: AgentUsage;
}

export interface SessionsStatus {
  readonly paths: readonly string[];
  readonly count: number;
  readonly defaults: { readonly model: string | null; readonly contextTokens: number };
  /** Newest first over all agents. */
  readonly recent: readonly CliRow[];
  readonly byAgent: readonly AgentStatus[];
}

export interface StatusReading {
  readonly sessions: SessionsStatus;
  readonly warnings: readonly string[];
}

export const RECENT_MAX = 10;
export interface StatusOptions {
  readonly nowMs: number;
  /** Every session instead of the newest RECENT_MAX. */
  readonly all: boolean;
  readonly usage: boolean;
}

const sum = (rows: readonly SessionRow[], name: 'inputTokens' | 'outputTokens' | 'estimatedCostUsd'): number =>
  rows.reduce((total, row) => total + Math.max(0, row[name] ?? 0), 0);

async function usageOf(store: StoreChoice, rows: readonly SessionRow[]): Promise<AgentUsage> {
  const totals = await readLedgerTotals(readerOptions(store));
  if (totals !== undefined) {
    const { input, output, costUsd, unpricedCount } = totals;
    return { source: 'ledger', inputTokens: input, outputTokens: output, ...(costUsd !== undefined && { estimatedCostUsd: costUsd }), missingCostEntries: unpricedCount };
  }
  const hasCost = rows.some(({ estimatedCostUsd }) => estimatedCostUsd !== undefined);
  return { source: 'rows', inputTokens: sum(rows, 'inputTokens'), outputTokens: sum(rows, 'outputTokens'), ...(hasCost && { estimatedCostUsd: sum(rows, 'estimatedCostUsd') }) };
}

/** @returns null too for an owner record that cannot be read; that one is a warning. */
function ownerOf({ agentId, path }: StoreChoice, warnings: string[]): StatusOwner | null {
  try {
    const owner = livingOwner(agentId, path);
    return owner === undefined ? null : { pid: owner.pid, instance: owner.instance, epoch: owner.epoch, acquiredAtMs: owner.acquiredAtMs };
  } catch (error) {
    if (!(error instanceof SessionError)) throw error;
    warnings.push(error.message);
    return null;
  }
}

/** What an owner could not read and set aside is worth a look. */
function quarantineWarning({ agentId, path }: StoreChoice): string[] {
  const { quarantineDir } = storeLayout(agentId, path);
  const files = existsSync(quarantineDir) ? readdirSync(quarantineDir).length : 0;
  return files === 0 ? [] : [`${files} damaged ${files === 1 ? 'piece has' : 'pieces have'} been set aside in ${quarantineDir}`];
}

/** What waits in a store. With `pruneAfter` off, or in mode `warn`, nothing is removed by itself, whatever was announced. */
async function readWaiting(store: StoreChoice, { mode, pruneAfterMs, removalNoticeMs }: SessionConfig['session']['maintenance'], nowMs: number): Promise<Pick<AgentStatus, 'announced' | 'announcedCount' | 'undeliveredCount'>> {
  const rows = await readStore(store, (reader) => [...reader.waitingRows()]);
  const removes = mode === 'enforce' && pruneAfterMs > 0;
  const announced = rows
    .flatMap(({ key, updatedAt, removalAnnouncedAtMs: atMs }): AnnouncedRemoval[] =>
      !removes || atMs === null || atMs > nowMs ? [] : [{ key, announcedAtMs: atMs, notBeforeMs: Math.max(atMs + removalNoticeMs, (updatedAt ?? nowMs) + pruneAfterMs + 1) }],
    )
    .sort((one, other) => one.notBeforeMs - other.notBeforeMs || (one.key < other.key ? -1 : 1));
  return { announced: announced.slice(0, RECENT_MAX), announcedCount: announced.length, undeliveredCount: rows.filter(({ flags }) => (flags & ROW_FLAGS.undelivered) !== 0).length };
}

/** Looks at every row, of a store that is over its limit only. */
async function readOverLimit(store: StoreChoice, count: number, { maxEntries }: SessionConfig['session']['maintenance'], nowMs: number): Promise<OverLimit | undefined> {
  if (!(maxEntries > 0) || count <= maxEntries) return undefined;
  const protectedCount = await readStore(store, (reader) => {
    let found = 0;
    for (const row of reader.factRows()) if (rowProtections(row.key, row, { nowMs, isHeld: false, named: [] }).length > 0) found += 1;
    return found;
  });
  return { maxEntries, protectedCount };
}

export async function readStatus(context: CliContext, { nowMs, all, usage }: StatusOptions): Promise<StatusReading> {
  const { stores } = selectStores({ allAgents: true }, context);
  const { defaultAgentId } = configuredAgents(context.config);
  const byAgent: AgentStatus[] = [];
  const warnings: string[] = [];
  const senders: string[] = [];
  const { dmScope, scope } = context.config.session;
  const sendersMatter = dmScope === 'main' && scope !== 'global';
  const limit = all || usage ? null : sendersMatter ? SENDER_ROWS_MAX : RECENT_MAX;
  for (const store of stores) {
    const { agentId, path } = store;
    const owner = ownerOf(store, warnings);
    warnings.push(...quarantineWarning(store));
    try {
      const page = await readRows({ agentId, path }, { activeSinceMs: null, limit, decode: (encoded) => SessionRow.decode(encoded) });
      if (page.warning !== undefined) warnings.push(page.warning);
      const waiting = await readWaiting(store, context.config.session.maintenance, nowMs);
      const overLimit = await readOverLimit(store, page.totalCount, context.config.session.maintenance, nowMs);
      if (sendersMatter) senders.push(...page.rows.slice(0, SENDER_ROWS_MAX).flatMap(directSenders));
      const shown = all ? page.rows : page.rows.slice(0, RECENT_MAX);
      byAgent.push({
        agentId,
        path,
        count: page.totalCount,
        owner,
        ...waiting,
        ...(overLimit !== undefined && { overLimit }),
        recent: shown.map((row) => toCliRow(row, { config: context.config, agentId, nowMs })),
        ...(sendersMatter && page.totalCount > SENDER_ROWS_MAX && { sendersFromNewest: SENDER_ROWS_MAX }),
        ...(usage && { usage: await usageOf(store, page.rows) }),
      });
    } catch (error) {
      if (!(error instanceof SessionError)) throw error;
      warnings.push(error.message);
      byAgent.push({ agentId, path, count: null, owner, announced: [], announcedCount: 0, undeliveredCount: 0, recent: [] });
    }
  }
  const sharing = dmScopeWarning(context.config.session, senders);
  const newest = byAgent.flatMap(({ recent }) => recent).sort((one, other) => (other.updatedAt ?? 0) - (one.updatedAt ?? 0));
  const model = modelFor(context.config, defaultAgentId);
  return {
    sessions: {
      paths: stores.map(({ path }) => path),
      count: byAgent.reduce((total, { count }) => total + (count ?? 0), 0),
      defaults: {
        model: model === undefined ? null : [model.provider, model.model].filter((part) => part !== undefined).join('/'),
        contextTokens: contextTokensFor(context.config, defaultAgentId),
      },
      recent: all ? newest : newest.slice(0, RECENT_MAX),
      byAgent,
    },
    warnings: [...warnings, ...(sharing === undefined ? [] : [`${sharing.message}; ${sharing.hint}`])],
  };
}
