/**
 * Runs that end, by their runner, by a cancellation, or because their last attempt was lost: one
 * mutation for the state of the session, the outcomes that stay to be asked for, the messages that
 * still belong into the transcript and everything that follows. Pure.
 */
import type { FieldChange } from '@sessions/contracts';
import { SessionError, type JsonValue, type SessionConfig } from '@sessions/domain';
import type { Effect, MutationView } from '@sessions/store';
import type { Announcement } from '../publish-events';
import { openRunAt, refuseOtherAttempt } from './decide-begin';
import type { NewSession } from './new-session';
import { deliveriesOf, deliveryMembers } from './open-delivery';
import { ATTEMPTS_MAX, activeRun, runMembers, runsOf, type OpenRun } from './open-run';
import { membersAfter, rowOf, type Planned, type StoredAnswer } from './planned';
import { endRuns, endedMembers, type EndedRun, type RunEnding } from './run-end';
import { freeFrom } from './quiet-time';
import { findSession, readSession, type PresentSession } from './session-of-key';
import type { SpoolView } from './spool-view';
import { writeWaiting } from './waiting-lines';
import { yieldsAfter } from './yielded-turns';

export interface EndOccasion {
  readonly agentId: string;
  readonly config: SessionConfig;
  readonly session: Pick<NewSession, 'cwd'>;
  /** One for all decisions of the request. */
  readonly nowMs: number;
  /** Absolute path of the transcript. */
  readonly pathOf: (file: string) => string;
}

/** Says nothing of the runs: as many as a session has may end in one request, and each has its note. */
export type EndRunAnswer = StoredAnswer<'EndRun', { readonly key: string; readonly nextRunId: string | null }>;

export interface EndPlan extends Planned<EndRunAnswer> {
  readonly ended: readonly EndedRun[];
}

interface Ending {
  readonly run: OpenRun;
  readonly ending: RunEnding;
}

/**
 * @param endings runs of this session that end now. @param others all runs as they are otherwise, those
 *   that end included.
 * @throws SpoolUnread, SpoolUnwritten
 */
function planEnds(present: PresentSession, others: readonly OpenRun[], endings: readonly Ending[], { agentId, config, session, nowMs, pathOf }: EndOccasion, view: MutationView, spool: SpoolView, extra: Record<string, JsonValue> = {}): EndPlan {
  const { key, members, native, file } = present;
  const sessionId = present.sessionId ?? '';
  const ends = new Map(endings.map(({ run, ending }) => [run.runId, ending]));
  const left = others.flatMap((run): OpenRun[] => {
    if (!ends.has(run.runId)) return [run];
    // Its message has still to be written, in its place.
    return run.message === undefined ? [] : [{ ...run, state: 'over' }];
  });
  // Behind a run that is running lines would come between a call and its result: they wait for its end.
  const isRunning = left.some(({ state }) => state === 'running');
  const firstLive = left.findIndex(({ state }) => state !== 'over');
  const dueNow = isRunning || file === null ? [] : left.slice(0, firstLive === -1 ? left.length : firstLive);
  const tail = file === null ? undefined : view.transcript(file);
  const written = file === null || tail === undefined ? undefined : writeWaiting(dueNow, { key, sessionId, file, tail, session, nowMs: view.nowMs }, spool);
  const runs = freeFrom(left.filter((run) => !dueNow.includes(run)), nowMs);
  const closed = endRuns(
    endings.map(({ run, ending }) => ({ run, ending, messageId: written?.ids.get(run.runId) ?? run.messageId ?? run.message?.recordId })),
    { agentId, key, sessionId, native, deliveries: deliveriesOf(members), config, nowMs, transcriptPath: file === null ? undefined : pathOf(file) },
    spool,
  );
  const began = endings.find(({ run }) => run.state === 'running' && run.joins === undefined);
  const openRuns = runMembers(runs, members);
  const outbox = deliveryMembers(closed.deliveries, members);
  const yields = began === undefined ? { set: {}, clear: [] } : yieldsAfter(began.run, began.ending, members, sessionId, nowMs);
  const put = {
    set: {
      ...openRuns.set,
      ...outbox.set,
      ...yields.set,
      ...(began === undefined ? { updatedAt: nowMs } : endedMembers(began.run, began.ending, { native, config, agentId, nowMs })),
      ...(typeof members['messageCount'] === 'number' && written !== undefined ? { messageCount: written.exchanges } : {}),
      ...extra,
    } as Record<string, JsonValue>,
    clear: [...openRuns.clear, ...outbox.clear, ...yields.clear],
  };
  const row = rowOf(agentId, key, membersAfter(members, put), written?.exchanges);
  const effects: Effect[] = [{ kind: 'putEntry', key, ...put }, ...(written?.append === undefined ? [] : [written.append])];
  const phase = began === undefined ? undefined : began.ending.outcome === 'error' ? ('error' as const) : ('end' as const);
  return {
    decision: { effects, result: { method: 'EndRun', key, nextRunId: activeRun(runs)?.runId ?? null }, notes: closed.notes },
    ended: closed.ended,
    announcements: [
      ...(written?.announcements(row) ?? []),
      ...(phase === undefined || began === undefined ? [{ kind: 'changed', key, sessionId, reason: 'patch', row } as const] : [{ kind: 'phase', key, sessionId, phase, runId: began.run.runId, row } as const]),
      ...closed.announcements,
    ],
  };
}

