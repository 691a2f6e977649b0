/**
 * Which lines of a transcript are the conversation: from the active leaf along the parents to the
 * root. The reference that readers of files are tested against.
 *
 * A parent is looked for among the lines before its child only, the nearest one winning where an id
 * stands twice: so links that go forwards or in a circle are missing parents, and the walk ends.
 */
import type { ParsedLine, TranscriptLine } from './parse-line';

export interface ActiveBranch {
  /** From root to leaf; never a header nor a `leaf` line. */
  readonly path: readonly TranscriptLine[];
  /** Null: an empty transcript, or a `leaf` line moved before the root. */
  readonly leafId: string | null;
  /** Numbers of lines on the path whose parent is not there. */
  readonly brokenAt: readonly number[];
  /** Numbers of `leaf` lines that name a line that is not there; they move nothing. */
  readonly ignoredLeafLines: readonly number[];
  /** Lines, blank ones apart, that could not be read. */
  readonly malformedLines: number;
}

/** Where a line hangs: the place of its parent, a root, or a parent that is not there. */
type Parent = number | 'root' | 'missing';

/**
 * @param lines of one transcript in file order.
 *
 * A line whose parent is missing ends the path, unless damaged lines stand before it: one of them may
 * have been the parent, and the path goes on with the record before the nearest.
 */
export function activeBranch(lines: readonly ParsedLine[]): ActiveBranch {
  const links = linkLines(lines);
  const path: TranscriptLine[] = [];
  const brokenAt: number[] = [];
  for (let at: number | undefined = links.leaf; at !== undefined; ) {
    const line: ParsedLine | undefined = lines[at];
    if (line === undefined || !line.ok) break;
    if (line.movesLeafTo === undefined) path.push(line);
    const parent: Parent = links.parents[at] ?? 'root';
    if (parent === 'missing') brokenAt.push(line.number);
    at = parent === 'root' ? undefined : parent === 'missing' ? beforeDamage(lines, at) : parent;
  }
  const leaf = links.leaf === undefined ? undefined : lines[links.leaf];
  return {
    path: path.reverse(),
    leafId: leaf?.ok === true ? (leaf.id ?? null) : null,
    brokenAt: brokenAt.reverse(),
    ignoredLeafLines: links.ignoredLeafLines,
    malformedLines: lines.filter((line) => !line.ok && line.why !== 'blank').length,
  };
}

interface Links {
  /** By place in the file. */
  readonly parents: readonly Parent[];
  readonly leaf: number | undefined;
  readonly ignoredLeafLines: readonly number[];
}

function linkLines(lines: readonly ParsedLine[]): Links {
  const places = new Map<string, number>();
  const parents: Parent[] = [];
  const ignoredLeafLines: number[] = [];
  let leaf: number | undefined;
  lines.forEach((line, at) => {
    parents.push('root');
    if (!line.ok || line.id === undefined) return;
    if (line.parentId === undefined) parents[at] = leaf ?? 'root';
    else if (line.parentId !== null) parents[at] = places.get(line.parentId) ?? 'missing';
    if (line.movesLeafTo === undefined) {
      if (!line.isSide) leaf = at;
    } else if (line.movesLeafTo === null) leaf = undefined;
    else if (places.has(line.movesLeafTo)) leaf = places.get(line.movesLeafTo);
    else ignoredLeafLines.push(line.number);
    places.set(line.id, at);
  });
  return { parents, leaf, ignoredLeafLines };
}

/** Place of the record before the nearest damaged line before `from`; undefined without one. */
function beforeDamage(lines: readonly ParsedLine[], from: number): number | undefined {
  let sawDamage = false;
  for (let at = from - 1; at >= 0; at -= 1) {
    const line = lines[at];
    if (line === undefined) continue;
    if (!line.ok) sawDamage ||= line.why !== 'blank';
    else if (sawDamage && line.id !== undefined && !line.isSide && line.movesLeafTo === undefined) return at;
  }
  return undefined;
}

export interface ContextLines {
  /** The newest compaction of the branch; undefined while nothing was summarised. */
  readonly compaction: TranscriptLine | undefined;
  /** Lines whose own text the model sees, oldest first, behind the compaction's summary. */
  readonly lines: readonly TranscriptLine[];
}

/**
 * What of a branch the model sees: the newest compaction stands for everything before the line that
 * it names as first kept. Where that line is not on the branch, nothing before the compaction is kept.
 */
export function contextLines(path: readonly TranscriptLine[]): ContextLines {
  const at = path.findLastIndex((line) => line.type === 'compaction');
  const compaction = path[at];
  if (compaction === undefined) return { compaction: undefined, lines: path };
  const found = compaction.firstKeptId === undefined ? -1 : path.findIndex((line) => line.id === compaction.firstKeptId);
  const first = found === -1 || found > at ? at : found;
  return { compaction, lines: path.filter((line, index) => index >= first && line.type !== 'compaction') };
}
