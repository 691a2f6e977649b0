/**
 * Which messages of a transcript a reader sees, and under which numbers: the rule in its plain form,
 * which readers of files are tested against.
 *
 * A message's seq is its ordinal, from 1, among all message records of the file, tool results and
 * other branches included; only those of the active branch are shown, so seqs may have gaps.
 */
import { isJsonObject, type JsonObject, type JsonValue } from '../json';
import { activeBranch } from './active-branch';
import type { ParsedLine, TranscriptLine } from './parse-line';

export interface HistoryOptions {
  /** With tool calls and tool results. */
  readonly includeTools: boolean;
  /** Messages at most, the newest ones; at least 1. Absent: all. */
  readonly limit?: number;
  /** Only messages with a lower seq. */
  readonly beforeSeq?: number;
}

export interface HistoryMessage {
  readonly seq: number;
  /** The line's id; `L<number>` where it has none. */
  readonly id: string;
  readonly role: string;
  /** As stored, but for tool calls that are left out. */
  readonly message: JsonObject;
  readonly line: TranscriptLine;
}

export interface HistoryView {
  /** In file order. */
  readonly items: readonly HistoryMessage[];
  /** Message records of the file. */
  readonly totalMessages: number;
  /** True when older messages of the branch are not in the page. */
  readonly hasMore: boolean;
  /** `beforeSeq` of the next older page; undefined without one. */
  readonly nextBefore: number | undefined;
}

/** @param lines of one transcript in file order. */
export function historyView(lines: readonly ParsedLine[], { includeTools, limit, beforeSeq }: HistoryOptions): HistoryView {
  const seqs = messageSeqs(lines);
  const shown: HistoryMessage[] = [];
  for (const line of activeBranch(lines).path) {
    const seq = seqs.get(line.number);
    if (seq === undefined || line.message === undefined || line.role === undefined || line.id === undefined) continue;
    if (beforeSeq !== undefined && seq >= beforeSeq) continue;
    const message = includeTools ? line.message : withoutTools(line.message);
    if (message !== undefined) shown.push({ seq, id: line.id, role: line.role, message, line });
  }
  const items = limit === undefined ? shown : shown.slice(-limit);
  const hasMore = items.length < shown.length;
  return { items, totalMessages: seqs.size, hasMore, nextBefore: hasMore ? items[0]?.seq : undefined };
}

/** Line number -> seq, for every message record. */
export function messageSeqs(lines: readonly ParsedLine[]): ReadonlyMap<number, number> {
  const seqs = new Map<number, number>();
  for (const line of lines) if (line.ok && line.role !== undefined) seqs.set(line.number, seqs.size + 1);
  return seqs;
}

/**
 * A message as readers without tools see it.
 * @returns undefined for a tool result, and for a message that holds tool calls and nothing else to
 * show; the same object where nothing is left out.
 */
export function withoutTools(message: JsonObject): JsonObject | undefined {
  if (message['role'] === 'toolResult') return undefined;
  const { content } = message;
  if (!Array.isArray(content)) return message;
  const blocks = content as readonly JsonValue[];
  const kept = blocks.filter((block) => typeOf(block) !== 'toolCall');
  if (kept.length === blocks.length) return message;
  return kept.every((block) => typeOf(block) === 'thinking') ? undefined : { ...message, content: kept };
}

function typeOf(block: JsonValue): JsonValue | undefined {
  return isJsonObject(block) ? block['type'] : undefined;
}
