/** Changes on their way to the index: of several of one entry, or of one transcript, the last. */
import type { IndexChange } from './worker-protocol';

export class GatheredChanges {
  #changes = new Map<string, IndexChange>();
  #unnamed = 0;
  #textLength = 0;

  get count(): number {
    return this.#changes.size;
  }

  /** Characters of the entries among them. */
  get textLength(): number {
    return this.#textLength;
  }

  /** Takes the place of an earlier change of the same thing, and goes behind what was added since. */
  add(change: IndexChange): void {
    const name = nameOf(change) ?? String((this.#unnamed += 1));
    const earlier = this.#changes.get(name);
    if (earlier !== undefined) {
      this.#textLength -= textLengthOf(earlier);
      this.#changes.delete(name);
    }
    this.#changes.set(name, change);
    this.#textLength += textLengthOf(change);
  }

  /** All of them in order; none are left. */
  take(): IndexChange[] {
    const changes = [...this.#changes.values()];
    this.#changes = new Map();
    this.#textLength = 0;
    return changes;
  }
}

/** Undefined: each such change counts. */
function nameOf(change: IndexChange): string | undefined {
  if (change.kind === 'put' || change.kind === 'remove') return `entry ${change.key}`;
  return change.kind === 'transcript' ? `transcript ${change.file}` : undefined;
}

const textLengthOf = (change: IndexChange): number => (change.kind === 'put' ? change.text.length : 0);
