/**
 * What a model is shown while nobody could summarise: the context as it is assembled, less whole oldest
 * turns where it does not fit. In memory only, by rule, and said to be so in the request itself.
 */
import type { TranscriptLine } from '../transcript/parse-line';
import { assembleContext, type ContextMessage } from './assemble-context';
import type { TokenCounter } from './count-tokens';
import { planTurnDrop } from './plan-compaction';

export interface BoundedContext {
  readonly messages: readonly ContextMessage[];
  /** Lines that are left out; 0: all is shown. */
  readonly leftOutLines: number;
  /** False: the newest block alone is too large. */
  readonly fits: boolean;
}

export function leftOutNotice(lines: number): string {
  return `[The oldest ${String(lines)} entries of this conversation are left out: they do not fit, and no summary of them could be made.]`;
}

/** @param budgetTokens the window less its reserve */
export function boundedContext(path: readonly TranscriptLine[], budgetTokens: number, count: TokenCounter): BoundedContext {
  const { from, droppedLinesCount, fits } = planTurnDrop(path, budgetTokens, count);
  if (droppedLinesCount === 0) return { messages: assembleContext(path), leftOutLines: 0, fits };
  const notice: ContextMessage = { message: { role: 'user', content: [{ type: 'text', text: leftOutNotice(droppedLinesCount) }] }, lineId: undefined };
  // The summary of an earlier compaction stands behind lines that it kept; it stays when those go.
  const compaction = path.slice(0, from).findLast((line) => line.type === 'compaction');
  const kept = path.slice(from);
  const summary = compaction === undefined || kept.some((line) => line.type === 'compaction') ? [] : assembleContext([{ ...compaction, firstKeptId: undefined }]);
  return { messages: [...summary, notice, ...assembleContext(kept)], leftOutLines: droppedLinesCount, fits };
}
