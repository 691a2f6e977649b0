/**
 * The stores of agents that this process holds open: opened when first asked for, shared by all who
 * use them, closed when nobody has for a while. What is bounded: how many are open, how many wait.
 *
 * A store that someone uses is never closed. A store that failed is dropped at once and opened again
 * by the next request, after a delay that grows while it keeps failing; nothing acknowledged is lost
 * by that, because opening replays the journal.
 */
import { SessionError } from '@sessions/domain';
import type { Clock, Logger, Timer } from '@sessions/host';

/** Stores that may be open at a time. */
export const OPEN_STORES_MAX = 16;
/** A store that nobody used for this long is closed. */
export const IDLE_CLOSE_MS = 10 * 60_000;
/** How often idle stores are looked for. */
export const IDLE_SWEEP_MS = 60_000;
/** Requests that may wait for a place among the open stores; one more is refused (`OVERLOADED`). */
export const WAITING_MAX = 256;
/** Longest wait for a place; then the request is refused (`OVERLOADED`). */
export const PLACE_WAIT_MS = 5_000;
/** Delay before a store that failed is opened again: the first, doubled with each failure, and the longest. */
export const REOPEN_DELAY_MS = 100;
export const REOPEN_DELAY_MAX_MS = 10_000;
/** A store that stayed open this long has recovered: the next failure counts as the first. */
export const RECOVERED_AFTER_MS = 60_000;

/** What is held open for one agent. */
export interface Holding {
  /** Set once it can no longer be written; it is dropped then. */
  readonly failure: SessionError | undefined;
  /** True while work in it waits: it is not closed for being idle, and gives way to others last. */
  readonly isBusy?: boolean;
  /** Makes what is durable visible in its files, and frees it for other processes. */
  close(): Promise<void>;
}

export interface OpenStoresDeps<H extends Holding> {
  /** @param onFailure to be called when the store stops by itself. */
  readonly open: (agentId: string, onFailure: () => void) => Promise<H>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly openMax?: number;
  readonly idleCloseMs?: number;
  /** A store that stays open however idle it is: it stands for its state directory being in use. */
  readonly keepsOpen?: (agentId: string) => boolean;
}

interface Place<H> {
  readonly agentId: string;
  readonly opening: Promise<H>;
  /** Set when opening has ended well. */
  holding: H | undefined;
  /** Set while it closes; resolves when its place is free. */
  closing: Promise<void> | undefined;
  users: number;
  lastUsedAtMs: number;
  openedAtMs: number;
}

interface Failures {
  count: number;
  readonly lastError: unknown;
  readonly retryAtMs: number;
}

export class OpenStores<H extends Holding> {
  readonly #deps: OpenStoresDeps<H>;
  readonly #openMax: number;
  readonly #idleCloseMs: number;
  readonly #places = new Map<string, Place<H>>();
  /** Agents whose store failed lately. Only agents that someone asked for can be in it. */
  readonly #failures = new Map<string, Failures>();
  /** Calls of those who wait until a place may be free. */
  readonly #waiting = new Set<() => void>();
  #sweep: Timer | undefined;
  #closed = false;

  constructor(deps: OpenStoresDeps<H>) {
    this.#deps = deps;
    this.#openMax = deps.openMax ?? OPEN_STORES_MAX;
    this.#idleCloseMs = deps.idleCloseMs ?? IDLE_CLOSE_MS;
  }

  /** Stores that are open, opening or closing. */
  get count(): number {
    return this.#places.size;
  }

  isOpen(agentId: string): boolean {
    return this.#places.get(agentId)?.holding !== undefined;
  }

  /**
   * Calls `work` with the open store of an agent; the store stays open until the result has settled.
   * @throws OVERLOADED when all places are busy for too long, SHUTTING_DOWN, or why it cannot be opened.
   */
  async use<T>(agentId: string, work: (holding: H) => Promise<T>): Promise<T> {
    const place = await this.#enter(agentId);
    try {
      return await work(await place.opening);
    } finally {
      this.#leave(place);
    }
  }

