/**
 * One answer of the first model that gives one. Before its first word a model that is away is asked
 * again, later and later, and then the next of the chain is; after the first word nothing is asked
 * twice: what was said was shown.
 */
import type { SessionConfig, ModelRef } from '@sessions/domain';
import { ModelFailure, RETRY_LIMITS, openModel, withModelRetries, type ChatEvent, type ChatModel, type ChatRequest, type RetryLimits } from '@sessions/llm';

export interface AskedModels {
  readonly config: SessionConfig;
  /** In order; at least one. */
  readonly models: readonly ModelRef[];
  /** What is asked, for a model: windows differ. */
  readonly requestFor: (model: ModelRef) => ChatRequest;
  readonly signal: AbortSignal;
  readonly retries?: RetryLimits;
  readonly onRetry?: (failure: ModelFailure) => void;
}

export interface ModelWord {
  readonly model: ChatModel;
  readonly event: ChatEvent;
}

/** @throws ModelFailure, of the model that was asked last */
export async function* askModels({ config, models, requestFor, signal, retries = RETRY_LIMITS, onRetry }: AskedModels): AsyncGenerator<ModelWord> {
  for (const [at, ref] of models.entries()) {
    let hasSpoken = false;
    try {
      const model = openModel(config, ref);
      const request = requestFor(ref);
      const begin = async (limit: AbortSignal): Promise<Begun> => {
        const words = model.stream(request, { signal: limit })[Symbol.asyncIterator]();
        return { words, first: await words.next() };
      };
      const { words, first } = await withModelRetries(begin, { limits: retries, signal, ...(onRetry === undefined ? {} : { onRetry }) });
      try {
        for (let next = first; next.done !== true; next = await words.next()) {
          hasSpoken = true;
          yield { model, event: next.value };
        }
      } finally {
        await words.return?.();
      }
      return;
    } catch (error) {
      const isNextAsked = error instanceof ModelFailure && error.kind !== 'overflow' && !hasSpoken && !signal.aborted && at < models.length - 1;
      if (!isNextAsked) throw error;
    }
  }
}

interface Begun {
  readonly words: AsyncIterator<ChatEvent>;
  readonly first: IteratorResult<ChatEvent>;
}
