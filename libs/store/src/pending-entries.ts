/**
 * Entries as they stand after every mutation handed to the journal, kept until the index has them
 * and some longer as a cache of the busiest ones. A decision reads here first, so two mutations of
 * one entry in a row build on each other although the index lags behind.
 */

/** Entries kept at most beyond those that the index still lacks. */
const CACHED_ENTRIES_MAX = 250;
const CACHED_BYTES_MAX = 2 * 1024 * 1024;

interface Pending {
  /** Undefined: removed. */
  readonly text: string | undefined;
  readonly seq: number;
  parsed?: Readonly<Record<string, unknown>>;
}

export class PendingEntries {
  readonly #appliedSeq: () => number;
  readonly #byKey = new Map<string, Pending>();
  #bytes = 0;

  /** @param appliedSeq last sequence that the index answers for. */
  constructor(appliedSeq: () => number) {
    this.#appliedSeq = appliedSeq;
  }

  /** Undefined: ask the index. */
  get(key: string): { readonly text: string | undefined } | undefined {
    return this.#byKey.get(key);
  }

  set(key: string, text: string | undefined, seq: number): void {
    this.#drop(key);
    this.#byKey.set(key, { text, seq });
    this.#bytes += text?.length ?? 0;
    this.#shrink();
  }

  /** Remembers what the index said, unless something newer is known. */
  remember(key: string, text: string): void {
    if (!this.#byKey.has(key)) this.set(key, text, 0);
  }

  /** Forgets everything that the index has; after an edit from outside. */
  clear(): void {
    for (const [key, pending] of this.#byKey) if (pending.seq <= this.#appliedSeq()) this.#drop(key);
  }

  /** Key of a pending entry whose member has this value; the index does not know it yet. */
  keyWhere(member: string, value: string): string | undefined {
    const applied = this.#appliedSeq();
    for (const [key, pending] of this.#byKey) {
      if (pending.seq > applied && pending.text !== undefined && membersOf(pending)[member] === value) return key;
    }
    return undefined;
  }

  /** True when a newer text of this key is pending, so the index may not be believed about its members. */
  isPending(key: string): boolean {
    return (this.#byKey.get(key)?.seq ?? 0) > this.#appliedSeq();
  }

  #drop(key: string): void {
    this.#bytes -= this.#byKey.get(key)?.text?.length ?? 0;
    this.#byKey.delete(key);
  }

  #shrink(): void {
    if (this.#byKey.size <= CACHED_ENTRIES_MAX && this.#bytes <= CACHED_BYTES_MAX) return;
    const applied = this.#appliedSeq();
    for (const [key, pending] of this.#byKey) {
      if (pending.seq <= applied) this.#drop(key);
      if (this.#byKey.size <= CACHED_ENTRIES_MAX / 2 && this.#bytes <= CACHED_BYTES_MAX / 2) return;
    }
  }
}

function membersOf(pending: Pending): Readonly<Record<string, unknown>> {
  if (pending.parsed === undefined) {
    const value: unknown = JSON.parse(pending.text ?? 'null');
    pending.parsed = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  }
  return pending.parsed;
}
