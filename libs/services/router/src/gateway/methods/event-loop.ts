/** How this process's event loop did lately, and whether that is bad, as `health` and `status` tell it. */
import type { Metrics } from '@sessions/host';

/** From here on clients are told that the gateway is degraded: one stall, or a minute of work. */
const DELAY_MAX_MS = 1_000;
const UTILIZATION_MAX = 0.95;
const CPU_CORES_MAX = 0.9;
/** A start works hard for a moment: load is judged from so long on. */
const LOAD_INTERVAL_MIN_MS = 10_000;

export type LoopReason = 'event_loop_delay' | 'event_loop_utilization' | 'cpu';

export function eventLoopOf(span: ReturnType<Metrics['eventLoop']>): Record<string, unknown> {
  const reasons: LoopReason[] = [];
  if (span.delayMaxMs >= DELAY_MAX_MS) reasons.push('event_loop_delay');
  const isLong = span.intervalMs >= LOAD_INTERVAL_MIN_MS;
  if (isLong && span.utilization >= UTILIZATION_MAX) reasons.push('event_loop_utilization');
  if (isLong && span.cpuCoreRatio >= CPU_CORES_MAX) reasons.push('cpu');
  return { degraded: reasons.length > 0, reasons, ...span };
}
