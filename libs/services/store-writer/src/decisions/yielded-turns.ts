/**
 * Turns of a session that have ended to wait for sub-agents (`sessions_yield`), as its entry holds them.
 * The answer to the message whose turn yielded is the one that the session gives when a result has come:
 * it goes where that message came from, and to nowhere else (tools §7, decision 20). Pure.
 */
import { ReplyRoute, type RunRequest } from '@sessions/contracts';
import { YIELDED_MEMBER, YIELDING_MEMBER, awaitedResultPrompt, isJsonObject, isSilentText, type JsonObject, type JsonValue } from '@sessions/domain';
import { isKnown, type OpenRun } from './open-run';
import type { RunEnding } from './run-end';

/** Messages that a session owes an answer in this way; the oldest go first. */
const YIELDED_MAX = 20;
/** A result that comes later than this after the yield is answered nowhere. Milliseconds. */
export const YIELD_MS_MAX = 24 * 60 * 60_000;

interface YieldedTurn {
  readonly runId: string;
  readonly atMs: number;
  /** A session that was begun anew waits for nothing. */
  readonly sessionId: string;
  readonly route: ReplyRoute;
  readonly inReplyTo: OpenRun['inReplyTo'];
  readonly senderId: OpenRun['senderId'];
  /** What its message set going: results of the same are for it. */
  readonly traceId: string;
}

export interface MemberChange {
  readonly set: Record<string, JsonValue>;
  readonly clear: readonly string[];
}

/** The run as it begins: the result of a sub-agent that its session waits for is answered where the wait began. */
export function awaited(run: OpenRun, members: JsonObject, sessionId: string, nowMs: number): OpenRun {
  if (!isResult(run) || run.request.deliver) return run;
  const waiting = yieldedOf(members).filter((one) => one.sessionId === sessionId && nowMs - one.atMs < YIELD_MS_MAX && isWaitOf(one, run));
  const turn = waiting.findLast(({ traceId }) => traceId === traceOf(run)) ?? waiting.at(-1);
  if (turn === undefined) return run;
  const request: RunRequest = { ...run.request, deliver: true, replyRoute: turn.route, extraSystemPrompt: awaitedResultPrompt(run.request.extraSystemPrompt ?? '') };
  return { ...run, request, ...(turn.inReplyTo === undefined ? {} : { inReplyTo: turn.inReplyTo }), ...(turn.senderId === undefined ? {} : { senderId: turn.senderId }) };
}

/** What the end of a run changes of it: a turn that yielded is waited for, one that answered ends the wait. */
export function yieldsAfter(run: OpenRun, { outcome, text = '' }: RunEnding, members: JsonObject, sessionId: string, nowMs: number): MemberChange {
  const isYielding = members[YIELDING_MEMBER] === run.runId;
  const before = yieldedOf(members);
  const { deliver, replyRoute } = run.request;
  const isAnswered = outcome === 'ok' && isResult(run) && deliver && text.trim() !== '' && !isSilentText(text);
  const waits = isYielding && outcome === 'ok' && deliver && replyRoute !== undefined;
  const others = waits || isAnswered ? before.filter((one) => !isWaitOf(one, run)) : before;
  const next = waits ? [...others, { runId: run.runId, atMs: nowMs, sessionId, route: replyRoute, inReplyTo: run.inReplyTo, senderId: run.senderId, traceId: traceOf(run) }] : others;
  const isGone = next.length === 0 && members[YIELDED_MEMBER] !== undefined;
  return {
    set: waits || (isAnswered && next.length > 0) ? { [YIELDED_MEMBER]: next.slice(-YIELDED_MAX).map(written) } : {},
    clear: [...(isYielding ? [YIELDING_MEMBER] : []), ...(isGone ? [YIELDED_MEMBER] : [])],
  };
}

const isResult = ({ request, interSession }: OpenRun): boolean => request.source === 'announce' && interSession?.sourceTool === 'sessions_spawn';

/** The message of a person that it goes back to, by the run of that message. */
const traceOf = ({ runId, interSession }: Pick<OpenRun, 'runId' | 'interSession'>): string => interSession?.traceId ?? runId;

/**
 * Results of what another person's message set going are none of this one's: not at another place, and
 * where several people speak at one, not of another message.
 */
function isWaitOf(turn: YieldedTurn, run: OpenRun): boolean {
  const isAlone = isKnown(turn) && (turn.senderId === undefined || turn.senderId === turn.route.to);
  return isSamePlace(turn.route, run.request.replyRoute) && (isAlone || turn.traceId === traceOf(run));
}

function isSamePlace(a: ReplyRoute, b: ReplyRoute | undefined): boolean {
  return b !== undefined && a.channel === b.channel && a.to === b.to && (a.accountId ?? '') === (b.accountId ?? '') && (a.threadId ?? '') === (b.threadId ?? '');
}

function written({ runId, atMs, sessionId, route, inReplyTo, senderId, traceId }: YieldedTurn): JsonValue {
  return {
    runId,
    at: atMs,
    sessionId,
    route: ReplyRoute.toJSON(route) as JsonValue,
    ...(inReplyTo === undefined ? {} : { inReplyTo: { ...inReplyTo } }),
    ...(senderId === undefined ? {} : { senderId }),
    ...(traceId === runId ? {} : { traceId }),
  };
}

function yieldedOf(members: JsonObject): readonly YieldedTurn[] {
  const value = members[YIELDED_MEMBER];
  if (!Array.isArray(value)) return [];
  return (value as readonly JsonValue[]).flatMap((one) => {
    if (!isJsonObject(one) || typeof one['runId'] !== 'string' || typeof one['at'] !== 'number' || typeof one['sessionId'] !== 'string' || !isJsonObject(one['route'])) return [];
    const inReplyTo = isJsonObject(one['inReplyTo']) ? (one['inReplyTo'] as unknown as OpenRun['inReplyTo']) : undefined;
    const [senderId, traceId] = [one['senderId'], one['traceId']].map((value) => (typeof value === 'string' ? value : undefined));
    return [{ runId: one['runId'], atMs: one['at'], sessionId: one['sessionId'], route: ReplyRoute.fromJSON(one['route']), inReplyTo, senderId, traceId: traceId ?? one['runId'] }];
  });
}
