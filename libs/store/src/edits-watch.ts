/**
 * Looks after `sessions.json` while nobody asks the store for anything: an edit that no call meets is
 * merged, and a file that was broken or removed is written again, within a few seconds of its last
 * change. It waits until the file has stood still from one look to the next, so that it takes no
 * half-written edit for damage. One look at a time, one `lstat` each.
 */
import type { ExternalEdits } from './external-edits';
import { sameIdentity, type FileIdentity } from './files/file-system';

/** Time from one look to the next. An edit that stands still is found after two of them at the latest. */
export const WATCH_INTERVAL_MS = 1500;

export class EditsWatch {
  readonly #edits: ExternalEdits;
  readonly #timer: NodeJS.Timeout;
  #seen: { readonly identity: FileIdentity | undefined } | undefined;
  #looking: Promise<void> | undefined;

  constructor(edits: ExternalEdits) {
    this.#edits = edits;
    this.#timer = setInterval(() => {
      this.#looking ??= this.#look()
        // Whoever calls next meets the same fault and is told of it.
        .catch(() => undefined)
        .finally(() => {
          this.#looking = undefined;
        });
    }, WATCH_INTERVAL_MS).unref();
  }

  /** Resolves when the look under way is over. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  async #look(): Promise<void> {
    const changed = await this.#edits.changedFile();
    const stoodStill = changed !== undefined && this.#seen !== undefined && sameIdentity(changed.identity, this.#seen.identity);
    this.#seen = changed;
    if (stoodStill) await this.#edits.check();
  }
}
