/**
 * The transcript that goes on after a compaction where `truncateAfterCompaction` is set (compaction §9):
 * which lines of the one before it are in it, and how they hang together. Lines keep their order and,
 * but for their links, their bytes; the summary stands behind them. What cannot be kept whole is
 * refused, and the transcript before goes on instead.
 *
 *     header · state from before the cut · the first kept line and all that follow it · the summary
 */
import { isJsonObject } from '../json';
import { activeBranch } from '../transcript/active-branch';
import { asLine, type LineLinks } from '../transcript/line-links';
import type { TranscriptLine } from '../transcript/parse-line';
import { blocksOf, isBrokenOff } from '../transcript/structure';
import type { KeptLine } from './plan-truncation';

/** A message that says the same as one so long before it, or less, is taken for a repeated attempt. Milliseconds. */
export const RETRY_WINDOW_MS = 60_000;
/** Shorter messages are said twice on purpose. Characters. */
export const RETRY_TEXT_CHARS_MIN = 24;
/** What plug-ins noted before the cut goes on, the newest of it, up to so much. Bytes. */
export const STATE_BYTES_MAX = 256 * 1024;

/** Of each the newest one holds. */
const NEWEST_HOLDS: ReadonlySet<string> = new Set(['model_change', 'thinking_level_change', 'session_info']);
/** Kept by plug-ins, each line of it. */
const PLUGIN_STATE = 'custom';

/** A line of the branch before the cut, of which nothing but state may go on. */
export interface HeadLine {
  /** Any number that no other line has. */
  readonly number: number;
  readonly type: string;
  readonly id: string | undefined;
  readonly bytes: number;
}

export function isStateType(type: string): boolean {
  return NEWEST_HOLDS.has(type) || type === PLUGIN_STATE;
}

/** A line from the cut on. */
export interface TailLine {
  readonly links: LineLinks;
  /** Text of a person's message that may be a repeated attempt. */
  readonly said: string | undefined;
  readonly atMs: number | undefined;
  /** A whole answer: what was said before it is not said again by a machine. */
  readonly isAnswer: boolean;
}

export function tailLine(links: LineLinks, line: TranscriptLine | undefined): TailLine {
  const { role, message, atMs } = line ?? {};
  return { links, said: role === 'user' ? retryText(message) : undefined, atMs, isAnswer: role === 'assistant' && !isBrokenOff(message) };
}

/** Text alone, long enough; undefined for all else. */
function retryText(message: TranscriptLine['message']): string | undefined {
  if (message === undefined) return undefined;
  const texts: string[] = [];
  for (const block of blocksOf(message)) {
    if (!isJsonObject(block) || block['type'] !== 'text' || typeof block['text'] !== 'string') return undefined;
    texts.push(block['text']);
  }
  const text = texts.join('\n');
  return text.trim().length < RETRY_TEXT_CHARS_MIN ? undefined : text;
}

export interface SuccessorRequest {
  /** Lines of the branch before `tail`, root first; those without state do no harm. */
  readonly head: readonly HeadLine[];
  /** All lines of the file from the first kept one on, or all behind the snapshot where nothing is kept. */
  readonly tail: readonly TailLine[];
  /** Undefined: nothing is kept but what came behind the snapshot. */
  readonly cutId: string | undefined;
  /** Parent of the first line of the branch that came behind the snapshot, where nothing is kept. */
  readonly snapshotTipId: string;
  /** End of the branch, as the owner knows it. */
  readonly leafId: string | null;
  /** Id of the summary's line. */
  readonly summaryId: string;
  /** Messages that a turn is about: they stay. */
  readonly keepIds: ReadonlySet<string>;
}

export type SuccessorPlan =
  | { readonly ok: false; readonly reason: 'snapshot left the branch' | 'lines without ids' | 'structure would change' }
  | {
      readonly ok: true;
      readonly state: readonly KeptLine[];
      readonly tail: readonly KeptLine[];
      /** Parent of the summary's line. */
      readonly parentId: string | null;
      readonly firstKeptEntryId: string;
      /** Repeated attempts that were left out. */
      readonly droppedIds: readonly string[];
    };

