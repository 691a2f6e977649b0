/**
 * Stores in which turns, deliveries or compactions may wait although nobody asks for them: what their
 * last owner left when it ended. They are opened, one after the other, so that the work is told again.
 */
import type { AgentId } from '@sessions/domain';
import type { Logger } from '@sessions/host';

export interface WaitingStoresDeps {
  readonly logger: Logger;
  /** Agents that have a store, in any order. */
  readonly agents: () => Promise<readonly AgentId[]>;
  /** Told without opening the store. */
  readonly mayWait: (agentId: AgentId) => boolean;
  /** Opens the store, or finds who has it. */
  readonly open: (agentId: AgentId) => Promise<unknown>;
}

/** Stores opened by one look; the next look goes on behind them. */
const OPENED_MAX = 16;

export class WaitingStores {
  readonly #deps: WaitingStoresDeps;
  #next = 0;

  constructor(deps: WaitingStoresDeps) {
    this.#deps = deps;
  }

  /** Looks as often as it takes to come to every agent once. Never throws. */
  async lookAtAll(goOn: () => boolean): Promise<void> {
    while (goOn() && !(await this.look(goOn)));
  }

  /**
   * Looks at every agent once, and opens at most OPENED_MAX stores. Never throws.
   * @returns false while agents are left that no look has come to since the last one that returned true
   */
  async look(goOn: () => boolean): Promise<boolean> {
    const { logger, agents, mayWait, open } = this.#deps;
    try {
      const all = await agents();
      let opened = 0;
      let isRound = all.length === 0;
      for (let seen = 0; seen < all.length && opened < OPENED_MAX && goOn(); seen += 1) {
        const agentId = all[this.#next % all.length] as AgentId;
        this.#next = (this.#next + 1) % all.length;
        isRound ||= this.#next === 0;
        await new Promise((resolve) => setImmediate(resolve));
        if (!mayWait(agentId)) continue;
        opened += 1;
        await open(agentId).catch((err: unknown) => logger.warn('a store with open work could not be opened; it is tried again when it is asked for', { agentId, err }));
      }
      return isRound;
    } catch (err) {
      logger.warn('stores with open work could not be looked for', { err });
      return true;
    }
  }
}
