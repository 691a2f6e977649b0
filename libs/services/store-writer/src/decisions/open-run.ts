/**
 * The runs that a session has accepted and that have not ended, as its entry holds them, in order. The
 * first one that is not over is active: its message is in the transcript and a runner works on it, or
 * may begin to. Messages of those behind it wait in the entry (large ones in a file of their own,
 * `spool.ts`) until their turn begins or they are steered into the running one.
 */
import { InterSession, ResolvedRoute, RunRequest } from '@sessions/contracts';
import { RUNS_MEMBER, isJsonObject, type JsonObject, type JsonValue, type MessageContent } from '@sessions/domain';
import type { SpoolView } from './spool-view';

/** Runs of one key; one more is refused (`OVERLOADED`). */
export const OPEN_RUNS_MAX = 100;
/** A run is given to a runner this often, and no more. */
export const ATTEMPTS_MAX = 3;

export type QueueMode = 'steer' | 'followup' | 'collect' | 'interrupt';

/** A message that is not in the transcript yet. */
export interface WaitingMessage {
  /** Id that its line will have. */
  readonly recordId: string;
  /** Name of the file that holds the content; undefined: `content` does. */
  readonly spool?: string;
  readonly content?: MessageContent;
  readonly idempotencyKey?: string;
  readonly provenance?: JsonValue;
}

export interface OpenRun {
  readonly runId: string;
  /**
   * `queued`: nobody has begun it. `running`: a runner has. `over`: it has ended, and only its message
   * is still to be written, behind the lines of the run that is active.
   */
  readonly state: 'queued' | 'running' | 'over';
  readonly acceptedAtMs: number;
  /** Transcript that it was accepted for. */
  readonly sessionId: string;
  /** Number of the attempt that may begin, or that has begun; from 1. */
  readonly attempt: number;
  readonly request: RunRequest;
  readonly mode: QueueMode;
  readonly route?: ResolvedRoute;
  readonly interSession?: InterSession;
  readonly inReplyTo?: { readonly channel: string; readonly accountId?: string; readonly messageId: string };
  /** Who wrote its message, as the channel names him; undefined: the channel or client did not say. */
  readonly senderId?: string;
  /** Line of its message; undefined: it waits. */
  readonly messageId?: string;
  readonly message?: WaitingMessage;
  /** It begins when the session has been quiet for so long, milliseconds; absent: as soon as it is active. */
  readonly quietMs?: number;
  /** Since when nothing but that keeps it from beginning. */
  readonly freeAtMs?: number;
  readonly startedAtMs?: number;
  readonly runnerId?: string;
  /** US dollars of what its models have answered so far; absent: nothing that has a known price, or nothing limits the cost. */
  readonly spentUsd?: number;
  /** It shall stop. */
  readonly cancel?: { readonly reason: string; readonly atMs: number };
  /** Its message belongs to the turn of this run, and it ends with it; `next`: to the next turn that begins. */
  readonly joins?: string;
  /** The run that steered it away and tells the same parent its own result instead: a parent gets one for each task. */
  readonly toldBy?: string;
  /** Left out of the model's view: the queue was full. */
  readonly isSide?: boolean;
}

/** Runs of an entry; what cannot be read is left out. */
export function runsOf(members: JsonObject): readonly OpenRun[] {
  const value = members[RUNS_MEMBER];
  return Array.isArray(value) ? led((value as readonly JsonValue[]).flatMap((one) => readRun(one))) : [];
}

/** One that waits to join a run that is gone has a turn of its own again: nobody else would answer it. */
function led(runs: readonly OpenRun[]): readonly OpenRun[] {
  const live = new Set(runs.filter(({ state }) => state !== 'over').map(({ runId }) => runId));
  return runs.map((run): OpenRun => {
    if (run.state !== 'queued' || run.joins === undefined || live.has(run.joins)) return run;
    const { joins: _, ...own } = run;
    return own;
  });
}

/** Those that have not ended. */
export function liveRuns(members: JsonObject): readonly OpenRun[] {
  return runsOf(members).filter(({ state }) => state !== 'over');
}

/** The run that a runner works on, or may begin. */
export function activeRun(runs: readonly OpenRun[]): OpenRun | undefined {
  return runs.find((run) => run.state !== 'over' && run.joins === undefined);
}

