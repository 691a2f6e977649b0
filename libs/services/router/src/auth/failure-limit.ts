/**
 * Bounds how often one address may present a wrong secret: after `FAILURES_MAX` within a window it
 * is not judged any more until the window ends. Of more than `ADDRESSES_MAX` addresses the one that
 * began longest ago is forgotten. Each router counts for itself.
 */
import type { Clock } from '@sessions/host';
import { isSameOrigin } from './credentials';

export const FAILURES_MAX = 60;
export const WINDOW_MS = 60_000;
export const ADDRESSES_MAX = 10_000;

/**
 * Whose tries are counted together: an address, and apart from it the pages of other sites that are
 * open in its browsers. A page may try what it likes; that shuts out nobody but pages.
 */
export function failureKeyOf(address: string, { origin, host }: { readonly origin?: string; readonly host?: string }): string {
  return isSameOrigin(origin, host) ? address : `${address} page`;
}

export class FailureLimit {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #failures = new Map<string, { count: number; readonly endsAtMs: number }>();

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  /** Milliseconds until the address is judged again; 0: it is judged. */
  waitMs(address: string): number {
    const found = this.#failures.get(address);
    if (found === undefined || found.count < FAILURES_MAX) return 0;
    return Math.max(0, found.endsAtMs - this.#clock.monotonicMs());
  }

  note(address: string): void {
    const nowMs = this.#clock.monotonicMs();
    const found = this.#failures.get(address);
    if (found !== undefined && found.endsAtMs > nowMs) {
      found.count += 1;
      return;
    }
    this.#failures.delete(address);
    const [oldest] = this.#failures.size >= ADDRESSES_MAX ? this.#failures.keys() : [];
    if (oldest !== undefined) this.#failures.delete(oldest);
    this.#failures.set(address, { count: 1, endsAtMs: nowMs + WINDOW_MS });
  }
}
