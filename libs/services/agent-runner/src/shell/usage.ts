/** Tokens of a run: one sum a model, and the context of the newest call. Also what earlier attempts left in the transcript. */
import { TokenUsage } from '@sessions/contracts';
import { recordedUsage, sumCosts, tokenCount, type TranscriptLine } from '@sessions/domain';

const bothCosts = (one: number | undefined, other: number | undefined): number | undefined => (one === undefined || other === undefined ? undefined : sumCosts([one, other]));

/** What a model or a runtime says is its own: no count that an answer can have used is 0, and does not keep a run from its end. */
export class RunUsage {
  readonly #sums = new Map<string, TokenUsage>();

  add(usage: TokenUsage): void {
    const name = `${usage.modelProvider ?? ''}/${usage.model ?? ''}`;
    const known = this.#sums.get(name);
    const before = known ?? TokenUsage.create({ modelProvider: usage.modelProvider, model: usage.model });
    // Set anew: the model that was asked last comes last.
    this.#sums.delete(name);
    this.#sums.set(name, {
      ...before,
      inputTokens: before.inputTokens + tokenCount(usage.inputTokens),
      outputTokens: before.outputTokens + tokenCount(usage.outputTokens),
      cacheReadTokens: before.cacheReadTokens + tokenCount(usage.cacheReadTokens),
      cacheWriteTokens: before.cacheWriteTokens + tokenCount(usage.cacheWriteTokens),
      totalTokens: usage.totalTokens ?? before.totalTokens,
      // The cost of some calls is not that of all.
      costUsd: known === undefined ? usage.costUsd : bothCosts(known.costUsd, usage.costUsd),
      uncounted: before.uncounted || usage.uncounted,
    });
  }

  /** What the lines say that the run's earlier attempts wrote. */
  addRecorded(lines: readonly TranscriptLine[]): void {
    for (const { message } of lines) {
      const usage = recordedUsage(message);
      if (usage !== undefined) this.add(TokenUsage.create(usage));
    }
  }

  all(): TokenUsage[] {
    return [...this.#sums.values()];
  }
}
