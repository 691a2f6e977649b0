/**
 * One summary of many lines, whatever their size. The first pass summarises chunks that fit the
 * window, some at a time; each further pass merges neighbouring summaries. A summary is held to a small
 * share of the window, so every pass leaves a fraction of the one before; after PASSES_MAX what is
 * left is joined and cut. All of it ends with the signal: there is no wait outside it.
 */
import { CHARS_PER_TOKEN, CHUNK_WINDOW_SHARE, type SummaryChunk, type TranscriptLine } from '@sessions/domain';
import { ModelFailure } from '@sessions/llm';
import { chunkPrompt, mergePrompt, renderLines, shortened } from './prompt';

/** First pass and merges together. */
export const PASSES_MAX = 4;
/** Share of the window that one summary may take: what is kept beside it may take half. */
export const SUMMARY_WINDOW_SHARE = 0.08;
/** Longest summary, tokens, however large the window. */
export const SUMMARY_TOKENS_MAX = 8_000;
/** Requests to the model at a time. */
export const PARALLEL_MAX = 4;
/** A text that overflows the model's real window is halved this often. */
const HALVINGS_MAX = 4;

/** Asks the model once, with its retries. @throws ModelFailure */
export type AskModel = (prompt: string, maxTokens: number, signal: AbortSignal) => Promise<string>;

export interface SummaryWork {
  readonly path: readonly TranscriptLine[];
  readonly chunks: readonly SummaryChunk[];
  readonly previousSummary: string | undefined;
  readonly windowTokens: number;
  readonly ask: AskModel;
  readonly signal: AbortSignal;
}

export interface Summary {
  readonly text: string;
  readonly passes: number;
}

export function summaryTokens(windowTokens: number): number {
  return Math.max(1, Math.min(SUMMARY_TOKENS_MAX, Math.floor(windowTokens * SUMMARY_WINDOW_SHARE)));
}

/** @throws ModelFailure; its kind is `aborted` once the signal has ended the work */
export async function summarise({ path, chunks, previousSummary, windowTokens, ask, signal }: SummaryWork): Promise<Summary> {
  const budgetTokens = Math.max(1, Math.floor(windowTokens * CHUNK_WINDOW_SHARE));
  const maxTokens = summaryTokens(windowTokens);
  const charsMax = maxTokens * CHARS_PER_TOKEN;
  const fit = (text: string): string => shortened(text.trim(), charsMax);
  const before = previousSummary === undefined ? undefined : fit(previousSummary);
  const askFitting = async (text: string, prompt: (text: string) => string, halvings = 0): Promise<string> => {
    try {
      return fit(await ask(prompt(text), maxTokens, signal));
    } catch (error) {
      if (!(error instanceof ModelFailure) || error.kind !== 'overflow' || halvings >= HALVINGS_MAX || text.length < 2) throw error;
      const middle = Math.floor(text.length / 2);
      const halves = [await askFitting(text.slice(0, middle), prompt, halvings + 1), await askFitting(text.slice(middle), prompt, halvings + 1)];
      return fit(halves.join('\n\n'));
    }
  };
  let texts = await inParallel(chunks, async (chunk, index) => {
    const text = renderLines(path.slice(chunk.from, chunk.to), budgetTokens * CHARS_PER_TOKEN);
    return askFitting(text, (piece) => chunkPrompt(piece, index === 0 ? before : undefined, { number: index + 1, count: chunks.length }));
  });
  let passes = 1;
  for (; texts.length > 1 && passes < PASSES_MAX; passes += 1) {
    const groups = grouped(texts, budgetTokens * CHARS_PER_TOKEN);
    texts = await inParallel(groups, (group) => (group.length === 1 ? Promise.resolve(group[0] ?? '') : ask(mergePrompt(group), maxTokens, signal).then(fit)));
  }
  return { text: fit(texts.filter((text) => text !== '').join('\n\n')), passes };
}

/** Neighbours together, as many as fit; at least two, so that each pass leaves fewer. */
export function grouped(texts: readonly string[], charsMax: number): string[][] {
  const groups: string[][] = [];
  let chars = 0;
  for (const text of texts) {
    const group = groups.at(-1);
    if (group !== undefined && (group.length < 2 || chars + text.length <= charsMax)) {
      group.push(text);
      chars += text.length;
    } else {
      groups.push([text]);
      chars = text.length;
    }
  }
  return groups;
}

/** Results in order; the first failure ends it, and nothing further begins. */
async function inParallel<T, R>(items: readonly T[], work: (item: T, index: number) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  let failed = false;
  const runner = async (): Promise<void> => {
    for (let index = next++; index < items.length && !failed; index = next++) {
      try {
        results[index] = await work(items[index] as T, index);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL_MAX, items.length) }, runner));
  return results;
}
