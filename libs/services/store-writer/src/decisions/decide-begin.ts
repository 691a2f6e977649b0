/**
 * A turn begins: its message stands in the transcript, the entry says that it runs, and so many runs
 * have an attempt as were begun. Also messages steered into a turn that runs. Pure; who holds a claim
 * is the owner's own knowledge and comes in.
 */
import { SessionError, firstRunSeq, isJsonObject, nativeView, type JsonObject, type JsonValue } from '@sessions/domain';
import type { Effect, MutationView } from '@sessions/store';
import type { Announcement } from '../publish-events';
import type { NewSession } from './new-session';
import { activeRun, contentOfWaiting, mayJoin, runMembers, runsOf, type OpenRun } from './open-run';
import { membersAfter, rowOf, type Planned, type StoredAnswer } from './planned';
import { readSession } from './session-of-key';
import type { SpoolView } from './spool-view';
import { writeWaiting } from './waiting-lines';
import { awaited } from './yielded-turns';

export interface BeginRequest {
  readonly agentId: string;
  /** Key that holds the run. */
  readonly key: string;
  readonly runId: string;
  readonly runnerId: string;
  readonly attempt: number;
  readonly session: Pick<NewSession, 'cwd'>;
  /** Results for calls of a dead attempt that nobody answers: lines without ids, and the tip that they follow. */
  readonly closing?: { readonly leafId: string | null; readonly lines: readonly ((parentId: string | null) => { readonly id: string; readonly line: string })[] };
}

export type BeginAnswer = StoredAnswer<
  'BeginTurn',
  { readonly key: string; readonly sessionId: string; readonly tipId: string | null; readonly messageId: string; readonly steered: readonly string[] }
>;

/** The transcript got other lines since the calls without results were looked for. */
export class TipMoved extends Error {}

/** Where an open run is, or why it may not be worked on. @throws RUN_NOT_FOUND */
export function openRunAt(view: Pick<MutationView, 'entry'>, key: string, runId: string): { readonly present: ReturnType<typeof readSession>; readonly runs: readonly OpenRun[]; readonly run: OpenRun } {
  const snapshot = view.entry(key);
  const present = snapshot === undefined ? undefined : readSession(snapshot);
  const runs = present === undefined ? [] : runsOf(present.members);
  const run = runs.find((one) => one.runId === runId && one.state !== 'over');
  if (present === undefined || run === undefined) throw new SessionError('RUN_NOT_FOUND', `no run ${runId.slice(0, 64)} is open`);
  return { present, runs, run };
}

/** @throws STALE_PLAN when another attempt holds the run. */
export function refuseOtherAttempt(run: OpenRun, attempt: number): void {
  if (run.attempt !== attempt) throw new SessionError('STALE_PLAN', 'another attempt holds the run', { facts: { attempt, holds: run.attempt } });
}

/** @throws RUN_NOT_FOUND, STALE_PLAN, RUN_STILL_ACTIVE, DAMAGED; SpoolUnread, TipMoved */
export function decideBegin(request: BeginRequest, view: MutationView, spool: SpoolView): Planned<BeginAnswer> {
  const { agentId, runId, runnerId, attempt, session, closing } = request;
  const { present, runs, run } = openRunAt(view, request.key, runId);
  const { key, sessionId, file, members } = present;
  refuseOtherAttempt(run, attempt);
  if (run.runnerId !== undefined && run.runnerId !== runnerId) throw new SessionError('STALE_PLAN', 'another runner has begun this attempt', { facts: { attempt } });
  const active = activeRun(runs);
  if (active !== run) throw new SessionError('RUN_STILL_ACTIVE', 'another run of the session is active', { facts: { activeRunId: active?.runId ?? null }, retryAfterMs: 1_000 });
  if (sessionId === null || file === null) throw new SessionError('DAMAGED', 'the session has no transcript that could be named');
  const tail = view.transcript(file);
  if (closing !== undefined && closing.leafId !== tail.leafId) throw new TipMoved();
  const nowMs = view.nowMs;
  const group = run.state === 'queued' ? turnGroup(runs, run) : [run];
  const written = writeWaiting(group.filter((one) => one.messageId === undefined), { key, sessionId, file, tail, session, nowMs }, spool);
  const isFirst = run.startedAtMs === undefined;
  const next = runs.map((one): OpenRun => {
    if (!group.includes(one)) return one;
    const { message: _, ...rest } = one;
    const messageId = written.ids.get(one.runId) ?? one.messageId;
    const placed = { ...rest, ...(messageId === undefined ? {} : { messageId }) };
    return one === run ? { ...awaited(placed, members, sessionId, nowMs), state: 'running', runnerId, startedAtMs: one.startedAtMs ?? nowMs } : { ...placed, joins: runId, state: 'running', startedAtMs: nowMs };
  });
  const put = {
    set: {
      ...runMembers(next, members).set,
      ...(isFirst ? { status: 'running', startedAt: nowMs, abortedLastRun: false, systemSent: true } : { status: 'running' }),
      ...(typeof members['messageCount'] === 'number' ? { messageCount: written.exchanges } : {}),
      updatedAt: nowMs,
    } as Record<string, JsonValue>,
    clear: ['endedAt', 'runtimeMs'].filter((name) => name in members),
  };
  const row = rowOf(agentId, key, membersAfter(members, put), written.exchanges);
  const effects: Effect[] = [{ kind: 'putEntry', key, ...put }];
  const closed = closing === undefined ? undefined : closeCalls(closing, file);
  if (closed !== undefined) effects.push(closed);
  else if (written.append !== undefined) effects.push(written.append);
  const messageId = next.find((one) => one.runId === runId)?.messageId ?? '';
  const tipId = closed?.leafId ?? written.leafId;
  // In one order for everybody: told here, and not by the runner, whose words travel by another way.
  const began: Announcement[] = [
    { kind: 'run', key, sessionId, runId, seq: firstRunSeq(attempt), data: { phase: 'start', startedAt: nowMs } },
    ...(isFirst ? [{ kind: 'phase', key, sessionId, phase: 'start', runId, row } as const] : []),
  ];
  return {
    decision: { effects, result: { method: 'BeginTurn', key, sessionId, tipId, messageId, steered: [] } },
    announcements: [...began, ...written.announcements(row)],
  };
}

