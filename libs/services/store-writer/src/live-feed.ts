/**
 * Tells readers in this process that a session changed. Carries no data: who is told reads the
 * store, so a notice that comes late, twice or for several changes at once loses nothing.
 */

/** Waits for changes of one session. A change between two waits is not missed. */
export interface Watch {
  /** Resolves at the next change, at once when one came since the last call; also when `signal` aborts. */
  next(signal: AbortSignal): Promise<void>;
  stop(): void;
}

export class LiveFeed {
  readonly #listeners = new Map<string, Set<() => void>>();

  /** Sessions that somebody watches. */
  get watchedCount(): number {
    return this.#listeners.size;
  }

  changed(agentId: string, sessionKey: string): void {
    for (const listener of this.#listeners.get(nameOf(agentId, sessionKey)) ?? []) listener();
  }

  watch(agentId: string, sessionKey: string): Watch {
    const name = nameOf(agentId, sessionKey);
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    let pending = false;
    let wake: (() => void) | undefined;
    const listener = (): void => {
      pending = true;
      wake?.();
    };
    listeners.add(listener);
    return {
      async next(signal) {
        if (!pending && !signal.aborted) {
          await new Promise<void>((resolve) => {
            const finish = (): void => {
              signal.removeEventListener('abort', finish);
              wake = undefined;
              resolve();
            };
            wake = finish;
            signal.addEventListener('abort', finish, { once: true });
          });
        }
        pending = false;
      },
      stop: () => {
        listeners.delete(listener);
        if (listeners.size === 0) this.#listeners.delete(name);
      },
    };
  }
}

/** An agent id holds no blank. */
function nameOf(agentId: string, sessionKey: string): string {
  return `${agentId} ${sessionKey}`;
}
