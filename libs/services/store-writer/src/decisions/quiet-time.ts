/**
 * The quiet that a message behind another run waits for (`messages.queue.debounceMs`), so that messages
 * sent in quick succession are there together when their turn begins: in `collect` one turn answers them.
 * The first message to an idle session waits for nothing, nor does one that interrupts, nor one that
 * another session sent: it shares no turn. Pure; what it goes by stands in the entry, so a restart in the
 * wait begins where it was.
 */
import { activeRun, isPlain, type OpenRun } from './open-run';
import type { AskedRun } from './decide-deliver';
import type { QueueSettings } from './queue-run';

/** The longest quiet that is waited for; a longer setting counts as this. */
export const DEBOUNCE_MS_MAX = 600_000;
/** Where messages never stop coming, a run waits this many times its quiet since the session was free, and no longer. */
export const QUIETS_MAX = 10;

/** What a message that waits behind other runs asks for. */
export function quietFor(run: Pick<AskedRun, 'request' | 'interSession' | 'interrupts'>, { mode, debounceMs }: Pick<QueueSettings, 'mode' | 'debounceMs'>): Pick<OpenRun, 'quietMs'> {
  return run.interrupts || mode === 'interrupt' || debounceMs <= 0 || !isPlain(run) ? {} : { quietMs: debounceMs };
}

/** Runs after others have ended: the one that is next is free from now. */
export function freeFrom(runs: readonly OpenRun[], nowMs: number): readonly OpenRun[] {
  const next = activeRun(runs);
  if (next === undefined || !waits(next) || next.freeAtMs !== undefined) return runs;
  return runs.map((run) => (run === next ? { ...run, freeAtMs: nowMs } : run));
}

/**
 * When the active run may begin: when every message that waits has had its quiet.
 * @param nowMs times beyond it, of a clock that was set back since, keep nothing waiting.
 * @returns epoch milliseconds; nowMs or earlier: now.
 */
export function dueAtMs(runs: readonly OpenRun[], nowMs: number): number {
  const active = activeRun(runs);
  if (active === undefined || !waits(active)) return nowMs;
  const quietAtMs = runs.filter((run) => waits(run) && run.acceptedAtMs <= nowMs).reduce((latest, { acceptedAtMs, quietMs = 0 }) => Math.max(latest, acceptedAtMs + quietMs), 0);
  const patientUntilMs = active.freeAtMs === undefined ? Number.POSITIVE_INFINITY : active.freeAtMs + QUIETS_MAX * (active.quietMs ?? 0);
  return Math.min(quietAtMs, patientUntilMs);
}

/** Its message is not in the transcript yet, and it asks for quiet. */
function waits({ state, quietMs, messageId }: OpenRun): boolean {
  return state === 'queued' && messageId === undefined && quietMs !== undefined;
}
