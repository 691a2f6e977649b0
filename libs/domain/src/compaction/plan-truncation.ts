/**
 * Which lines of a transcript stay when it is cut to its last `maxLines` (compaction §3 and §4), and
 * what has to change in them so that the conversation that is left is the end of the one before:
 * header first, parents valid, calls with their results, the same leaf. What cannot be kept whole is
 * refused, and nothing is written.
 */
import { patchRawObject } from '../entry/raw-object';
import { activeBranch } from '../transcript/active-branch';
import { asLine, type LineLinks } from '../transcript/line-links';
import { lineId } from '../transcript/parse-line';

/** What to change in one line; members that are absent stay as they are. */
export interface LineRewrite {
  readonly parentId?: string | null;
  readonly firstKeptEntryId?: string;
  /** Version 1: lines from 0, the header included. */
  readonly firstKeptEntryIndex?: number;
}

export interface KeptLine {
  /** In the file before. */
  readonly number: number;
  /** Undefined: its bytes are copied. */
  readonly rewrite: LineRewrite | undefined;
}

export type TruncationPlan =
  | { readonly ok: true; readonly compacted: false; readonly reason: 'below limit' | 'no transcript'; readonly keptLines: number }
  | { readonly ok: false; readonly reason: 'active leaf outside kept window' | 'structure would change' }
  | {
      readonly ok: true;
      readonly compacted: true;
      readonly lines: readonly KeptLine[];
      readonly keptLines: number;
      /** The newest summary of the branch leaves the context; it is still in the archive. */
      readonly summaryDropped: boolean;
    };

type Refusal = Extract<TruncationPlan, { ok: false }>['reason'];

/**
 * @param lines all lines but blank ones, in file order.
 * @param maxLines whole, at least 1. The header counts.
 */
export function planTruncation(lines: readonly LineLinks[], maxLines: number): TruncationPlan {
  const total = lines.length;
  if (total === 0) return { ok: true, compacted: false, reason: 'no transcript', keptLines: 0 };
  if (total <= maxLines) return { ok: true, compacted: false, reason: 'below limit', keptLines: total };
  return new Truncation(lines, maxLines).plan();
}

/**
 * A line with its links changed: what stays keeps its spelling, members nobody knows stay too.
 * @param text one line that the plan rewrites, without its line feed.
 */
export function rewriteLine(text: string, rewrite: LineRewrite): string {
  return patchRawObject(text, { set: { ...rewrite } });
}

/** One plan; lives for one call of `planTruncation`. */
class Truncation {
  readonly #lines: readonly LineLinks[];
  readonly #maxLines: number;
  readonly #header: LineLinks | undefined;
  /** Place by id; of an id that stands twice the last place, as readers find it from the end. */
  readonly #places = new Map<string, number>();
  /** Places of the active branch, root first. */
  readonly #branch: readonly number[];
  readonly #leafId: string | null;