  /** Waits for those who use the store of an agent, then closes it. Without effect when it is not open. */
  async release(agentId: string): Promise<void> {
    for (let place = this.#places.get(agentId); place !== undefined; place = this.#places.get(agentId)) {
      if (place.closing === undefined && place.users === 0) await this.#close(place);
      else await (place.closing ?? this.#changed());
    }
  }

  /**
   * Calls `work` while the store of an agent is closed and stays so; those who want to use it wait.
   * @throws SHUTTING_DOWN
   */
  async whileClosed<T>(agentId: string, work: () => Promise<T>): Promise<T> {
    while (this.#places.has(agentId)) await this.release(agentId);
    if (this.#closed) throw new SessionError('SHUTTING_DOWN', 'this store-writer is shutting down');
    const result = work();
    const closing = result.then(
      () => undefined,
      () => undefined,
    );
    const nowMs = this.#deps.clock.monotonicMs();
    const place: Place<H> = { agentId, opening: new Promise(() => undefined), holding: undefined, closing, users: 0, lastUsedAtMs: nowMs, openedAtMs: nowMs };
    this.#places.set(agentId, place);
    try {
      return await result;
    } finally {
      this.#free(place);
    }
  }

  /** Refuses new use, then closes every store once nobody uses it. */
  async closeAll(): Promise<void> {
    this.#closed = true;
    this.#sweep?.cancel();
    this.#wake();
    await Promise.all([...this.#places.keys()].map((agentId) => this.release(agentId)));
  }

  /** A place of the agent, entered: the caller counts as its user. */
  async #enter(agentId: string): Promise<Place<H>> {
    const deadlineMs = this.#deps.clock.monotonicMs() + PLACE_WAIT_MS;
    for (;;) {
      if (this.#closed) throw new SessionError('SHUTTING_DOWN', 'this store-writer is shutting down');
      const present = this.#places.get(agentId);
      if (present?.closing !== undefined) await present.closing;
      else if (present !== undefined) return this.#entered(present);
      else if (this.#places.size < this.#openMax) return this.#entered(this.#open(agentId));
      else await this.#placeMayBeFree(deadlineMs);
    }
  }

  #entered(place: Place<H>): Place<H> {
    place.users += 1;
    return place;
  }

  #leave(place: Place<H>): void {
    place.users -= 1;
    place.lastUsedAtMs = this.#deps.clock.monotonicMs();
    if (place.users > 0) return;
    if (place.holding?.failure !== undefined) void this.#close(place);
    this.#wake();
  }

  #open(agentId: string): Place<H> {
    this.#refuseWhileFailing(agentId);
    const nowMs = this.#deps.clock.monotonicMs();
    const opening = this.#deps.open(agentId, () => this.#failed(place));
    const place: Place<H> = { agentId, opening, holding: undefined, closing: undefined, users: 0, lastUsedAtMs: nowMs, openedAtMs: nowMs };
    this.#places.set(agentId, place);
    opening.then(
      (holding) => {
        place.holding = holding;
        place.openedAtMs = this.#deps.clock.monotonicMs();
        this.#startSweep();
        if (holding.failure !== undefined) this.#failed(place);
      },
      (error: unknown) => {
        this.#noteFailure(agentId, error);
        this.#free(place);
      },
    );
    return place;
  }

  /** @throws what it failed with, while the delay lasts. */
  #refuseWhileFailing(agentId: string): void {
    const failures = this.#failures.get(agentId);
    if (failures === undefined) return;
    const leftMs = failures.retryAtMs - this.#deps.clock.monotonicMs();
    if (leftMs <= 0) return;
    const { lastError } = failures;
    if (!(lastError instanceof SessionError)) throw lastError;
    throw new SessionError(lastError.reason, lastError.message, {
      facts: lastError.facts,
      ...(lastError.hint === undefined ? {} : { hint: lastError.hint }),
      retryAfterMs: Math.ceil(leftMs),
      cause: lastError,
    });
  }

  /** The store stopped by itself. Those who use it get its refusals; it is closed when they have left. */
  #failed(place: Place<H>): void {
    const failure = place.holding?.failure;
    if (failure === undefined || place.closing !== undefined) return;
    if (this.#deps.clock.monotonicMs() - place.openedAtMs >= RECOVERED_AFTER_MS) this.#failures.delete(place.agentId);
    this.#noteFailure(place.agentId, failure);
    if (place.users === 0) void this.#close(place);
  }

  #noteFailure(agentId: string, error: unknown): void {
    const before = this.#failures.get(agentId);
    if (before?.lastError === error) return;
    const count = (before?.count ?? 0) + 1;
    const delayMs = Math.min(REOPEN_DELAY_MAX_MS, REOPEN_DELAY_MS * 2 ** (count - 1));
    this.#failures.set(agentId, { count, lastError: error, retryAtMs: this.#deps.clock.monotonicMs() + delayMs });
    // Another process at work is no failure of ours: its caller is told who it is.
    if (error instanceof SessionError && error.reason === 'SESSION_LOCKED') this.#deps.logger.warn('store belongs to another process', { agentId, attempt: count });
    else this.#deps.logger.error('store failed and is opened again on demand', { agentId, attempt: count, err: error });
  }

  #close(place: Place<H>): Promise<void> {
    place.closing ??= (async () => {
      try {
        await (await place.opening).close();
      } catch (err) {
        this.#deps.logger.error('store could not be closed in order', { agentId: place.agentId, err });
      } finally {
        this.#free(place);
      }
    })();
    return place.closing;
  }

