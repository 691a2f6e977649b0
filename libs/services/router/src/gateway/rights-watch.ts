/**
 * Ends connections whose rights have changed with the configuration: their clients come again, as after
 * a restart, and are judged anew. A user that was taken out or narrowed hears and asks nothing more.
 *
 * The configuration in force is compared by identity, before each request and every `LOOK_MS`, so what
 * is heard beyond a change is heard for that long at most.
 */
import type { SessionConfig } from '@sessions/domain';
import type { Clock, Timer } from '@sessions/host';
import { CLOSE } from './handshake';

const LOOK_MS = 500;

/** A connection, as far as its rights go. */
export interface Judged {
  /** True while the handshake would give it what it has. */
  hasItsRights(): boolean;
  close(code: number, reason: string): void;
}

export interface RightsWatchDeps {
  readonly clock: Clock;
  readonly config: () => SessionConfig;
  readonly connections: () => Iterable<Judged>;
}

export class RightsWatch {
  readonly #deps: RightsWatchDeps;
  #seen: SessionConfig;
  #timer: Timer | undefined;

  constructor(deps: RightsWatchDeps) {
    this.#deps = deps;
    this.#seen = deps.config();
  }

  start(): void {
    this.#timer = this.#deps.clock.setTimer(
      LOOK_MS,
      () => {
        this.look();
        this.start();
      },
      { keepsAlive: false },
    );
  }

  stop(): void {
    this.#timer?.cancel();
  }

  look(): void {
    const now = this.#deps.config();
    if (now === this.#seen) return;
    this.#seen = now;
    for (const connection of this.#deps.connections()) if (!connection.hasItsRights()) connection.close(CLOSE.restart, 'service restart');
  }
}
