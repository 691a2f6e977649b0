/** Which lines of a parent's branch a fork takes over (lifecycle §9). */
import type { TokenCounter } from '../compaction/count-tokens';
import { contextLines } from '../transcript/active-branch';
import type { TranscriptLine } from '../transcript/parse-line';
import { completeTurns } from '../transcript/structure';

/** Largest share of the child's window that the parent's context may fill. */
export const FORK_WINDOW_SHARE = 0.5;

export type ForkPlan =
  | { readonly forked: true; readonly lines: readonly TranscriptLine[]; readonly tokens: number }
  | { readonly forked: false; readonly reason: 'parent_too_large' | 'parent_empty' };

/**
 * @param path active branch of the parent, root first; ids are kept.
 * @returns the complete turns of the branch, unless what the model sees of them fills more than half of
 * the child's window: then the child starts empty.
 */
export function planFork(path: readonly TranscriptLine[], childWindowTokens: number, count: TokenCounter): ForkPlan {
  const lines = completeTurns(path);
  if (!lines.some((line) => line.message !== undefined)) return { forked: false, reason: 'parent_empty' };
  const { compaction, lines: seen } = contextLines(lines);
  const tokens = seen.reduce((sum, line) => sum + count(line), compaction === undefined ? 0 : count(compaction));
  return tokens > childWindowTokens * FORK_WINDOW_SHARE ? { forked: false, reason: 'parent_too_large' } : { forked: true, lines, tokens };
}
