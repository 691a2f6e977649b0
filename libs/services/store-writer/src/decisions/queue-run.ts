/**
 * What a message that asks for a turn does to the runs of its session: it begins the only one, waits
 * behind those that are there, or stops the one that runs. Pure.
 *
 * Above the cap of the queue the oldest waiting message joins the next turn (`summarize`), or the
 * oldest (`old`) or newest (`new`) is left out of the model's view; each still reaches the transcript.
 */
import type { RunRequest } from '@sessions/contracts';
import { SessionError, type JsonObject, type SessionConfig } from '@sessions/domain';
import { OPEN_RUNS_MAX, activeRun, mayJoin, type OpenRun, type QueueMode } from './open-run';
import { DEBOUNCE_MS_MAX } from './quiet-time';

export interface QueueSettings {
  readonly mode: QueueMode;
  readonly cap: number;
  readonly drop: 'old' | 'new' | 'summarize';
  /** How long the session is to be quiet before a run that waited begins; 0: it does not wait. */
  readonly debounceMs: number;
}

const MODES: ReadonlySet<unknown> = new Set<QueueMode>(['steer', 'followup', 'collect', 'interrupt']);

/** The run's own, else the session's, else the channel's, else the configured one. */
export function queueSettings(queue: SessionConfig['messages']['queue'], native: JsonObject, asked: Partial<Pick<RunRequest, 'queueMode' | 'queueCap' | 'queueDrop' | 'queueDebounceMs'>>, channel: string | undefined): QueueSettings {
  const { queueMode } = native;
  const queueCap = asked.queueCap ?? native['queueCap'];
  const queueDrop = asked.queueDrop ?? native['queueDrop'];
  const ofChannel = channel === undefined ? undefined : queue.debounceMsByChannel[channel];
  const debounceMs = [asked.queueDebounceMs, native['queueDebounceMs'], ofChannel].find(isDebounce) ?? queue.debounceMs;
  const own = asked.queueMode === 'queue' ? 'followup' : asked.queueMode;
  const chosen = [own, queueMode, channel === undefined ? undefined : queue.byChannel[channel]].find((one) => MODES.has(one));
  return {
    mode: (chosen as QueueMode | undefined) ?? queue.mode,
    cap: typeof queueCap === 'number' && queueCap >= 1 ? queueCap : queue.cap,
    drop: queueDrop === 'old' || queueDrop === 'new' || queueDrop === 'summarize' ? queueDrop : queue.drop,
    debounceMs: Math.min(debounceMs, DEBOUNCE_MS_MAX),
  };
}

function isDebounce(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

/** Why a message that was left out got no answer. */
export const QUEUE_FULL_TEXT = 'The queue of the session was full; the message is kept and no turn answers it.';

export interface Accepted {
  /** All runs now, the new one among them. */
  readonly runs: readonly OpenRun[];
  /** Its message belongs into the transcript at once. */
  readonly beginsNow: boolean;
  /** Place behind the active run, from 1; null: it is the active one, or over. */
  readonly position: number | null;
  readonly interruptedRunId: string | null;
  /** Runs that end with it, all without a runner. */
  readonly cancelled: readonly { readonly run: OpenRun; readonly why: 'interrupted' | 'queue full' }[];
}

/** @param before runs of the entry. @throws OVERLOADED */
export function acceptRun(before: readonly OpenRun[], run: OpenRun, settings: QueueSettings, interrupts: boolean, nowMs: number): Accepted {
  if (before.length >= OPEN_RUNS_MAX) {
    throw new SessionError('OVERLOADED', `the session has ${String(before.length)} messages that wait for a turn, the most it keeps`, { facts: { waiting: before.length, waitingMax: OPEN_RUNS_MAX }, retryAfterMs: 5_000 });
  }
  const active = activeRun(before);
  if (active === undefined) return { runs: [...before, run], beginsNow: true, position: null, interruptedRunId: null, cancelled: [] };
  if (interrupts || settings.mode === 'interrupt') return interrupt(before, active, run, nowMs);
  return withinCap([...before, run], active, settings);
}

/** The new one goes first; a run that nobody has begun ends at once, with those that joined it: a message that is not in the transcript yet is still to be written. */
function interrupt(before: readonly OpenRun[], active: OpenRun, run: OpenRun, nowMs: number): Accepted {
  const at = before.indexOf(active);
  const base = { interruptedRunId: active.runId };
  const told = isToldBy(active, run) ? { toldBy: run.runId } : {};
  if (active.state === 'queued') {
    const ends = before.filter((one) => one === active || (one.state === 'queued' && one.joins === active.runId));
    const left = before.flatMap((one): OpenRun[] => {
      if (!ends.includes(one)) return [one];
      const { joins: _, ...over } = one;
      return one.messageId === undefined && one.message !== undefined ? [{ ...over, state: 'over' }] : [];
    });
    const behind = left.findIndex((one) => before.indexOf(one) > at);
    const runs = behind === -1 ? [...left, run] : [...left.slice(0, behind), run, ...left.slice(behind)];
    return { ...base, runs, beginsNow: true, position: null, cancelled: ends.map((one) => ({ run: one === active ? { ...one, ...told } : one, why: 'interrupted' })) };
  }
  const stopping: OpenRun = { ...active, ...told, cancel: active.cancel ?? { reason: 'steer', atMs: nowMs } };
  return { ...base, runs: [...before.slice(0, at), stopping, run, ...before.slice(at + 1)], beginsNow: false, position: 1, cancelled: [] };
}

/** Both are work of one parent, who steered: what it hears is the end of the second. A result that is being announced stays one. */
function isToldBy(first: OpenRun, second: OpenRun): boolean {
  const [before, after] = [first, second].map(({ request }) => (request.followUp?.kind?.$case === 'spawn' ? request.followUp.kind.value : undefined));
  return before?.step === 'run' && after?.step === 'run' && before.parentKey === after.parentKey;
}

function withinCap(runs: readonly OpenRun[], active: OpenRun, { cap, drop }: QueueSettings): Accepted {
  const run = runs[runs.length - 1] as OpenRun;
  const waits = (one: OpenRun): boolean => one !== active && one.state === 'queued' && one.joins === undefined;
  const waiting = runs.filter(waits);
  const place = (now: readonly OpenRun[]): number | null => {
    const at = now.filter(waits).findIndex(({ runId }) => runId === run.runId);
    return at === -1 ? null : at + 1;
  };
  if (waiting.length <= cap) return { runs, beginsNow: false, position: place(runs), interruptedRunId: null, cancelled: [] };
  const [oldest, next] = waiting as [OpenRun, OpenRun | undefined];
  const replaced = (one: OpenRun, by: OpenRun): readonly OpenRun[] => runs.map((other) => (other === one ? by : other));
  if (drop === 'summarize' && next !== undefined && mayJoin(oldest, next)) {
    const joined = replaced(oldest, { ...oldest, joins: next.runId });
    return { runs: joined, beginsNow: false, position: place(joined), interruptedRunId: null, cancelled: [] };
  }
  const dropped = drop === 'new' ? run : oldest;
  // Still told to the model where it was to be, only without a turn of its own.
  const over: OpenRun = { ...dropped, state: 'over', ...(drop === 'summarize' ? {} : { isSide: true }) };
  const left = replaced(dropped, over);
  return { runs: left, beginsNow: false, position: place(left), interruptedRunId: null, cancelled: [{ run: dropped, why: 'queue full' }] };
}
