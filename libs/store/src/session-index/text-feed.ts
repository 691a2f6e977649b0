/**
 * When the words of transcripts are read: some time after they have changed, many changes in one go,
 * so that appends cost little more for it; at once when somebody searches; and what there was when the
 * index was made anew in the pauses, at half of one processor at most.
 */
import type { TextIndex } from './text-index';

/** From a change to its reading, when nobody searches. */
export const TEXTS_DELAY_MS = 1000;
/** A search waits so long for what has just been said; then it answers with what there is. */
const CATCH_UP_MS = 1000;
/** Least pause between two steps that nobody waits for. */
const PAUSE_MS = 5;

export interface TextFeedOptions {
  readonly texts: TextIndex;
  readonly isOpen: () => boolean;
  /** What comes before the backlog. */
  readonly after: Promise<void>;
  /** Resolves after other messages had their turn. */
  readonly breathe: () => Promise<void>;
}

export class TextFeed {
  readonly #options: TextFeedOptions;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;
  #hasLookedBehind = false;

  constructor(options: TextFeedOptions) {
    this.#options = options;
    void options.after.then(() => this.#work());
  }

  noteChanged(file: string): void {
    this.#options.texts.noteChanged(file);
    this.#schedule();
  }

  /** Reads what has changed. @returns false when not everything could be read in time. */
  async upToDate(): Promise<boolean> {
    const { texts, breathe } = this.#options;
    this.#lookBehind();
    const until = performance.now() + CATCH_UP_MS;
    texts.retryWaiting();
    while (texts.hasChanges && this.#isOn && performance.now() < until) {
      texts.step();
      await breathe();
    }
    return !texts.hasChanges && !texts.hasWaiting && !texts.hasBacklog;
  }

  /** What is known of a transcript was wrong. */
  forget(file: string): void {
    this.#options.texts.forget(file);
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  get #isOn(): boolean {
    return !this.#stopped && this.#options.isOpen();
  }

  #lookBehind(): void {
    if (this.#hasLookedBehind || !this.#isOn) return;
    this.#hasLookedBehind = true;
    this.#options.texts.noteBehind();
  }

  #schedule(): void {
    if (this.#stopped || this.#timer !== undefined || this.#running !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#work();
    }, TEXTS_DELAY_MS).unref();
  }

  async #work(): Promise<void> {
    if (this.#running !== undefined) return;
    this.#running = this.#readAll().catch(() => undefined);
    await this.#running;
    this.#running = undefined;
    const { texts } = this.#options;
    texts.retryWaiting();
    if (texts.hasChanges) this.#schedule();
  }

  async #readAll(): Promise<void> {
    const { texts, breathe } = this.#options;
    this.#lookBehind();
    while (this.#isOn && texts.hasChanges) {
      texts.step();
      await breathe();
    }
    for (const step of [() => texts.backlogStep(), () => texts.clearStep()]) {
      for (let hasMore = true; this.#isOn && hasMore; ) {
        const startedAt = performance.now();
        hasMore = step();
        await pause(Math.max(PAUSE_MS, performance.now() - startedAt));
      }
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
