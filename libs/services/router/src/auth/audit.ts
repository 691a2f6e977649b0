/**
 * Refusals of the doors, in the log and in numbers: which door, what was asked for, why not, from
 * where. Never what was presented. A flood of refusals makes a bounded number of lines; the next line
 * after it says how many were left out.
 */
import type { Clock, Logger, Metrics } from '@sessions/host';

export type Door = 'websocket' | 'http' | 'grpc';

export const LINES_PER_SECOND_MAX = 10;
const SECOND_MS = 1000;

export interface Refusal {
  readonly door: Door;
  /** A name of the contracts, or `other`. */
  readonly operation: string;
  readonly reason: string;
  readonly address: string;
}

export type Audit = (refusal: Refusal) => void;

export interface AuditDeps {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

export function createAudit({ clock, logger, metrics }: AuditDeps): Audit {
  const refusals = metrics.counter('sessions_refusals_total', 'Requests refused for who asked', ['door', 'reason']);
  let endsAtMs = -Infinity;
  let lines = 0;
  let leftOut = 0;
  return ({ door, operation, reason, address }) => {
    refusals.inc({ door, reason });
    const nowMs = clock.monotonicMs();
    if (nowMs >= endsAtMs) {
      endsAtMs = nowMs + SECOND_MS;
      lines = 0;
    }
    if (lines >= LINES_PER_SECOND_MAX) return void (leftOut += 1);
    lines += 1;
    logger.warn('access was refused', { door, operation, reason, address, ...(leftOut > 0 && { count: leftOut }) });
    leftOut = 0;
  };
}