function readRun(value: JsonValue): OpenRun[] {
  if (!isJsonObject(value) || !isJsonObject(value['request'])) return [];
  const { state, acceptedAt, startedAt, request, route, interSession, cancel, ...rest } = value;
  const known = state === 'running' || state === 'over' ? state : 'queued';
  const run = RunRequest.fromJSON(request);
  if (run.runId === '' || typeof acceptedAt !== 'number') return [];
  const cancelled = isJsonObject(cancel) && typeof cancel['reason'] === 'string' && typeof cancel['at'] === 'number' ? { reason: cancel['reason'], atMs: cancel['at'] } : undefined;
  return [
    {
      ...(rest as unknown as Omit<OpenRun, 'runId' | 'state' | 'acceptedAtMs' | 'request'>),
      runId: run.runId,
      state: known,
      acceptedAtMs: acceptedAt,
      request: run,
      ...(typeof startedAt === 'number' ? { startedAtMs: startedAt } : {}),
      ...(isJsonObject(route) ? { route: ResolvedRoute.fromJSON(route) } : {}),
      ...(isJsonObject(interSession) ? { interSession: InterSession.fromJSON(interSession) } : {}),
      ...(cancelled === undefined ? {} : { cancel: cancelled }),
    },
  ];
}

/** The members that hold these runs: to be set, or to be cleared when there are none. */
export function runMembers(runs: readonly OpenRun[], before: JsonObject): { readonly set: Record<string, JsonValue>; readonly clear: readonly string[] } {
  if (runs.length > 0) return { set: { [RUNS_MEMBER]: runs.map(writeRun) }, clear: [] };
  return { set: {}, clear: before[RUNS_MEMBER] === undefined ? [] : [RUNS_MEMBER] };
}

function writeRun({ runId: _, acceptedAtMs, startedAtMs, request, route, interSession, cancel, ...rest }: OpenRun): JsonValue {
  return {
    ...(rest as unknown as JsonObject),
    acceptedAt: acceptedAtMs,
    ...(startedAtMs === undefined ? {} : { startedAt: startedAtMs }),
    request: RunRequest.toJSON(request) as JsonValue,
    ...(route === undefined ? {} : { route: ResolvedRoute.toJSON(route) as JsonValue }),
    ...(interSession === undefined ? {} : { interSession: InterSession.toJSON(interSession) as JsonValue }),
    ...(cancel === undefined ? {} : { cancel: { reason: cancel.reason, at: cancel.atMs } }),
  };
}

/** Content of a message that waits. */
export function contentOfWaiting({ spool, content }: WaitingMessage, view: SpoolView): MessageContent {
  if (spool === undefined) return content ?? '';
  const text = view.read(spool);
  return text === undefined ? LOST_CONTENT : (JSON.parse(text) as MessageContent);
}

/** Stands for a message whose file somebody removed. */
const LOST_CONTENT = '[The text of this message could not be read back: its file is missing.]';

/** Content as it waits: in the entry where it is short. */
export function waitingContent(key: string, content: MessageContent, view: SpoolView): Pick<WaitingMessage, 'spool' | 'content'> {
  const spool = view.keep(key, JSON.stringify(content));
  return spool === undefined ? { content } : { spool };
}

/** Nobody waits for the end of this run in particular. */
export function isPlain({ request, interSession }: Pick<OpenRun, 'request' | 'interSession'>): boolean {
  return request.followUp === undefined && interSession === undefined;
}

/**
 * Whether a message may belong to the turn of another one: only where the same person wrote it and the
 * answer goes to the same place, so that nobody is given the answer to somebody else's message (in a
 * group all are answered at one place), and where nobody waits for this run's end in particular.
 */
export function mayJoin(run: OpenRun, other: OpenRun): boolean {
  if (!isPlain(run) || !isPlain(other) || run.request.deliver !== other.request.deliver) return false;
  const place = ({ request: { replyRoute, model, modelProvider } }: OpenRun): string => JSON.stringify([replyRoute?.channel, replyRoute?.to, replyRoute?.accountId, replyRoute?.threadId, model, modelProvider]);
  return isKnown(run) && run.senderId === other.senderId && place(run) === place(other);
}

/** Of two messages of a channel that does not say who wrote them nobody knows that it was one person. Clients write as themselves. */
export function isKnown({ senderId, inReplyTo }: Pick<OpenRun, 'senderId' | 'inReplyTo'>): boolean {
  return senderId !== undefined || inReplyTo === undefined;
}
