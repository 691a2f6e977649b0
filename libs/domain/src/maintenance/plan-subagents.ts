/**
 * Automatic archives of ended sub-agents (lifecycle §10). They were asked for at spawn, so they run in
 * either maintenance mode; a child whose parent has not received its result stays (decision 26).
 */
import type { SessionConfig } from '../config/parse-config';
import { keyRest } from '../keys/key-kind';
import { rowAction, type MaintenanceAction } from './actions';
import type { FactRow } from './facts';
import { isFreeToFix } from './protection';

type SubagentSettings = Pick<SessionConfig['agents']['defaults']['subagents'], 'archiveAfterMinutes' | 'archiveKept'>;
export type ChildFacts = Pick<FactRow, 'cleanup' | 'isPersistentChild'>;

/**
 * When an ended child is to be archived; undefined: never by itself.
 * @param endedAtMs end of its last run. `cleanup: "delete"` is archived right after the announce, and
 * by this only when that failed.
 */
export function subagentArchiveAtMs(child: ChildFacts, endedAtMs: number, settings: SubagentSettings): number | undefined {
  if (settings.archiveAfterMinutes <= 0 || !Number.isFinite(endedAtMs) || isKept(child, settings)) return undefined;
  return endedAtMs + settings.archiveAfterMinutes * 60_000;
}

/** `keep` means for ever, unless `archiveKept`; sessions that were spawned to stay are kept even then. */
function isKept({ cleanup, isPersistentChild }: ChildFacts, settings: SubagentSettings): boolean {
  return cleanup === 'keep' && (!settings.archiveKept || isPersistentChild === true);
}

/** Children whose time has come, earliest first. Rows that are no sub-agents are never taken. */
export function planSubagentArchives(rows: readonly FactRow[], settings: SubagentSettings, nowMs: number): readonly MaintenanceAction[] {
  if (settings.archiveAfterMinutes <= 0) return [];
  const dueAtMs = (row: FactRow): number => row.archiveAtMs ?? Number.POSITIVE_INFINITY;
  return rows
    .filter((row) => keyRest(row.key).startsWith('subagent:') && dueAtMs(row) > 0 && dueAtMs(row) <= nowMs && !isKept(row, settings) && isFreeToFix(row))
    .sort((left, right) => dueAtMs(left) - dueAtMs(right) || (left.key < right.key ? -1 : 1))
    .map((row) => rowAction('archive-subagent', 'archive-due', row));
}
