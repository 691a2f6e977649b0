/** What mutations do to the files that a piece of work holds, until it is done and the files are let go. */
import type { FileOp } from '../journal/codec';
import type { HeldFiles } from './held-files';

interface Use {
  /** Names that stand for another file now, or for none. */
  readonly changed: Set<string>;
  /** Staged files that a record names. */
  readonly installed: Set<string>;
  readonly done: Promise<void>[];
}

export class HeldUses {
  readonly #uses = new WeakMap<object, Use>();

  /** From here on the names of these files belong to the operations. @returns to be called when they are done, or never will be. */
  note(held: object | undefined, ops: readonly FileOp[]): () => void {
    if (held === undefined || ops.length === 0) return () => undefined;
    const use = this.#uses.get(held) ?? { changed: new Set(), installed: new Set(), done: [] };
    this.#uses.set(held, use);
    for (const op of ops) {
      if (op.op === 'aside' || op.op === 'replace' || op.op === 'back') use.changed.add(op.file);
      if (op.op === 'replace') use.installed.add(op.staged);
    }
    let done: () => void = () => undefined;
    use.done.push(new Promise((resolve) => (done = resolve)));
    return done;
  }

  /** Lets the files go once every operation on them is done. Never rejects. */
  async release(held: HeldFiles): Promise<void> {
    const use = this.#uses.get(held);
    await Promise.all(use?.done ?? []);
    await held.letGo(use?.changed ?? new Set(), use?.installed ?? new Set()).catch(() => undefined);
  }
}
