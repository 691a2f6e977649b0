/**
 * Pages of a conversation, newest first, read from the end of its transcript. Cost follows the page
 * where the number of messages is known (from the index): ordinals are then counted backwards.
 *
 * A message's seq is its ordinal from 1 among all message records of the file, tool results and
 * other branches included; only those of the active branch are shown, so seqs may have gaps.
 */
import { isBlank, linesBackwards } from './backward-reader';
import type { ByteSource } from './byte-source';
import { readLineFacts, type LineFacts } from './line-facts';
import { scanTranscript } from './scan-transcript';

/** A page ends before it grows beyond this, unless a single message does. */
export const HISTORY_PAGE_BYTES_MAX = 8 * 1024 * 1024;
/** One call walks at most this far back over lines that it does not show. */
export const HISTORY_WALK_BYTES_MAX = 256 * 1024 * 1024;

/** A place between two lines, with what is needed to read on from there towards the start. */
export interface HistoryPosition {
  /** Lines before this byte. */
  readonly endOffset: number;
  /** Message records before `endOffset`; undefined when nobody has counted them. */
  readonly totalMessages?: number;
  /** Id of the branch's next older line; null when the branch has none; undefined at the end of the file. */
  readonly nextId?: string | null;
}

export interface HistoryPageOptions extends HistoryPosition {
  /** Messages in the page, at least 1. */
  readonly limit: number;
  /** Only messages with a lower seq. Without `totalMessages` the whole file is read to number them. */
  readonly beforeSeq?: number;
  /** With tool results. */
  readonly includeTools: boolean;
}

export interface HistoryItem {
  /** Undefined when the messages have not been counted. */
  readonly seq: number | undefined;
  /** Undefined for lines without an id (the simple format). */
  readonly id: string | undefined;
  readonly role: string;
  /** The whole transcript line, as it stands. */
  readonly line: string;
  /** The same, parsed. */
  readonly record: Readonly<Record<string, unknown>>;
  readonly offset: number;
  /** With the newline. */
  readonly bytes: number;
}

export interface HistoryPage {
  /** In file order. */
  readonly items: readonly HistoryItem[];
  /** True when older messages of the branch exist, or could: see HISTORY_WALK_BYTES_MAX. */
  readonly hasMore: boolean;
  /** `beforeSeq` of the next older page; undefined without more, or when nothing has been counted. */
  readonly nextBefore: number | undefined;
  /** Where the next older page begins; spares walking back over this one again. */
  readonly older: HistoryPosition | undefined;
  /** Message records of the file, as given or counted. */
  readonly totalMessages: number | undefined;
  /** Lines on the way that are malformed or too long. */
  readonly malformedLines: number;
}

/**
 * Reads one page that ends at `options.endOffset`, normally the file's length.
 * @throws DAMAGED when the file turns out shorter than that.
 */
export async function readHistoryPage(source: ByteSource, options: HistoryPageOptions): Promise<HistoryPage> {
  let { totalMessages } = options;
  if (totalMessages === undefined && options.beforeSeq !== undefined) totalMessages = await countMessages(source, options.endOffset);
  const items: HistoryItem[] = [];
  const branch = new BranchWalk(options.nextId);
  let itemsBytes = 0;
  let malformedLines = 0;
  /** Over lines that could be in the page: those after `beforeSeq` are on the way, not in the bound. */
  let walkedBytes = 0;
  let remaining = totalMessages;
  /** The place after the oldest line that is done with. */
  let older: HistoryPosition = { endOffset: options.endOffset, totalMessages: remaining, nextId: options.nextId };
  const page = (hasMore: boolean): HistoryPage => ({
    items: items.reverse(),
    hasMore,
    nextBefore: hasMore && older.totalMessages !== undefined ? older.totalMessages + 1 : undefined,
    older: hasMore ? older : undefined,
    totalMessages,
    malformedLines,
  });
  for await (const batch of linesBackwards(source, options.endOffset)) {
    for (const { content, offset, bytes } of batch) {
      if (branch.ended) return page(false);
      if (walkedBytes > HISTORY_WALK_BYTES_MAX) return page(true);
      const facts = content && !isBlank(content) ? readLineFacts(content) : undefined;
      if (facts) {
        const onBranch = branch.takes(facts);
        const seq = remaining;
        if (facts.role !== undefined) {
          const shown = onBranch && (options.includeTools || facts.role !== 'toolResult') && isBefore(seq, options.beforeSeq);
          if (shown) {
            if (items.length >= options.limit || (items.length > 0 && itemsBytes + bytes > HISTORY_PAGE_BYTES_MAX)) return page(true);
            items.push({ seq, id: facts.id, role: facts.role, line: (content as Buffer).toString('utf8'), record: facts.record, offset, bytes });
            itemsBytes += bytes;
          }
          if (remaining !== undefined) remaining -= 1;
        }
      } else if (!content || !isBlank(content)) {
        malformedLines += 1;
        branch.losesTrack();
      }
      if (isBefore(remaining, options.beforeSeq)) walkedBytes += bytes;
      older = { endOffset: offset, totalMessages: remaining, nextId: branch.nextId };
    }
  }
  return page(false);
}

function isBefore(seq: number | undefined, beforeSeq: number | undefined): boolean {
  return beforeSeq === undefined || seq === undefined || seq < beforeSeq;
}

async function countMessages(source: ByteSource, endOffset: number): Promise<number> {
  const cut: ByteSource = {
    read: (buffer, offset, length, position) => source.read(buffer, offset, Math.max(0, Math.min(length, endOffset - position)), position),
  };
  return (await scanTranscript(cut)).messageCount;
}

/** Follows parent links towards the root while lines come by newest first. */
class BranchWalk {
  /** Undefined: whatever line comes next is on the branch. */
  nextId: string | null | undefined;

  constructor(nextId: string | null | undefined) {
    this.nextId = nextId;
  }

  /** True when the root has been passed: nothing older belongs to the branch. */
  get ended(): boolean {
    return this.nextId === null;
  }

  takes(facts: LineFacts): boolean {
    if (facts.id === undefined) return true;
    if (this.nextId === undefined) {
      if (facts.side) return false;
      if (facts.movesLeafTo !== undefined) {
        this.nextId = facts.movesLeafTo;
        return false;
      }
    } else if (facts.id !== this.nextId) return false;
    this.nextId = facts.parentId;
    return true;
  }

  /** A line could not be read. It may have been the parent that is looked for: go on with the line before it. */
  losesTrack(): void {
    this.nextId = undefined;
  }
}
