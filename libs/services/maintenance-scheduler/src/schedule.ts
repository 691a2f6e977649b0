/**
 * The tick of the schedules: at each full minute, while this copy leads. One tick at a time; one
 * that is still running when the next is due makes that one fall out, so ticks never pile up. A
 * missed tick loses nothing: what is due is decided from the time it is asked.
 */
import type { Clock, Logger, Metrics, Timer } from '@sessions/host';

export const TICK_MS = 60_000;

const MS_PER_SECOND = 1000;

export interface ScheduleDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly isLeader: () => boolean;
  /** What is due at this instant is begun. The signal aborts when the leadership is lost or the service stops. */
  readonly onTick: (nowMs: number, signal: AbortSignal) => Promise<void>;
}

export interface Schedule {
  start(): void;
  /** No tick begins after this; the one under way is told by its signal. */
  interrupt(reason: string): void;
  /** Resolves when no tick is under way. */
  settled(): Promise<void>;
  stop(): void;
}

export function createSchedule({ clock, logger, metrics, isLeader, onTick }: ScheduleDeps): Schedule {
  const ticks = metrics.counter('sessions_maintenance_ticks_total', 'Ticks of the maintenance schedule on the leading copy, by outcome', ['outcome']);
  const last = metrics.gauge('sessions_maintenance_last_tick_timestamp_seconds', 'When the last tick of this copy began');
  let timer: Timer | undefined;
  let running: { readonly done: Promise<void>; readonly abort: AbortController } | undefined;

  const tick = async (abort: AbortController): Promise<void> => {
    const nowMs = clock.nowMs();
    last.set(nowMs / MS_PER_SECOND);
    try {
      await onTick(nowMs, abort.signal);
      ticks.inc({ outcome: 'ok' });
    } catch (err) {
      const outcome = abort.signal.aborted ? 'interrupted' : 'failed';
      ticks.inc({ outcome });
      if (outcome === 'failed') logger.error('a tick of the maintenance schedule failed', { err });
    } finally {
      running = undefined;
    }
  };

  const due = (): void => {
    next();
    if (!isLeader()) return;
    if (running !== undefined) {
      ticks.inc({ outcome: 'skipped' });
      logger.warn('a tick of the maintenance schedule fell out: the one before is not finished');
      return;
    }
    const abort = new AbortController();
    // Deferred by a turn, so that a tick that ends at once finds itself entered.
    running = { abort, done: Promise.resolve().then(() => tick(abort)) };
  };

  const next = (): void => {
    timer = clock.setTimer(TICK_MS - (clock.nowMs() % TICK_MS), due, { keepsAlive: false });
  };

  return {
    start: next,
    interrupt: (reason) => running?.abort.abort(new Error(reason)),
    settled: async () => running?.done,
    stop() {
      timer?.cancel();
      running?.abort.abort(new Error('the service stops'));
    },
  };
}
