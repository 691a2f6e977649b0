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

/** A report as it is read here. */
export interface BusReportFacts {
  /** A stable word of a small set. */
  readonly kind: string;
  /** A sentence of the transport's in lower case; holds no content of a message and no credentials. */
  readonly message: string;
  readonly [fact: string]: string | number | boolean;
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
const GOOD_NEWS: ReadonlySet<string> = new Set(['connected', 'reconnected', 'servers-changed', 'provisioned', 'closed']);

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
    note({ kind, message, count }) {
      total.inc({ kind });
      const fields = { reason: kind, ...(typeof count === 'number' && { count }) };
      if (GOOD_NEWS.has(kind)) logger.info(`bus: ${message}`, fields);
      else logger.warn(`bus: ${message}`, fields);
      look();
    },
    look,
  };
}
