/** Longest stretch of work without giving way to other work of the loop, milliseconds. A message takes several turns of the loop, and waits as long for each. */
export const LOOP_SLICE_MS = 2;

/** Such a stretch, from when it is made or has rested. */
export class LoopSlice {
  #endsAt = performance.now() + LOOP_SLICE_MS;

  isOver(): boolean {
    return performance.now() >= this.#endsAt;
  }

  /** Lets others work, and begins anew. */
  async rest(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#endsAt = performance.now() + LOOP_SLICE_MS;
  }
}