export interface FinishRequest extends EndOccasion {
  readonly key: string;
  readonly runId: string;
  readonly attempt: number;
  readonly ending: RunEnding;
  readonly fields: Readonly<Record<string, JsonValue>>;
}

/** @throws RUN_NOT_FOUND, STALE_PLAN; SpoolUnread, SpoolUnwritten */
export function decideFinish(request: FinishRequest, view: MutationView, spool: SpoolView): EndPlan {
  const { key, runId, attempt, ending, fields } = request;
  const { present, runs, run } = openRunAt(view, key, runId);
  refuseOtherAttempt(run, attempt);
  if (run.state !== 'running') throw new SessionError('STALE_PLAN', 'the run was not begun', { facts: { attempt } });
  return planEnds(present, runs, withJoined(runs, run, ending), request, view, spool, { ...fields });
}

/** The runs whose messages this turn answered end with it. */
function withJoined(runs: readonly OpenRun[], run: OpenRun, ending: RunEnding): Ending[] {
  const { outcome, text, stopReason, errorMessage } = ending;
  const joined = runs.filter((one) => one.joins === run.runId && one.state === 'running');
  return [{ run, ending }, ...joined.map((one) => ({ run: one, ending: { outcome, text, stopReason, errorMessage } }))];
}

export const LOST_TEXT = 'The run was lost: its runner stopped answering.';

export interface ExpiryRequest extends EndOccasion {
  readonly key: string;
  readonly runId: string;
  readonly attempt: number;
}

/**
 * Nobody renewed the claim of an attempt: the next one may begin, or the run ends with a stated outcome
 * after the last, and where it was to stop anyway.
 * @returns undefined when there is nothing to do any more. @throws SpoolUnread, SpoolUnwritten
 */
export function decideExpiry(request: ExpiryRequest, view: MutationView, spool: SpoolView): EndPlan | undefined {
  const { key, runId, attempt } = request;
  const snapshot = view.entry(key);
  if (snapshot === undefined) return undefined;
  const present = readSession(snapshot);
  const runs = runsOf(present.members);
  const run = runs.find((one) => one.runId === runId);
  if (run?.state !== 'running' || run.attempt !== attempt || run.joins !== undefined) return undefined;
  if (run.cancel !== undefined) return planEnds(present, runs, withJoined(runs, run, { outcome: 'aborted', stopReason: run.cancel.reason }), request, view, spool);
  if (attempt >= ATTEMPTS_MAX) return planEnds(present, runs, withJoined(runs, run, { outcome: 'error', errorMessage: LOST_TEXT }), request, view, spool);
  // Without a runner: nobody has begun this attempt.
  const { runnerId: _, ...left } = run;
  const next = runs.map((one): OpenRun => (one === run ? { ...left, attempt: attempt + 1 } : one));
  const { set } = runMembers(next, present.members);
  return { decision: { effects: [{ kind: 'putEntry', key: present.key, set }], result: { method: 'EndRun', key: present.key, nextRunId: runId } }, ended: [], announcements: [] };
}

