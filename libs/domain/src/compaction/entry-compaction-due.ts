/**
 * Whether a compaction is asked for after a turn (compaction §5, threshold and size), from what the entry says.
 * The worker that takes it looks at the transcript itself and may still find nothing to do.
 */
import { COMPACTION_MEMBER } from '../entry/open-work';
import { isJsonObject, type JsonObject } from '../json';
import type { CompactionDueRequest } from './compaction-due';
import { NEW_CONTENT_SHARE_MIN, isNearlyFull, type CompactionSettings } from './plan-compaction';

export interface CompactionDueFacts {
  /** Members of the entry after the turn, with native names. */
  readonly native: JsonObject;
  readonly settings: CompactionSettings;
  /** Of the model that ran. */
  readonly windowTokens: number;
}

/** True when the context reaches into the reserve and has grown by a tenth since the attempt that failed. */
export function mayNeedCompaction({ native, settings, windowTokens }: CompactionDueFacts): boolean {
  const { totalTokens, totalTokensFresh, compactionAttempt } = native;
  if (typeof totalTokens !== 'number' || totalTokensFresh !== true || native[COMPACTION_MEMBER] !== undefined) return false;
  if (!isNearlyFull(settings, windowTokens, totalTokens)) return false;
  const failed = isJsonObject(compactionAttempt) && compactionAttempt['sessionId'] === native['sessionId'] ? compactionAttempt['tokens'] : undefined;
  return typeof failed !== 'number' || totalTokens - failed >= totalTokens * NEW_CONTENT_SHARE_MIN;
}

/** Member of `compactionAttempt`: length of the transcript when it was last looked at for its size. */
export const LOOKED_AT_BYTES = 'bytes';

export interface SizeDueFacts {
  /** Members of the entry, with native names. */
  readonly native: JsonObject;
  readonly settings: Pick<CompactionDueRequest['settings'], 'maxActiveTranscriptBytes' | 'truncateAfterCompaction'>;
  /** Length of the transcript's file. */
  readonly transcriptBytes: number;
}

/** True when the file has reached its bound and has grown by a tenth since it was last looked at for that. */
export function isOversized({ native, settings, transcriptBytes }: SizeDueFacts): boolean {
  const { maxActiveTranscriptBytes: bytesMax, truncateAfterCompaction } = settings;
  if (!truncateAfterCompaction || bytesMax <= 0 || transcriptBytes < bytesMax || native[COMPACTION_MEMBER] !== undefined) return false;
  const { compactionAttempt: attempt } = native;
  const looked = isJsonObject(attempt) && attempt['sessionId'] === native['sessionId'] ? attempt[LOOKED_AT_BYTES] : undefined;
  return typeof looked !== 'number' || transcriptBytes - looked >= transcriptBytes * NEW_CONTENT_SHARE_MIN;
}
