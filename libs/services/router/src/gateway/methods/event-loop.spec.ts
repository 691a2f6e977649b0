import { eventLoopOf } from './event-loop';

const IDLE = { intervalMs: 60_000, delayP99Ms: 1.5, delayMaxMs: 12, utilization: 0.1, cpuCoreRatio: 0.2 };

it('tells the figures, and what is bad about them', () => {
  expect(eventLoopOf(IDLE)).toEqual({ degraded: false, reasons: [], ...IDLE });
  expect(eventLoopOf({ ...IDLE, delayMaxMs: 1_000 })).toMatchObject({ degraded: true, reasons: ['event_loop_delay'] });
  expect(eventLoopOf({ ...IDLE, utilization: 0.95, cpuCoreRatio: 1.4 })).toMatchObject({ degraded: true, reasons: ['event_loop_utilization', 'cpu'] });
});

it('takes the work of a start for no lasting load, and its stalls for stalls', () => {
  expect(eventLoopOf({ ...IDLE, intervalMs: 900, utilization: 1, cpuCoreRatio: 1.4 })).toMatchObject({ degraded: false, reasons: [] });
  expect(eventLoopOf({ ...IDLE, intervalMs: 900, delayMaxMs: 2_000 })).toMatchObject({ degraded: true });
});