  #free(place: Place<H>): void {
    if (this.#places.get(place.agentId) === place) this.#places.delete(place.agentId);
    if (this.#places.size === 0) this.#sweep?.cancel();
    this.#wake();
  }

  /** Closes the store that was idle longest, or waits for one. @throws OVERLOADED */
  async #placeMayBeFree(deadlineMs: number): Promise<void> {
    const closing = [...this.#places.values()].find((place) => place.closing !== undefined);
    const idle = closing ?? this.#longestIdle();
    if (idle !== undefined) return this.#close(idle);
    const leftMs = deadlineMs - this.#deps.clock.monotonicMs();
    if (leftMs <= 0 || this.#waiting.size >= WAITING_MAX) {
      throw new SessionError('OVERLOADED', `all ${this.#openMax} open stores are busy`, {
        facts: { openMax: this.#openMax, waiting: this.#waiting.size },
        retryAfterMs: PLACE_WAIT_MS,
      });
    }
    await this.#changed(leftMs);
  }

  #longestIdle(): Place<H> | undefined {
    let longest: Place<H> | undefined;
    for (const place of this.#places.values()) {
      if (place.users > 0 || place.holding === undefined || this.#keepsOpen(place)) continue;
      const rank = Number(place.holding.isBusy === true) - Number(longest?.holding?.isBusy === true);
      if (longest === undefined || rank < 0 || (rank === 0 && place.lastUsedAtMs < longest.lastUsedAtMs)) longest = place;
    }
    return longest;
  }

  #keepsOpen({ agentId }: Place<H>): boolean {
    return this.#deps.keepsOpen?.(agentId) ?? false;
  }

  /** Resolves when some place changed, or after `limitMs`. */
  #changed(limitMs?: number): Promise<void> {
    return new Promise((resolve) => {
      let timer: Timer | undefined;
      const wake = (): void => {
        timer?.cancel();
        this.#waiting.delete(wake);
        resolve();
      };
      this.#waiting.add(wake);
      if (limitMs !== undefined) timer = this.#deps.clock.setTimer(limitMs, wake);
    });
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  #startSweep(): void {
    this.#sweep?.cancel();
    if (this.#closed) return;
    this.#sweep = this.#deps.clock.setTimer(
      IDLE_SWEEP_MS,
      () => {
        const nowMs = this.#deps.clock.monotonicMs();
        for (const place of this.#places.values()) {
          const idle = place.users === 0 && place.holding !== undefined && place.closing === undefined && place.holding.isBusy !== true && !this.#keepsOpen(place);
          if (idle && nowMs - place.lastUsedAtMs >= this.#idleCloseMs) void this.#close(place);
        }
        if (this.#places.size > 0) this.#startSweep();
      },
      { keepsAlive: false },
    );
  }
}
