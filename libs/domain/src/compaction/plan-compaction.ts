/**
 * When a context is compacted and what is summarised (compaction §2 and §5): token counts in, a range
 * or nothing out. Nothing here calls a model; the worker summarises and the owner installs.
 */
import type { SessionConfig } from '../config/parse-config';
import { contextLines } from '../transcript/active-branch';
import type { TranscriptLine } from '../transcript/parse-line';
import { pendingFrom, safeAfter, safeBefore, safePlaces } from '../transcript/structure';
import { contextTokens, type TokenCounter } from './count-tokens';

export type CompactionSettings = Pick<SessionConfig['agents']['defaults']['compaction'], 'enabled' | 'reserveTokens' | 'reserveTokensFloor' | 'keepRecentTokens' | 'recentTurnsPreserve' | 'maxHistoryShare'>;

/** Newest part that an automatic compaction keeps when nothing is configured. */
export const KEEP_RECENT_TOKENS = 20_000;
/** New content, as a share of the context, before an automatic compaction is tried again. */
export const NEW_CONTENT_SHARE_MIN = 0.1;
/** Share of the window that one request to the summariser may fill; the rest is for instructions and the summary. */
export const CHUNK_WINDOW_SHARE = 0.5;

/**
 * A turn that cannot go on without a compaction waits no longer for it: the session answers again
 * within four minutes whatever happens. The compaction goes on, as long as its own limit lets it. Seconds.
 */
export const COMPACTION_WAIT_SECONDS_MAX = 190;
/** What a caller grants beyond the limit of the compaction itself. Seconds. */
export const COMPACTION_SLACK_SECONDS = 10;

/** How long a turn waits, seconds. */
export function compactionWaitSeconds(timeoutSeconds: number): number {
  return Math.min(timeoutSeconds + COMPACTION_SLACK_SECONDS, COMPACTION_WAIT_SECONDS_MAX);
}

/** Part of the window kept free: the larger of both settings, at most half of a small window. */
export function reserveTokens(settings: CompactionSettings, windowTokens: number): number {
  return Math.min(Math.max(settings.reserveTokens, settings.reserveTokensFloor), Math.floor(windowTokens / 2));
}

/** True when the context reaches into the reserve. Never while compaction is switched off. */
export function isNearlyFull(settings: CompactionSettings, windowTokens: number, tokens: number): boolean {
  return settings.enabled && windowTokens > 0 && tokens > windowTokens - reserveTokens(settings, windowTokens);
}

/** When the agent is to save notes first (compaction §7). */
export function isFlushDue(settings: CompactionSettings, softThresholdTokens: number, windowTokens: number, tokens: number): boolean {
  return windowTokens > 0 && tokens > windowTokens - reserveTokens(settings, windowTokens) - softThresholdTokens;
}

export interface CompactionRequest {
  /** Active branch, root first. */
  readonly path: readonly TranscriptLine[];
  readonly windowTokens: number;
  readonly settings: CompactionSettings;
  /**
   * `manual` keeps nothing unless `keepRecentTokens` is configured; `threshold` waits for new content;
   * `overflow` has to make room now.
   */
  readonly trigger: 'manual' | 'threshold' | 'overflow';
  /** Tip of the branch at the last attempt that failed; an installed compaction is found in the path. */
  readonly lastAttemptTipId?: string;
  readonly count: TokenCounter;
}

/** Lines for one request to the summariser, places of the path. */
export interface SummaryChunk {
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
  readonly tokens: number;
  /** A single line larger than the budget: its text has to be shortened to it. */
  readonly isOversized: boolean;
}

export type CompactionPlan =
  | { readonly kind: 'none'; readonly reason: 'not full' | 'little new content' | 'nothing to summarise'; readonly tokensBefore: number }
  | {
      readonly kind: 'summarise';
      /** Tip of the snapshot: the result is installed only while it is on the active branch. */
      readonly tipId: string;
      /** First line that stays; undefined: nothing stays. */
      readonly cutId: string | undefined;
      /** Range of the path to summarise. */
      readonly from: number;
      readonly to: number;
      /** Text of the summary before, which is distilled again; undefined: there is none. */
      readonly previousSummary: string | undefined;
      readonly chunks: readonly SummaryChunk[];
      readonly tokensBefore: number;
      /** What stays, without the new summary. */
      readonly keptTokens: number;
    };

