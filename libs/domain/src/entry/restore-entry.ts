/**
 * What bringing an archive back makes of the entry (lifecycle §12, decision 45). Which archive it is,
 * its files and hashes, and the archive of what is live are the owner's.
 */
import type { JsonObject, JsonValue } from '../json';
import type { ArchiveKind } from './entry-file';
import type { EntryPatch } from './patch-fields';
import { REMOVAL_NOTICE_MEMBER } from './removal-notice';
import { familyWith } from './session-family';

export interface RestoredSession {
  readonly kind: ArchiveKind;
  readonly sessionId: string;
  readonly sessionFile: string;
  readonly nowMs: number;
  /** Members of the row that is live; undefined: none, or it has been archived first. */
  readonly current: JsonObject | undefined;
  /** Members as the manifest has them, for a `.deleted` archive. */
  readonly archived?: JsonObject;
}

/** Counters that told of the transcript that is no longer live. */
const STALE = ['inputTokens', 'outputTokens', 'totalTokens', 'cacheRead', 'cacheWrite', 'contextBudgetStatus'];
const OF_RESET = [REMOVAL_NOTICE_MEMBER, 'lastResetAt', 'lastResetReason', 'status', 'startedAt', 'endedAt', 'runtimeMs', 'skillsSnapshot', 'systemPromptReport', 'archiveAt'];

/**
 * Start and last interaction become now: otherwise the next message would find a stale session and
 * reset what was just brought back, or a clean-up would take it.
 */
export function restoredEntry({ kind, sessionId, sessionFile, nowMs, current, archived }: RestoredSession): EntryPatch {
  if (kind === 'bak') return patchOf({ updatedAt: nowMs, totalTokensFresh: false }, STALE, current);
  const base = kind === 'deleted' ? archived : current;
  const before = typeof current?.['sessionId'] === 'string' && current['sessionId'] !== sessionId ? current['sessionId'] : undefined;
  const hasFamily = Array.isArray(base?.['usageFamilySessionIds']) && base['usageFamilySessionIds'].length > 0;
  const taken = kind === 'deleted' ? Object.fromEntries(Object.entries(archived ?? {}).filter(([name, value]) => value !== undefined && !STALE.includes(name) && !OF_RESET.includes(name))) : {};
  const set = {
    ...(taken as Record<string, JsonValue>),
    sessionId,
    sessionFile,
    updatedAt: nowMs,
    sessionStartedAt: nowMs,
    lastInteractionAt: nowMs,
    totalTokensFresh: false,
    systemSent: false,
    ...(before === undefined ? {} : { previousSessionId: before }),
    ...(before === undefined && !hasFamily ? {} : { usageFamilySessionIds: familyWith(base, [...(before === undefined ? [] : [before]), sessionId]) }),
  };
  return patchOf(set, [...STALE, ...OF_RESET], current);
}

function patchOf(set: Record<string, JsonValue>, gone: readonly string[], current: JsonObject | undefined): EntryPatch {
  return { set, clear: gone.filter((name) => current?.[name] !== undefined && !Object.hasOwn(set, name)) };
}
