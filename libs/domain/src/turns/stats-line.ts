/** The figures below an announce: time, tokens, cost, and where the whole story is. */
import type { TokenUsage } from '@sessions/contracts';
import { costSoFar } from './inter-session';

export interface RunFigures {
  /** Undefined: it never began. */
  readonly startedAtMs?: number | undefined;
  readonly endedAtMs?: number | undefined;
  readonly usage: readonly TokenUsage[];
  readonly sessionKey: string;
  readonly sessionId: string;
  readonly transcriptPath?: string | undefined;
}

export function statsLine({ startedAtMs, endedAtMs, usage, sessionKey, sessionId, transcriptPath }: RunFigures): string {
  const sum = (of: (one: TokenUsage) => number): number => usage.reduce((total, one) => total + of(one), 0);
  const input = sum((one) => one.inputTokens + one.cacheReadTokens + one.cacheWriteTokens);
  const output = sum((one) => one.outputTokens);
  const costUsd = costSoFar(usage);
  return [
    `Stats: runtime ${startedAtMs === undefined || endedAtMs === undefined ? 'unknown' : formatRuntime(endedAtMs - startedAtMs)}`,
    `tokens ${String(input)} in / ${String(output)} out / ${String(input + output)} total`,
    ...(costUsd === undefined ? [] : [`cost $${costUsd.toFixed(4)}`]),
    `session ${sessionKey}`,
    `id ${sessionId}`,
    ...(transcriptPath === undefined ? [] : [`transcript ${transcriptPath}`]),
  ].join(' · ');
}

/** `5m12s`, `2h3m`, `42s`; under a second `0s`. A clock that went back counts as none. */
export function formatRuntime(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours > 0) return `${String(hours)}h${String(minutes)}m`;
  return minutes > 0 ? `${String(minutes)}m${String(seconds % 60)}s` : `${String(seconds)}s`;
}