/** Decides; a plan always summarises at least one line the model sees. */
export function planCompaction(request: CompactionRequest): CompactionPlan {
  const { path, windowTokens, settings, trigger } = request;
  const start = visibleFrom(path);
  const { compaction } = contextLines(path);
  const tokensBefore = tokensNow(path, start, request.count);
  // An earlier summary is handed over by itself and weighs nothing where it stands.
  const count: TokenCounter = (line) => (line.type === 'compaction' ? 0 : request.count(line));
  const none = (reason: Extract<CompactionPlan, { kind: 'none' }>['reason']): CompactionPlan => ({ kind: 'none', reason, tokensBefore });
  if (trigger === 'threshold' && !isNearlyFull(settings, windowTokens, tokensBefore)) return none('not full');
  if (trigger !== 'manual' && !hasNewContent(request)) return none('little new content');
  const cut = chooseCut({ ...request, count }, start);
  const seen = path.slice(start, cut).filter((line) => count(line) > 0);
  const tipId = path.at(-1)?.id;
  if (seen.length === 0 || tipId === undefined) return none('nothing to summarise');
  const summary = compaction?.value['summary'];
  return {
    kind: 'summarise',
    tipId,
    cutId: path[cut]?.id,
    from: start,
    to: cut,
    previousSummary: typeof summary === 'string' && summary !== '' ? summary : undefined,
    chunks: chunksOf(path, start, cut, Math.max(1, Math.floor(windowTokens * CHUNK_WINDOW_SHARE)), count),
    tokensBefore,
    keptTokens: sumTokens(path, cut, path.length, count),
  };
}

/** Place of the first line whose own text the model sees. */
function visibleFrom(path: readonly TranscriptLine[]): number {
  const [first] = contextLines(path).lines;
  return first === undefined ? path.length : path.indexOf(first);
}

/** Tokens of the context that the next request shows, as far as is known: what was reported since the last compaction, and the estimate of what came after. */
export function shownTokens(path: readonly TranscriptLine[], count: TokenCounter): number {
  return tokensNow(path, visibleFrom(path), count);
}

function tokensNow(path: readonly TranscriptLine[], start: number, count: TokenCounter): number {
  const at = path.findLastIndex((line) => line.type === 'compaction');
  const compaction = path[at];
  if (compaction === undefined) return contextTokens(path, count);
  const seen = path.flatMap((line, place) => (place >= start && line.type !== 'compaction' ? [{ line, isNew: place > at }] : []));
  // Reports from before the compaction are about a context that is gone.
  const since = 1 + seen.filter(({ isNew }) => !isNew).length;
  return contextTokens([compaction, ...seen.map(({ line }) => line)], count, since);
}

/** At least a tenth of the context is newer than the last compaction or attempt. */
function hasNewContent({ path, lastAttemptTipId, count }: CompactionRequest): boolean {
  const attempt = lastAttemptTipId === undefined ? -1 : path.findLastIndex((line) => line.id === lastAttemptTipId);
  const last = Math.max(attempt, path.findLastIndex((line) => line.type === 'compaction'));
  if (last === -1) return true;
  const whole = sumTokens(path, visibleFrom(path), path.length, count);
  return sumTokens(path, last + 1, path.length, count) >= whole * NEW_CONTENT_SHARE_MIN;
}

