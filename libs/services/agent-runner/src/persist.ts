/** Calls that outlast a restart of whom they ask: again and again until a deadline, always under the same idempotency key. */
import { sleep, type BusClock } from '@sessions/bus';
import { SessionError } from '@sessions/domain';

const FIRST_WAIT_MS = 100;
const WAIT_FACTOR = 2;
const WAIT_MAX_MS = 3_000;

export interface PersistOptions {
  readonly clock: BusClock;
  /** No try begins after it. */
  readonly deadlineAtMs: number;
  readonly signal?: AbortSignal;
  /** Which refusals can pass; default: those that the table of reasons says. */
  readonly canPass?: (error: SessionError) => boolean;
}

/** @throws what cannot pass, or the last refusal once the deadline is reached; the signal's reason when it aborts */
export async function persist<T>(attempt: () => Promise<T>, { clock, deadlineAtMs, signal, canPass = mayPass }: PersistOptions): Promise<T> {
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(WAIT_MAX_MS, waitMs * WAIT_FACTOR)) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof SessionError) || !canPass(error) || signal?.aborted === true) throw error;
      const pause = Math.max(waitMs, error.retryAfterMs ?? 0);
      if (clock.nowMs() + pause >= deadlineAtMs) throw error;
      await sleep(clock, pause, signal);
    }
  }
}

export function mayPass(error: SessionError): boolean {
  const { retry } = error.faces;
  return retry === 'yes' || retry === 'same-key' || retry === 'after-delay';
}
