/**
 * When a compaction is to be asked for by itself (compaction §5), before or after a turn. The window fills,
 * or the file has grown: the owner decides by this at the end of a turn, the runner before its next request.
 */
import type { SessionConfig } from '../config/parse-config';
import type { CompactionPlan, CompactionRequest } from './plan-compaction';
import { planCompaction, reserveTokens } from './plan-compaction';

export interface CompactionDueRequest extends Omit<CompactionRequest, 'trigger'> {
  readonly settings: CompactionRequest['settings'] & Pick<SessionConfig['agents']['defaults']['compaction'], 'maxActiveTranscriptBytes' | 'truncateAfterCompaction'>;
  /** Of the transcript's file. */
  readonly transcriptBytes: number;
}

/** Why a compaction is due, with what it would do; or why not. */
export type CompactionDue =
  | { readonly due: 'auto-threshold' | 'size'; readonly plan: Extract<CompactionPlan, { kind: 'summarise' }> }
  | { readonly due: undefined; readonly reason: Extract<CompactionPlan, { kind: 'none' }>['reason'] };

/**
 * Never before at least a tenth of the context is new since the last one, or since the last attempt. The
 * size of the file counts only where a compaction makes it smaller.
 */
export function planDueCompaction({ transcriptBytes, ...request }: CompactionDueRequest): CompactionDue {
  const byWindow = planCompaction({ ...request, trigger: 'threshold' });
  if (byWindow.kind === 'summarise') return { due: 'auto-threshold', plan: byWindow };
  const { maxActiveTranscriptBytes: bytesMax, truncateAfterCompaction } = request.settings;
  if (byWindow.reason !== 'not full' || !truncateAfterCompaction || bytesMax <= 0 || transcriptBytes < bytesMax) return { due: undefined, reason: byWindow.reason };
  const bySize = planCompaction({ ...request, trigger: 'overflow' });
  return bySize.kind === 'summarise' ? { due: 'size', plan: bySize } : { due: undefined, reason: bySize.reason };
}

export interface MidTurnRequest {
  readonly settings: CompactionRequest['settings'] & { readonly midTurnPrecheck: { readonly enabled: boolean } };
  readonly windowTokens: number;
  /** Of the next request, its newest tool result included. */
  readonly tokens: number;
}

/** Whether the next request within a turn would reach into the reserve. Switched off with its own setting only. */
export function isMidTurnDue({ settings, windowTokens, tokens }: MidTurnRequest): boolean {
  return settings.midTurnPrecheck.enabled && windowTokens > 0 && tokens > windowTokens - reserveTokens(settings, windowTokens);
}
