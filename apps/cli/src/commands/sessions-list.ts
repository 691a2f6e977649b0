/** `openclaw sessions` and `openclaw sessions list`: stored rows, newest first, without a gateway. */
import { loadCliContext } from '../cli-context';
import type { CliContext } from '../cli-context';
import { COLUMNS_WITHOUT_TERMINAL, EXIT } from '../cli-io';
import type { CliIo, ExitCode } from '../cli-io';
import { LIST_LIMIT_DEFAULT, parseActiveMinutes, parseLimit } from '../flags/list-flags';
import type { ListFlags } from '../flags/list-flags';
import type { ListArguments } from '../flags/parse-list-arguments';
import { withCounts } from '../offline/count-messages';
import { readRows } from '../offline/read-rows';
import { selectStores } from '../offline/select-stores';
import type { ListDocument } from '../render/list-document';
import { renderMeasuredList, renderPlainList } from '../render/list-tables';
import { toCliRow } from '@sessions/domain';
import type { CliRow } from '@sessions/domain';
import { dirname } from 'node:path';

const MINUTE_MS = 60_000;

interface ReadOptions {
  readonly nowMs: number;
  readonly countMessages: boolean;
  readonly debug: (line: string) => void;
}

/** Newest first over all stores; the sort is stable, so ties keep store order and then agent order. */
const byNewest = (one: CliRow, other: CliRow): number => (other.updatedAt ?? 0) - (one.updatedAt ?? 0);

/** The refusal of a store whose directory is a link; a store that cannot be read is another one, and fails the list. */
function isLeadingAway(error: unknown): error is Error {
  return error instanceof Error && (error as { reason?: unknown }).reason === 'DAMAGED';
}

/** @throws VALIDATION, AGENT_UNKNOWN, STORE_UNREADABLE; DAMAGED for one store behind a link */
export async function readList(context: CliContext, flags: ListFlags, { nowMs, countMessages, debug }: ReadOptions): Promise<ListDocument<CliRow>> {
  const { allAgents, stores } = selectStores(flags, context, { mayBeAbsent: true });
  const activeMinutes = parseActiveMinutes(flags.active);
  const limit = parseLimit(flags.limit, LIST_LIMIT_DEFAULT);
  const activeSinceMs = activeMinutes === null ? null : nowMs - activeMinutes * MINUTE_MS;
  const rows: CliRow[] = [];
  const warnings: string[] = [];
  let totalCount = 0;
  for (const choice of stores) {
    debug(`reading ${choice.path} (agent ${choice.agentId})`);
    const page = await readRows(choice, { activeSinceMs, limit }).catch((error: unknown) => {
      // One store behind a link is passed over among several; asked for by itself, it is refused.
      if (!allAgents || !isLeadingAway(error)) throw error;
      return { rows: [], totalCount: 0, warning: `skipped: ${error.message}` };
    });
    const found = countMessages ? withCounts(page.rows, dirname(choice.path)) : page.rows;
    debug(`${page.rows.length} of ${page.totalCount} rows from ${choice.path}`);
    totalCount += page.totalCount;
    if (page.warning !== undefined) warnings.push(page.warning);
    for (const row of found) rows.push(toCliRow(row, { config: context.config, agentId: choice.agentId, nowMs }));
  }
  const sorted = stores.length === 1 ? rows : rows.sort(byNewest);
  const sessions = limit === null ? sorted : sorted.slice(0, limit);
  return {
    path: allAgents ? null : (stores[0]?.path ?? null),
    ...(allAgents && { stores: stores.map(({ agentId, path }) => ({ agentId, path })), allAgents: true as const }),
    count: sessions.length,
    totalCount,
    limitApplied: limit,
    hasMore: totalCount > sessions.length,
    activeMinutes,
    sessions,
    ...(warnings.length > 0 && { warnings }),
  };
}

export async function runSessionsList(io: CliIo, { command, flags }: ListArguments): Promise<ExitCode> {
  const json = flags.json === true;
  const document = await readList(loadCliContext(io), flags, {
    nowMs: io.nowMs(),
    countMessages: command === 'sessions list' && !json,
    debug: (line) => {
      if (flags.verbose === true) io.err(`debug: ${line}\n`);
    },
  });
  const width = (): number => io.columns() ?? COLUMNS_WITHOUT_TERMINAL;
  if (json) io.out(`${JSON.stringify(document, null, 2)}\n`);
  else io.out(command === 'sessions list' ? renderPlainList(document, width()) : renderMeasuredList(document, width()));
  if (!json) for (const warning of document.warnings ?? []) io.err(`warning: ${warning}\n`);
  return EXIT.ok;
}
