/**
 * What structure needs to know of a line, without its text: so a plan over a transcript of any size
 * holds a few dozen bytes a line.
 */
import type { ParsedLine, TranscriptLine } from './parse-line';
import { resultCallId, toolCallsOf } from './structure';

export interface LineLinks {
  /** From 1, in the file. */
  readonly number: number;
  readonly kind: TranscriptLine['kind'] | 'unreadable';
  readonly type: string;
  readonly id: string | undefined;
  /** False for ids made from the number of the line: those change when lines before it go. */
  readonly hasOwnId: boolean;
  readonly parentId: string | null | undefined;
  readonly isSide: boolean;
  /** Set for a `leaf` line. */
  readonly movesLeafTo: string | null | undefined;
  /** Set for a `label` line: what it names. */
  readonly labels: string | undefined;
  readonly isMessage: boolean;
  readonly callIds: readonly string[];
  /** Set for a tool result: the call it answers. */
  readonly resultOf: string | undefined;
  readonly firstKeptId: string | undefined;
  /** The first kept line is given by its number, as version 1 does. */
  readonly keptByNumber: boolean;
}

/** Undefined for blank lines, which do not count as lines. */
export function lineLinks(line: ParsedLine): LineLinks | undefined {
  if (!line.ok && line.why === 'blank') return undefined;
  if (!line.ok) return { ...NOTHING, number: line.number, kind: 'unreadable' };
  const { number, kind, type, id, parentId, isSide, movesLeafTo, message, firstKeptId, value } = line;
  const target = value['targetId'];
  return {
    number,
    kind,
    type,
    id,
    hasOwnId: id !== undefined && value['id'] === id,
    parentId,
    isSide,
    movesLeafTo,
    labels: type === 'label' && typeof target === 'string' ? target : undefined,
    isMessage: message !== undefined,
    callIds: toolCallsOf(message).map((call) => call.id),
    resultOf: resultCallId(message),
    firstKeptId,
    keptByNumber: firstKeptId !== undefined && typeof value['firstKeptEntryId'] !== 'string',
  };
}

const NOTHING = { type: '', id: undefined, hasOwnId: false, parentId: undefined, isSide: false, movesLeafTo: undefined, labels: undefined, isMessage: false, callIds: [], resultOf: undefined, firstKeptId: undefined, keptByNumber: false } as const;

/** The line as readers of branches take it; its text is not there. */
export function asLine(links: LineLinks): ParsedLine {
  if (links.kind === 'unreadable') return { ok: false, number: links.number, why: 'not-json' };
  const { number, kind, type, id, parentId, isSide, movesLeafTo, firstKeptId } = links;
  return { ok: true, number, kind, type, id, parentId, isSide, movesLeafTo, message: undefined, role: undefined, atMs: undefined, firstKeptId, value: {} };
}