/** Decides; what it says is proved: a reader finds the branch, with the summary at its end. */
export function planSuccessor(request: SuccessorRequest): SuccessorPlan {
  const { tail, cutId, snapshotTipId, leafId, summaryId } = request;
  const links = tail.map((line) => line.links);
  if (links.some(({ kind, hasOwnId }) => kind === 'simple' || (kind === 'native' && !hasOwnId))) return { ok: false, reason: 'lines without ids' };
  const { path, reaches } = branchOfTail(links, cutId, snapshotTipId, leafId);
  if (path === undefined) return { ok: false, reason: 'snapshot left the branch' };
  if (!reaches) return { ok: false, reason: 'structure would change' };
  const dropped = repeatedAttempts(request, path);
  const byNumber = new Map(links.map((line, at) => [line.number, at]));
  const places = new Map<string, number>();
  links.forEach((line, at) => line.id !== undefined && places.set(line.id, at));
  const kept = keptPlaces(links, places, dropped);
  const onPath = path.flatMap((number) => byNumber.get(number) ?? []).filter((at) => kept.has(at));
  const state = stateLines(request.head, onPath.map((at) => (links[at] as LineLinks).type));
  const rootId = state.at(-1)?.id ?? null;
  const keptTail = links.flatMap((line, at): KeptLine[] => (kept.has(at) ? [{ number: line.number, rewrite: reparented(links, at, { kept, places, rootId, isRoot: at === onPath[0] }) }] : []));
  const parentId = onPath.length === 0 ? rootId : ((links[onPath.at(-1) as number] as LineLinks).id ?? null);
  const firstKeptEntryId = onPath.length === 0 ? summaryId : ((links[onPath[0] as number] as LineLinks).id ?? summaryId);
  const keptState = state.map(({ number }, at): KeptLine => ({ number, rewrite: { parentId: state[at - 1]?.id ?? null } }));
  const isWhole = proves({ links, byNumber, state, keptTail, parentId, summaryId, wanted: [...state.map(({ id }) => id), ...onPath.map((at) => links[at]?.id), summaryId] });
  if (!isWhole) return { ok: false, reason: 'structure would change' };
  return { ok: true, state: keptState, tail: keptTail, parentId, firstKeptEntryId, droppedIds: [...dropped].flatMap((number) => links[byNumber.get(number) ?? -1]?.id ?? []) };
}

/** Numbers of the lines of the branch in the tail, root first; undefined: the cut or the snapshot is not on it. */
function branchOfTail(links: readonly LineLinks[], cutId: string | undefined, snapshotTipId: string, leafId: string | null): { readonly path: readonly number[] | undefined; readonly reaches: boolean } {
  // Where nothing is kept the snapshot's tip stands before the tail, as the parent of what follows.
  const anchor = cutId === undefined ? [{ ...ANCHOR, id: snapshotTipId }] : [];
  const found = activeBranch([...anchor, ...links].map(asLine));
  const root = found.path[0]?.id;
  const isOn = (id: string): boolean => found.path.some((line) => line.id === id);
  if (root !== (cutId ?? snapshotTipId) || !isOn(snapshotTipId)) return { path: undefined, reaches: false };
  // A `leaf` line that names a summarised line would move the branch, for those who see it.
  return { path: found.path.map(({ number }) => number).filter((number) => number !== ANCHOR.number), reaches: found.leafId === leafId };
}

const ANCHOR: LineLinks = { number: 0, kind: 'native', type: 'message', id: '', hasOwnId: true, parentId: null, isSide: false, movesLeafTo: undefined, labels: undefined, isMessage: true, callIds: [], resultOf: undefined, firstKeptId: undefined, keptByNumber: false };

/**
 * Numbers of messages that say again, to the letter and within the window, what nobody had answered
 * yet. Only of what was there when the summary was asked for: what came since stays in any case.
 */
function repeatedAttempts({ tail, cutId, snapshotTipId, keepIds }: SuccessorRequest, path: readonly number[]): ReadonlySet<number> {
  const dropped = new Set<number>();
  if (cutId === undefined) return dropped;
  const onPath = new Set(path);
  const lastAtMs = new Map<string, number>();
  for (const { links, said, atMs, isAnswer } of tail) {
    if (!onPath.has(links.number)) continue;
    if (isAnswer) lastAtMs.clear();
    if (said !== undefined && atMs !== undefined) {
      const before = lastAtMs.get(said);
      lastAtMs.set(said, atMs);
      const isKept = links.id === undefined || links.id === cutId || links.id === snapshotTipId || keepIds.has(links.id);
      if (before !== undefined && atMs >= before && atMs - before <= RETRY_WINDOW_MS && !isKept) dropped.add(links.number);
    }
    if (links.id === snapshotTipId) break;
  }
  return dropped;
}

