/**
 * One round of work for all who ask meanwhile: while a round is under way, whoever comes waits for the
 * next one, and shares it. A round begins after everybody who shares it has asked, so one sync of a
 * directory covers the names that each of them made before, and one append has all their lines.
 */
interface Waiting<Item> {
  readonly items: Item[];
  readonly done: Promise<void>;
  readonly begin: () => void;
}

export class SharedRounds<Item> {
  readonly #round: (key: string, items: readonly Item[]) => Promise<void>;
  /** Keys with a round under way, and who waits for the one behind it. */
  readonly #running = new Map<string, Waiting<Item> | undefined>();

  /** @param round never twice at a time for a key; what it throws reaches all who share it */
  constructor(round: (key: string, items: readonly Item[]) => Promise<void>) {
    this.#round = round;
  }

  /** @param key rounds of different keys know nothing of each other */
  take(key: string, item: Item): Promise<void> {
    if (!this.#running.has(key)) return this.#run(key, [item]);
    const waiting = this.#running.get(key) ?? this.#next(key);
    waiting.items.push(item);
    return waiting.done;
  }

  #next(key: string): Waiting<Item> {
    const items: Item[] = [];
    let begin: () => void = () => undefined;
    const done = new Promise<void>((resolve, reject) => {
      begin = () => void this.#run(key, items).then(resolve, reject);
    });
    const waiting = { items, done, begin };
    this.#running.set(key, waiting);
    return waiting;
  }

  async #run(key: string, items: readonly Item[]): Promise<void> {
    this.#running.set(key, undefined);
    try {
      await this.#round(key, items);
    } finally {
      const waiting = this.#running.get(key);
      if (waiting === undefined) this.#running.delete(key);
      else waiting.begin();
    }
  }
}
