/** When the agent is to save notes before a compaction, and which provider errors mean a full window. */
import type { SessionConfig } from '../config/parse-config';
import { isFlushDue, type CompactionSettings } from './plan-compaction';

type FlushSettings = SessionConfig['agents']['defaults']['compaction']['memoryFlush'];

export interface FlushRequest {
  readonly settings: CompactionSettings & { readonly memoryFlush: Pick<FlushSettings, 'enabled' | 'softThresholdTokens' | 'forceFlushTranscriptBytes'> };
  readonly windowTokens: number;
  readonly tokens: number;
  readonly transcriptBytes: number;
  /** Compactions of the transcript, and that number at the last flush; undefined: none yet. */
  readonly compactionCount: number;
  readonly flushedAtCount: number | undefined;
  /** `full`: notes can be written. */
  readonly workspaceAccess: 'full' | 'rw' | 'ro' | 'none';
  /** Runs of programs and of command line runtimes save nothing. */
  readonly runKind: 'turn' | 'heartbeat' | 'cron' | 'cli-backend';
}

/** `threshold`: the window fills; `size`: the transcript is large. Once between two compactions. */
export function planFlush(request: FlushRequest): 'threshold' | 'size' | undefined {
  const { settings, compactionCount, flushedAtCount, workspaceAccess, runKind } = request;
  const { enabled, softThresholdTokens, forceFlushTranscriptBytes } = settings.memoryFlush;
  const canWrite = workspaceAccess === 'full' || workspaceAccess === 'rw';
  if (!enabled || !canWrite || runKind !== 'turn' || flushedAtCount === compactionCount) return undefined;
  if (isFlushDue(settings, softThresholdTokens, request.windowTokens, request.tokens)) return 'threshold';
  return forceFlushTranscriptBytes > 0 && request.transcriptBytes >= forceFlushTranscriptBytes ? 'size' : undefined;
}

const OVERFLOW = ['request_too_large', 'context length exceeded', 'input exceeds the maximum number of tokens', 'input token count exceeds the maximum number of input tokens', 'input is too long for the model'];

/** True for a provider's error that says the request does not fit the window. */
export function isOverflowError(message: string): boolean {
  const text = message.toLowerCase();
  return OVERFLOW.some((pattern) => text.includes(pattern));
}