/** Places of the lines that stay: earlier summaries are in the new one, and marks of what is gone mark nothing. */
function keptPlaces(links: readonly LineLinks[], places: ReadonlyMap<string, number>, dropped: ReadonlySet<number>): ReadonlySet<number> {
  const kept = new Set<number>();
  links.forEach((line, at) => {
    if (line.kind !== 'header' && line.type !== 'compaction' && !dropped.has(line.number)) kept.add(at);
  });
  // A mark may be what another one marks.
  for (let before = -1; before !== kept.size; ) {
    before = kept.size;
    for (const at of kept) {
      const { labels, movesLeafTo } = links[at] as LineLinks;
      const target = labels ?? movesLeafTo;
      if (typeof target === 'string' && !kept.has(places.get(target) ?? -1)) kept.delete(at);
    }
  }
  return kept;
}

function stateLines(head: readonly HeadLine[], laterTypes: readonly string[]): readonly HeadLine[] {
  const chosen = new Set<HeadLine>();
  const settled = new Set(laterTypes.filter((type) => NEWEST_HOLDS.has(type)));
  let bytes = 0;
  let isFull = false;
  for (const line of [...head].reverse()) {
    if (line.id === undefined) continue;
    if (NEWEST_HOLDS.has(line.type) && !settled.has(line.type)) {
      settled.add(line.type);
      chosen.add(line);
    }
    if (line.type !== PLUGIN_STATE) continue;
    bytes += line.bytes;
    isFull ||= bytes > STATE_BYTES_MAX;
    if (!isFull) chosen.add(line);
  }
  return head.filter((line) => chosen.has(line));
}

interface Links {
  readonly kept: ReadonlySet<number>;
  readonly places: ReadonlyMap<string, number>;
  readonly rootId: string | null;
  /** First of the branch: it hangs on the state. */
  readonly isRoot: boolean;
}

/** The nearest ancestor that stays; without one the line hangs on the state that went on. */
function reparented(links: readonly LineLinks[], at: number, { kept, places, rootId, isRoot }: Links): KeptLine['rewrite'] {
  const line = links[at] as LineLinks;
  if (line.kind !== 'native' || (typeof line.parentId !== 'string' && !isRoot)) return undefined;
  let before = at;
  let id = line.parentId;
  while (typeof id === 'string') {
    const place = placeBefore(links, places, id, before);
    if (place === undefined) break;
    if (kept.has(place)) return id === line.parentId ? undefined : { parentId: id };
    before = place;
    id = (links[place] as LineLinks).parentId;
  }
  return rootId === line.parentId ? undefined : { parentId: rootId };
}

/** Parents stand before their children. */
function placeBefore(links: readonly LineLinks[], places: ReadonlyMap<string, number>, id: string, before: number): number | undefined {
  const place = places.get(id);
  if (place === undefined || place < before) return place;
  const earlier = links.findLastIndex((line, at) => at < before && line.id === id);
  return earlier === -1 ? undefined : earlier;
}

interface Proof {
  readonly links: readonly LineLinks[];
  readonly byNumber: ReadonlyMap<number, number>;
  readonly state: readonly HeadLine[];
  readonly keptTail: readonly KeptLine[];
  readonly parentId: string | null;
  readonly summaryId: string;
  readonly wanted: readonly (string | undefined)[];
}

function proves({ links, byNumber, state, keptTail, parentId, summaryId, wanted }: Proof): boolean {
  const stateLinks = state.map(({ id, type }, at): LineLinks => ({ ...ANCHOR, id, type, isMessage: false, parentId: state[at - 1]?.id ?? null }));
  const tailLinks = keptTail.map(({ number, rewrite }): LineLinks => {
    const line = links[byNumber.get(number) ?? -1] as LineLinks;
    return rewrite?.parentId === undefined ? line : { ...line, parentId: rewrite.parentId };
  });
  const summary: LineLinks = { ...ANCHOR, id: summaryId, type: 'compaction', isMessage: false, parentId };
  const lines = [...stateLinks, ...tailLinks, summary].map((line, at) => ({ ...line, number: at + 1 }));
  const { path, brokenAt, ignoredLeafLines } = activeBranch(lines.map(asLine));
  return brokenAt.length === 0 && ignoredLeafLines.length === 0 && path.length === wanted.length && path.every((line, at) => line.id === wanted[at]);
}
