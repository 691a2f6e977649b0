/** Who works on a transcript as a whole, and who waits until that is over. */

interface Hold {
  readonly ended: Promise<void>;
  readonly end: () => void;
}

export class TranscriptHolds {
  readonly #holds = new Map<string, Hold>();

  has(file: string): boolean {
    return this.#holds.has(file);
  }

  /** Resolves when the hold of this moment is over; another may have begun. */
  async ended(file: string): Promise<void> {
    await this.#holds.get(file)?.ended;
  }

  /** Holds the file until `end`. One at a time; a second caller waits for the first. */
  async begin(file: string): Promise<void> {
    // Nothing comes between the last look and the entry: of two who waited only one gets it.
    for (let hold = this.#holds.get(file); hold !== undefined; hold = this.#holds.get(file)) await hold.ended;
    let end: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#holds.set(file, { ended, end });
  }

  /** Lets go of a file; of one that nobody holds it does nothing. */
  end(file: string): void {
    const hold = this.#holds.get(file);
    this.#holds.delete(file);
    hold?.end();
  }
}