/** Place of the first line that stays. */
function chooseCut(request: CompactionRequest, start: number): number {
  const { path, windowTokens, settings, trigger, count } = request;
  const isHard = trigger === 'manual' && settings.keepRecentTokens === undefined;
  const most = Math.floor(windowTokens * settings.maxHistoryShare);
  const places = safePlaces(path);
  const pending = pendingFrom(path);
  const place = (wanted: number): number => {
    const before = safeBefore(places, Math.min(wanted, pending));
    // A call whose results are too large to stay goes with all of them, unless it is not finished.
    if (sumTokens(path, before, path.length, count) <= most) return before;
    const after = safeAfter(places, wanted);
    return after <= pending ? after : safeBefore(places, pending);
  };
  const keep = Math.min(settings.keepRecentTokens ?? (isHard ? 0 : KEEP_RECENT_TOKENS), most);
  const turns = isHard ? path.length : recentTurnsFrom(path, settings.recentTurnsPreserve);
  const tail = tailFrom(path, keep, count);
  let cut = place(turns < tail && sumTokens(path, turns, path.length, count) <= most ? turns : tail);
  // Progress: where all of it fits into the tail, the tail shrinks until something is left before it.
  for (let less = keep; cut <= start && trigger !== 'manual'; less = Math.floor(less / 2)) {
    cut = place(tailFrom(path, less, count));
    if (less === 0) break;
  }
  return Math.max(cut, start);
}

/** Place from which the lines fit into `tokens`. */
function tailFrom(path: readonly TranscriptLine[], tokens: number, count: TokenCounter): number {
  let sum = 0;
  let place = path.length;
  while (place > 0) {
    const line = path[place - 1];
    sum += line === undefined ? 0 : count(line);
    if (sum > tokens) break;
    place -= 1;
  }
  return tokens === 0 ? path.length : place;
}

/** Place of the user message that begins the newest `turns` turns. */
function recentTurnsFrom(path: readonly TranscriptLine[], turns: number): number {
  let place = path.length;
  for (let left = turns, at = path.length - 1; left > 0 && at >= 0; at -= 1) {
    if (path[at]?.role !== 'user') continue;
    place = at;
    left -= 1;
  }
  return place;
}

export function sumTokens(path: readonly TranscriptLine[], from: number, to: number, count: TokenCounter): number {
  return path.slice(from, to).reduce((sum, line) => sum + count(line), 0);
}

/**
 * Cuts a range into requests of at most `budgetTokens`. A call stays with its results where both fit;
 * a line that is larger than the budget is a chunk of its own. Together they are the whole range.
 */
export function chunksOf(path: readonly TranscriptLine[], from: number, to: number, budgetTokens: number, count: TokenCounter): readonly SummaryChunk[] {
  const chunks: SummaryChunk[] = [];
  const places = safePlaces(path);
  for (let at = from; at < to; ) {
    let end = at;
    let tokens = 0;
    while (end < to) {
      const more = count(path[end] as TranscriptLine);
      if (end > at && tokens + more > budgetTokens) break;
      tokens += more;
      end += 1;
    }
    const whole = end < to ? safeBefore(places, end) : end;
    if (whole > at && whole < end) {
      end = whole;
      tokens = sumTokens(path, at, end, count);
    }
    chunks.push({ from: at, to: end, tokens, isOversized: tokens > budgetTokens });
    at = end;
  }
  return chunks;
}

export interface TurnDrop {
  /** Place of the first line that the request keeps. */
  readonly from: number;
  readonly droppedLinesCount: number;
  readonly keptTokens: number;
  /** The kept part fits: false when its newest block alone is too large. */
  readonly fits: boolean;
}

/**
 * The deterministic cut while no model summarises: whole oldest turns leave the request, in memory
 * only. Where one turn alone does not fit, it is cut between tool blocks; the newest block stays.
 */
export function planTurnDrop(path: readonly TranscriptLine[], budgetTokens: number, count: TokenCounter): TurnDrop {
  const start = visibleFrom(path);
  const safe = safePlaces(path);
  /** Tokens from each place to the end. */
  const rest = new Array<number>(path.length + 1).fill(0);
  for (let at = path.length - 1; at >= 0; at -= 1) rest[at] = (rest[at + 1] ?? 0) + count(path[at] as TranscriptLine);
  const blocks = path.flatMap((line, at) => (at >= start && safe[at] === true && count(line) > 0 ? [at] : []));
  const isTurn = (place: number): boolean => path[place]?.role === 'user';
  const fits = (place: number): boolean => (rest[place] ?? 0) <= budgetTokens;
  const from = [start, ...blocks.filter(isTurn), ...blocks].find(fits) ?? blocks.at(-1) ?? start;
  return { from, droppedLinesCount: from - start, keptTokens: rest[from] ?? 0, fits: fits(from) };
}
