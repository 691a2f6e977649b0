/** Long work gives way to everybody else between its steps. */

/** Longest stretch without giving way, milliseconds; a single step may take longer. */
export const STRETCH_MS_MAX = 4;

export class LoopRest {
  #endsAt = performance.now() + STRETCH_MS_MAX;

  /** Lets others work when the stretch is over. */
  async ifDue(): Promise<void> {
    if (performance.now() >= this.#endsAt) await this.now();
  }

  async now(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#endsAt = performance.now() + STRETCH_MS_MAX;
  }
}
