/**
 * The same request again, later and later, inside one hard limit. What a retry cannot mend (a refused
 * key, a request too large, the caller gone) fails at once.
 */
import { ModelFailure } from './chat-model';

export interface RetryLimits {
  /** Attempts in all, at least 1. */
  readonly attemptsMax: number;
  /** Wait after the first failure, doubled with each further one, ± a fifth. Milliseconds. */
  readonly firstWaitMs: number;
  readonly waitMaxMs: number;
}

export const RETRY_LIMITS: RetryLimits = { attemptsMax: 4, firstWaitMs: 500, waitMaxMs: 8_000 };

const SPREAD = 0.2;

export interface RetryWork {
  readonly limits?: RetryLimits;
  /** Over: no wait and no attempt begins any more, and what runs is aborted. */
  readonly signal: AbortSignal;
  /** In [0, 1). */
  readonly random?: () => number;
  readonly onRetry?: (failure: ModelFailure, attempt: number) => void;
}

/** @throws the last failure */
export async function withModelRetries<T>(work: (signal: AbortSignal, attempt: number) => Promise<T>, { limits = RETRY_LIMITS, signal, random = Math.random, onRetry }: RetryWork): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work(signal, attempt);
    } catch (error) {
      if (!(error instanceof ModelFailure) || !error.isRetryable || attempt >= limits.attemptsMax || signal.aborted) throw error;
      onRetry?.(error, attempt);
      const wait = Math.min(limits.waitMaxMs, limits.firstWaitMs * 2 ** (attempt - 1)) * (1 + SPREAD * (2 * random() - 1));
      await pause(Math.max(wait, error.retryAfterMs ?? 0), signal);
      if (signal.aborted) throw error;
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
  });
}
