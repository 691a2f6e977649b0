/**
 * What becomes of a bus transport's reports: each is a log line and a count, and the part `bus` of
 * the health says whether the process is connected.
 *
 * A moment without connection is degraded, not down: clients reconnect within a second and calls
 * are retried. Only a longer one takes the process out of rotation.
 */
import type { Clock, Timer } from './clock';
import type { Health } from './health';
import type { Logger } from './logger';
import type { Metrics } from './metrics';

/** Longest time without connection that still counts as a hiccup. */
export const BUS_DOWN_AFTER_MS = 5_000;

/** The members of a report that are read here. */
export interface BusReportFacts {
  /** A stable word of a small set. */
  readonly kind: string;
  readonly error?: unknown;
  readonly count?: number;
}

export interface BusReports {
  readonly note: (report: BusReportFacts) => void;
  /** Looks at the connection now. */
  readonly look: () => void;
}

export interface BusReportsDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly health: Health;
  /** Undefined while the first connection is being made. */
  readonly isConnected: () => boolean | undefined;
}

/** Kinds that an operator need not look at. */
const GOOD_NEWS = /^(connect|reconnect|update)(ed)?$/;

export function createBusReports({ clock, logger, metrics, health, isConnected }: BusReportsDeps): BusReports {
  const total = metrics.counter('sessions_bus_reports_total', 'What the bus transport reported, by kind', ['kind']);
  const connected = metrics.gauge('sessions_bus_connected', '1 while the process is connected to the bus');
  let lostAtMs: number | undefined;
  let again: Timer | undefined;
  const look = (): void => {
    const now = isConnected();
    if (now === undefined) return;
    connected.set(now ? 1 : 0);
    if (now) {
      lostAtMs = undefined;
      health.setPart('bus', 'ok');
      return;
    }
    lostAtMs ??= clock.monotonicMs();
    health.setPart('bus', clock.monotonicMs() - lostAtMs < BUS_DOWN_AFTER_MS ? 'degraded' : 'down', 'disconnected');
    again?.cancel();
    again = clock.setTimer(BUS_DOWN_AFTER_MS, look, { keepsAlive: false });
  };
  return {
    note({ kind, error, count }) {
      total.inc({ kind });
      const fields = { reason: kind, ...(count !== undefined && { count }), ...(error !== undefined && { err: error }) };
      if (GOOD_NEWS.test(kind)) logger.info('the bus reported a change', fields);
      else logger.warn('the bus reported a problem', fields);
      look();
    },
    look,
  };
}