function closeCalls({ leafId, lines }: NonNullable<BeginRequest['closing']>, file: string): Extract<Effect, { kind: 'append' }> | undefined {
  if (lines.length === 0) return undefined;
  const made: string[] = [];
  let parentId = leafId;
  for (const line of lines) {
    const { id, line: text } = line(parentId);
    made.push(text);
    parentId = id;
  }
  return { kind: 'append', file, lines: made, messages: made.length, exchanges: 0, leafId: parentId };
}

/** The runs whose messages one turn answers: those that were made to join it, and in `collect` those behind it. */
function turnGroup(runs: readonly OpenRun[], run: OpenRun): readonly OpenRun[] {
  const at = runs.indexOf(run);
  const before = runs.slice(0, at).filter((one) => one.state === 'queued' && joinsIn(runs, one) === run.runId);
  const behind: OpenRun[] = [];
  for (const one of runs.slice(at + 1)) {
    if (one.state !== 'queued' || one.joins !== undefined || one.mode !== 'collect' || !mayJoin(one, run)) break;
    behind.push(one);
  }
  return [...before, run, ...behind];
}

/** Where a run that joins another one ends up, as that may have joined a later one since. */
function joinsIn(runs: readonly OpenRun[], run: OpenRun): string | undefined {
  let at = run;
  for (let step = 0; step < runs.length && at.joins !== undefined; step += 1) {
    const next = runs.find(({ runId }) => runId === at.joins);
    if (next === undefined) return undefined;
    at = next;
  }
  return at.runId;
}

/** Text that one heartbeat hands over; more waits for the next. Bytes as JSON, which the stored answer holds it as: a control character counts six. */
const STEERED_BYTES_MAX = 8 * 1024;

/**
 * Messages that wait behind a running turn in mode `steer`, in order, into its transcript.
 * @returns undefined when there are none. @throws RUN_NOT_FOUND, STALE_PLAN; SpoolUnread
 */
export function decideSteer(request: BeginRequest, view: MutationView, spool: SpoolView): Planned<BeginAnswer> | undefined {
  const { agentId, runId, attempt, session } = request;
  const { present, runs, run } = openRunAt(view, request.key, runId);
  const { key, sessionId, file, members } = present;
  refuseOtherAttempt(run, attempt);
  if (sessionId === null || file === null || run.state !== 'running' || run.cancel !== undefined) return undefined;
  const steered: OpenRun[] = [];
  const texts: string[] = [];
  let bytes = 0;
  for (const one of runs.slice(runs.indexOf(run) + 1)) {
    // One that was to join a later one is before it here too.
    if (one.state !== 'queued') continue;
    const content = one.message === undefined ? undefined : contentOfWaiting(one.message, spool);
    bytes += typeof content === 'string' ? Buffer.byteLength(JSON.stringify(content)) : Number.POSITIVE_INFINITY;
    if (one.mode !== 'steer' || typeof content !== 'string' || bytes > STEERED_BYTES_MAX || !mayJoin(one, run)) break;
    steered.push(one);
    texts.push(content);
  }
  if (steered.length === 0) return undefined;
  const tail = view.transcript(file);
  const written = writeWaiting(steered, { key, sessionId, file, tail, session, nowMs: view.nowMs }, spool);
  const next = runs.map((one): OpenRun => {
    if (!steered.includes(one)) return one;
    const { message: _, ...rest } = one;
    return { ...rest, state: 'running', joins: runId, startedAtMs: view.nowMs, messageId: written.ids.get(one.runId) ?? '' };
  });
  const put = { set: { ...runMembers(next, members).set, ...(typeof members['messageCount'] === 'number' ? { messageCount: written.exchanges } : {}), updatedAt: view.nowMs } };
  const row = rowOf(agentId, key, membersAfter(members, put), written.exchanges);
  return {
    decision: {
      effects: [{ kind: 'putEntry', key, ...put }, ...(written.append === undefined ? [] : [written.append])],
      result: { method: 'BeginTurn', key, sessionId, tipId: written.leafId, messageId: run.messageId ?? '', steered: texts },
    },
    announcements: written.announcements(row),
  };
}

/** Native members of an entry, for settings. */
export function nativeOf(text: string): JsonObject {
  const value: unknown = JSON.parse(text);
  return isJsonObject(value as JsonValue) ? nativeView(value as JsonObject) : {};
}
