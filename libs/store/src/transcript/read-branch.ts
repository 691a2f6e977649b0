/**
 * Finds the lines of a transcript's active branch, reading backwards from its tip along the parents.
 * Keeps some bytes a line of the branch and never a line itself, so a long conversation can be read in pages.
 */
import { isBlank, linesBackwards } from './backward-reader';
import type { ByteSource } from './byte-source';
import { readLineFacts } from './line-facts';

export interface BranchLine {
  readonly offset: number;
  /** With the newline. */
  readonly bytes: number;
}

export interface BranchQuery {
  readonly endOffset: number;
  /** Where the branch ends; null: an empty one. */
  readonly tipId: string | null;
  /** Lines without ids follow each other in the order of the file. */
  readonly kind: 'native' | 'simple';
}

export interface FoundBranch {
  /** Root first; neither a header nor `leaf` lines are among them. */
  readonly lines: readonly BranchLine[];
  /** False: the tip is not in the transcript. */
  readonly hasTip: boolean;
}

export async function findBranch(source: ByteSource, { endOffset, tipId, kind }: BranchQuery): Promise<FoundBranch> {
  const lines: BranchLine[] = [];
  /** The id that is looked for; undefined: whatever record comes before. */
  let wanted: string | null | undefined = kind === 'simple' ? undefined : tipId;
  let hasTip = kind === 'simple';
  for await (const batch of linesBackwards(source, endOffset)) {
    for (const { content, offset, bytes } of batch) {
      if (wanted === null) return { lines: lines.reverse(), hasTip };
      if (content === undefined || isBlank(content) || (wanted !== undefined && !content.includes(wanted))) continue;
      const facts = readLineFacts(content);
      if (facts === undefined || facts.kind === 'header' || facts.kind === 'other') continue;
      if (kind === 'native' && (wanted === undefined ? facts.side : facts.id !== wanted)) continue;
      hasTip = true;
      if (facts.movesLeafTo === undefined) lines.push({ offset, bytes });
      // A leaf line that stands on the path leads to its own parent; a line that names none follows the record before it.
      wanted = facts.parentId;
    }
  }
  return { lines: lines.reverse(), hasTip: hasTip || tipId === null };
}
