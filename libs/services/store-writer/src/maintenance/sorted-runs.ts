/**
 * Things in order without a moment in which all of them are sorted: an owner answers others meanwhile.
 * They come in any order, are sorted some thousand at a time, and are merged as they are taken.
 */

/** Sorting so many takes a few milliseconds. */
const RUN_LENGTH = 4096;

export class SortedRuns<T> {
  readonly #compare: (left: T, right: T) => number;
  readonly #runs: T[][] = [];
  #open: T[] = [];

  /** @param compare as of `Array.sort`. */
  constructor(compare: (left: T, right: T) => number) {
    this.#compare = compare;
  }

  add(one: T): void {
    this.#open.push(one);
    if (this.#open.length === RUN_LENGTH) this.#close();
  }

  /** What was added so far, smallest first. */
  *inOrder(): Generator<T> {
    this.#close();
    const places = this.#runs.map(() => 0);
    for (;;) {
      let smallest: T | undefined;
      let from = -1;
      for (const [index, run] of this.#runs.entries()) {
        const head = run[places[index] ?? 0];
        if (head !== undefined && (smallest === undefined || this.#compare(head, smallest) < 0)) [smallest, from] = [head, index];
      }
      if (smallest === undefined) return;
      places[from] = (places[from] ?? 0) + 1;
      yield smallest;
    }
  }

  #close(): void {
    if (this.#open.length === 0) return;
    this.#runs.push(this.#open.sort(this.#compare));
    this.#open = [];
  }
}
