/**
 * The time limits around one request: one signal that aborts when the caller leaves, the whole takes
 * too long or nothing is heard for too long; and what a failure under it is called.
 */
import { isOverflowError } from '@sessions/domain';
import { ModelFailure, type ModelLimits, type FailureKind } from './chat-model';

/** What both SDKs' errors have in common, as far as it is looked at. */
interface ProviderError {
  readonly status?: unknown;
  readonly message?: unknown;
  readonly headers?: { get?: (name: string) => string | null };
}

const RETRY_AFTER_MS_MAX = 60_000;
const MS_PER_SECOND = 1000;

export class RequestLimits {
  readonly #abort = new AbortController();
  readonly #limits: ModelLimits;
  readonly #caller: AbortSignal | undefined;
  readonly #leave = (): void => this.#abort.abort();
  readonly #whole: NodeJS.Timeout;
  #silence: NodeJS.Timeout;
  #isLate = false;

  constructor(limits: ModelLimits, caller: AbortSignal | undefined) {
    this.#limits = limits;
    this.#caller = caller;
    if (caller?.aborted === true) this.#abort.abort();
    caller?.addEventListener('abort', this.#leave, { once: true });
    this.#whole = setTimeout(() => this.#late(), limits.wholeMs);
    this.#silence = setTimeout(() => this.#late(), limits.silenceMs);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Something was heard. */
  heard(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#late(), this.#limits.silenceMs);
  }

  end(): void {
    clearTimeout(this.#whole);
    clearTimeout(this.#silence);
    this.#caller?.removeEventListener('abort', this.#leave);
    this.#abort.abort();
  }

  /** The failure that stands for an error of a provider; nothing the provider wrote is in it. */
  failureOf(error: unknown, ref: { readonly provider: string; readonly model: string }): ModelFailure {
    // First: an SDK ends the stream of an aborted request as if it were whole.
    if (this.#isLate) return new ModelFailure('timeout', ref);
    if (this.#abort.signal.aborted) return new ModelFailure('aborted', ref);
    if (error instanceof ModelFailure) return error;
    const { status, message, headers } = (typeof error === 'object' && error !== null ? error : {}) as ProviderError;
    if (typeof message === 'string' && isOverflowError(message)) return new ModelFailure('overflow', ref, typeof status === 'number' ? { status } : {});
    if (typeof status !== 'number') return new ModelFailure('unreachable', ref);
    const retryAfterMs = Number(headers?.get?.('retry-after') ?? Number.NaN) * MS_PER_SECOND;
    return new ModelFailure(kindOfStatus(status), ref, { status, ...(retryAfterMs > 0 ? { retryAfterMs: Math.min(retryAfterMs, RETRY_AFTER_MS_MAX) } : {}) });
  }

  #late(): void {
    this.#isLate = true;
    this.#abort.abort();
  }
}

function kindOfStatus(status: number): FailureKind {
  if (status === 401 || status === 403) return 'unauthorised';
  if (status === 429) return 'rate-limited';
  if (status === 413) return 'overflow';
  return status >= 500 || status === 408 || status === 409 ? 'overloaded' : 'refused';
}
