/**
 * Which archive a restore brings back, and what that makes of the entry (lifecycle §12, decision 45).
 * Files, hashes and the archive of what is live are the owner's.
 */
import type { JsonObject, JsonValue } from '../json';
import { parseArchiveName, type ArchiveKind } from './entry-file';
import type { EntryPatch } from './patch-fields';
import { REMOVAL_NOTICE_MEMBER } from './removal-notice';

/** One archive as the manifest or a directory tells of it. */
export interface ArchiveFacts {
  /** Name of the archived transcript. */
  readonly file: string;
  /** Undefined: no manifest line, made by another program. */
  readonly key?: string;
  readonly sessionId?: string;
  /** The entry as it was; undefined: not recorded. */
  readonly entry?: JsonObject;
  /** Place in the manifest, growing; undefined without a line. */
  readonly line?: number;
}

export interface RestoreRequest {
  /** Undefined when only a file is named. */
  readonly key?: string;
  /** File name, session id or stamp, as the user gave it. */
  readonly named?: string;
  /** Session ids that are the key's, for archives without a manifest line. */
  readonly sessionIds?: readonly string[];
}

/**
 * The archive named; else the key's newest manifest line; else the newest matching file by stamp.
 * @returns undefined when there is none.
 */
export function chooseArchive(archives: readonly ArchiveFacts[], { key, named, sessionIds = [] }: RestoreRequest): ArchiveFacts | undefined {
  const transcripts = archives.filter(({ file }) => parseArchiveName(file)?.base.endsWith('.trajectory.jsonl') === false);
  const ofKey = transcripts.filter((archive) => key === undefined || archive.key === key || (archive.key === undefined && sessionIds.some((id) => parseArchiveName(archive.file)?.base === `${id}.jsonl`)));
  if (named === undefined) return key === undefined ? undefined : newest(ofKey);
  const exact = transcripts.find((archive) => archive.file === named || archive.file.endsWith(`/${named}`));
  return exact ?? newest(ofKey.filter((archive) => archive.sessionId === named || parseArchiveName(archive.file)?.base === `${named}.jsonl` || archive.file.endsWith(`.${named}`)));
}

/** Manifest lines come before files without one. */
function newest(archives: readonly ArchiveFacts[]): ArchiveFacts | undefined {
  const rank = (archive: ArchiveFacts): readonly [number, number] => [archive.line ?? -1, parseArchiveName(archive.file)?.atMs ?? 0];
  return archives.reduce<ArchiveFacts | undefined>((best, archive) => {
    if (best === undefined) return archive;
    const [line, atMs] = rank(archive);
    const [bestLine, bestAtMs] = rank(best);
    return line > bestLine || (line === bestLine && atMs > bestAtMs) ? archive : best;
  }, undefined);
}

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
  const stored: unknown = base?.['usageFamilySessionIds'];
  const family = Array.isArray(stored) ? stored.filter((id): id is string => typeof id === 'string') : [];
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
    ...(before === undefined && family.length === 0 ? {} : { usageFamilySessionIds: [...new Set([...family, ...(before === undefined ? [] : [before]), sessionId])] }),
  };
  return patchOf(set, [...STALE, ...OF_RESET], current);
}

function patchOf(set: Record<string, JsonValue>, gone: readonly string[], current: JsonObject | undefined): EntryPatch {
  return { set, clear: gone.filter((name) => current?.[name] !== undefined && !Object.hasOwn(set, name)) };
}
