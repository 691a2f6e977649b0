/**
 * Whether a compaction is asked for after a turn (compaction §5, threshold), from what the entry says.
 * The worker that takes it looks at the transcript itself and may still find nothing to do.
 */
import { COMPACTION_MEMBER } from '../entry/open-work';
import { isJsonObject, type JsonObject } from '../json';
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