  constructor(lines: readonly LineLinks[], maxLines: number) {
    this.#lines = lines;
    this.#maxLines = maxLines;
    this.#header = lines[0]?.kind === 'header' ? lines[0] : undefined;
    lines.forEach((line, at) => line.id !== undefined && this.#places.set(line.id, at));
    const { path, leafId } = activeBranch(lines.map(asLine));
    const byNumber = new Map(lines.map((line, at) => [line.number, at]));
    this.#branch = path.flatMap((line) => byNumber.get(line.number) ?? []);
    this.#leafId = leafId;
  }

  plan(): TruncationPlan {
    const kept = this.#chooseLines();
    const refusal = this.#leafRefusal(kept);
    if (refusal !== undefined) return { ok: false, reason: refusal };
    const order = [...kept].sort((left, right) => left - right);
    const newNumbers = new Map(order.map((at, index) => [at, index + 1]));
    const lines = order.map((at): KeptLine => ({ number: this.#line(at).number, rewrite: this.#rewrite(at, kept, newNumbers) }));
    if (lines.length === this.#lines.length) return { ok: true, compacted: false, reason: 'below limit', keptLines: lines.length };
    if (!this.#keepsBranch(order, lines, newNumbers, kept)) return { ok: false, reason: 'structure would change' };
    const summary = this.#branch.findLast((at) => this.#line(at).type === 'compaction');
    return { ok: true, compacted: true, lines, keptLines: lines.length, summaryDropped: summary !== undefined && !kept.has(summary) };
  }

  #line(at: number): LineLinks {
    const line = this.#lines[at];
    if (line === undefined) throw new RangeError(`no line at ${String(at)}`);
    return line;
  }

  /** Header and the last lines; results without their call and labels without their target left out. */
  #chooseLines(): Set<number> {
    const first = this.#header === undefined ? 0 : 1;
    const room = Math.max(1, this.#maxLines - first);
    const from = Math.max(first, this.#lines.length - room);
    const kept = this.#window(from);
    if (this.#hasMessage(kept)) return kept;
    // The window grows back to the call of its results, or whatever message stands nearest (decision 39).
    const message = this.#lines.findLastIndex((line, at) => at >= first && at < from && line.isMessage && line.resultOf === undefined);
    return message === -1 ? kept : this.#window(message);
  }

  #window(from: number): Set<number> {
    const kept = new Set<number>(this.#header === undefined ? [] : [0]);
    const open = new Map<string, true>();
    for (let at = from; at < this.#lines.length; at += 1) {
      const line = this.#line(at);
      for (const id of line.callIds) open.set(id, true);
      if (line.resultOf !== undefined && !open.has(line.resultOf)) continue;
      kept.add(at);
    }
    for (const at of kept) {
      const { labels } = this.#line(at);
      if (labels === undefined) continue;
      const target = this.#places.get(labels);
      if (target === undefined || !kept.has(target)) kept.delete(at);
    }
    return kept;
  }

  #hasMessage(kept: ReadonlySet<number>): boolean {
    return [...kept].some((at) => this.#line(at).isMessage);
  }

  #leafRefusal(kept: ReadonlySet<number>): Refusal | undefined {
    const isKept = (id: string | null): boolean => id === null || kept.has(this.#places.get(id) ?? -1);
    for (const at of kept) {
      const target = this.#line(at).movesLeafTo;
      if (target !== undefined && !isKept(target)) return 'active leaf outside kept window';
    }
    const leaf = this.#branch.at(-1);
    if (leaf === undefined || kept.has(leaf)) return undefined;
    // Trailing results may be left out; the leaf is then the nearest line before them.
    return this.#line(leaf).resultOf !== undefined && this.#branch.some((at) => kept.has(at)) ? undefined : 'active leaf outside kept window';
  }

  #rewrite(at: number, kept: ReadonlySet<number>, newNumbers: ReadonlyMap<number, number>): LineRewrite | undefined {
    const line = this.#line(at);
    const parent = typeof line.parentId === 'string' ? this.#keptAncestor(at, kept) : undefined;
    const parentId = parent === undefined || parent === line.parentId ? {} : { parentId: parent };
    const rewrite = { ...parentId, ...this.#firstKept(at, kept, newNumbers) };
    return Object.keys(rewrite).length === 0 ? undefined : rewrite;
  }

  /** Nearest ancestor that stays and has an id of its own; null without one. */
  #keptAncestor(at: number, kept: ReadonlySet<number>): string | null {
    let before = at;
    for (let id = this.#line(at).parentId; typeof id === 'string'; ) {
      const place = this.#placeBefore(id, before);
      if (place === undefined) return null;
      const line = this.#line(place);
      if (kept.has(place) && line.hasOwnId) return line.id ?? null;
      before = place;
      id = line.parentId;
    }
    return null;
  }

  /** Parents stand before their children: links that go forwards or in a circle lead nowhere. */
  #placeBefore(id: string, before: number): number | undefined {
    const place = this.#places.get(id);
    if (place === undefined) return undefined;
    if (place < before) return place;
    const earlier = this.#lines.findLastIndex((line, at) => at < before && line.id === id);
    return earlier === -1 ? undefined : earlier;
  }

  #firstKept(at: number, kept: ReadonlySet<number>, newNumbers: ReadonlyMap<number, number>): LineRewrite {
    const line = this.#line(at);
    if (line.type !== 'compaction' || line.firstKeptId === undefined) return {};
    const place = this.#places.get(line.firstKeptId);
    const stays = place !== undefined && kept.has(place);
    const target = stays ? place : this.#firstAfter(place, at, kept);
    if (line.keptByNumber) return { firstKeptEntryIndex: (newNumbers.get(target) ?? 1) - 1 };
    const id = this.#line(target).id;
    return stays || id === undefined ? {} : { firstKeptEntryId: id };
  }

  /** First kept line of the branch between the boundary that is gone and the compaction, else itself. */
  #firstAfter(boundary: number | undefined, compaction: number, kept: ReadonlySet<number>): number {
    if (boundary === undefined || !this.#branch.includes(boundary) || !this.#branch.includes(compaction)) return compaction;
    return this.#branch.find((at) => at > boundary && at < compaction && kept.has(at) && this.#line(at).hasOwnId) ?? compaction;
  }

  /** Proof before anything is written: a reader finds the kept part of the branch, with the same leaf. */
  #keepsBranch(order: readonly number[], lines: readonly KeptLine[], newNumbers: ReadonlyMap<number, number>, kept: ReadonlySet<number>): boolean {
    const after = order.map((at, index) => {
      const line = this.#line(at);
      const rewritten = lines[index]?.rewrite;
      const id = line.hasOwnId || line.id === undefined ? line.id : lineId(index + 1);
      return asLine({ ...line, number: index + 1, id, parentId: rewritten?.parentId === undefined ? line.parentId : rewritten.parentId });
    });
    const { path, leafId } = activeBranch(after);
    const wanted = this.#branch.filter((at) => kept.has(at)).map((at) => newNumbers.get(at));
    const found = path.map((line) => line.number);
    if (wanted.length !== found.length || wanted.some((number, index) => number !== found[index])) return false;
    return this.#leafId !== null || leafId === null;
  }
}