export interface CancelRequest extends EndOccasion {
  readonly key: string;
  readonly reason: string;
  /** Absent: every run of the key. */
  readonly runId?: string;
  /** False: those that wait stay. */
  readonly queuedToo: boolean;
  /** End a run that is being worked on, too: nobody has answered for it. */
  readonly force?: boolean;
}

export interface CancelPlan extends EndPlan {
  /** The run that is told to stop; undefined: none runs. */
  readonly stopping: OpenRun | undefined;
}

/** @returns undefined when there is nothing to stop. @throws SpoolUnread, SpoolUnwritten */
export function decideCancel(request: CancelRequest, view: MutationView, spool: SpoolView): CancelPlan | undefined {
  const { key, reason, runId, queuedToo, nowMs } = request;
  const present = findSession(view, key);
  if (present === undefined) return undefined;
  const runs = runsOf(present.members);
  const active = activeRun(runs);
  const isMeant = (run: OpenRun): boolean => (runId === undefined ? queuedToo || run === active : run.runId === runId);
  // Stopping a run that has joined a turn stops the turn.
  const asked = runs.find((run) => run.runId === runId);
  const stopping = runs.find((run) => run.state === 'running' && run.joins === undefined && (isMeant(run) || (asked?.state === 'running' && asked.joins === run.runId)));
  const ending: Ending[] = runs.filter((run) => run.state === 'queued' && isMeant(run)).map((run) => ({ run, ending: { outcome: 'cancelled', stopReason: reason } }));
  if (stopping === undefined && ending.length === 0) return undefined;
  const marked = runs.map((run): OpenRun => (run === stopping && run.cancel === undefined ? { ...run, cancel: { reason, atMs: nowMs } } : run));
  const told = ending.map(({ run }): Announcement => ({ kind: 'run', key: present.key, sessionId: present.sessionId ?? '', runId: run.runId, data: { phase: 'end', aborted: true, outcome: 'cancelled', stopReason: reason, endedAt: nowMs } }));
  const planned = planEnds(present, freed(marked, ending), ending, request, view, spool);
  return { ...planned, announcements: [...planned.announcements, ...told], stopping };
}

/** Runs that had joined one that is cancelled have a turn of their own again. */
function freed(runs: readonly OpenRun[], ending: readonly Ending[]): readonly OpenRun[] {
  const gone = new Set(ending.map(({ run }) => run.runId));
  return runs.map((run): OpenRun => {
    if (run.joins === undefined || !gone.has(run.joins)) return run;
    const { joins: _, ...rest } = run;
    return rest;
  });
}

/** Members that a turn may settle itself. */
const SETTLED: ReadonlySet<string> = new Set(['totalTokens', 'totalTokensFresh', 'contextTokens', 'modelProvider', 'model', 'systemSent', 'skillsSnapshot', 'systemPromptReport', 'memoryFlushAt', 'memoryFlushCompactionCount', 'memoryFlushFailureCount', 'memoryFlushLastFailedAt', 'memoryFlushLastFailureError']);

/** @throws VALIDATION */
export function readSettledFields(changes: readonly FieldChange[]): Record<string, JsonValue> {
  const other = changes.find(({ name }) => !SETTLED.has(name));
  if (other !== undefined) throw new SessionError('VALIDATION', `the end of a turn does not settle ${JSON.stringify(other.name.slice(0, 64))}`);
  return Object.fromEntries(
    changes.flatMap(({ name, valueJson }) => {
      if (valueJson === undefined) return [];
      try {
        return [[name, JSON.parse(Buffer.from(valueJson).toString('utf8')) as JsonValue]];
      } catch {
        throw new SessionError('VALIDATION', `the value of ${name} is not valid JSON`);
      }
    }),
  );
}
