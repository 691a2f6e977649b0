import { BUS_DOWN_AFTER_MS, createBusReports } from './bus-reports';
import { createHealth } from './health';
import { createManualClock } from './manual-clock';
import { createMetrics } from './metrics';
import { createRecordingLogger } from './recording-logger';

function reporting() {
  const clock = createManualClock();
  const health = createHealth();
  const metrics = createMetrics({ service: 'test' });
  const logger = createRecordingLogger();
  const state = { connected: true as boolean | undefined };
  const reports = createBusReports({ clock, logger, metrics, health, isConnected: () => state.connected });
  return { clock, health, metrics, logger, state, reports };
}

describe('reports of the bus', () => {
  it('are each a line and a count', async () => {
    const { reports, logger, metrics } = reporting();
    reports.note({ kind: 'slow-consumer', message: 'a reader is slow', count: 3 });
    reports.note({ kind: 'slow-consumer', message: 'a reader is slow' });
    reports.note({ kind: 'reconnected', message: 'back again' });
    expect(logger.lines.map(({ level, reason }) => [level, reason])).toEqual([['warn', 'slow-consumer'], ['warn', 'slow-consumer'], ['info', 'reconnected']]);
    const text = await metrics.text();
    expect(text).toMatch(/sessions_bus_reports_total\{kind="slow-consumer",.*\} 2/u);
    metrics.close();
  });

  it('make the process degraded while it reconnects, and down when that takes long', async () => {
    const { reports, health, state, clock, metrics } = reporting();
    reports.look();
    expect(health.report().parts['bus']).toEqual({ state: 'ok' });
    state.connected = false;
    reports.note({ kind: 'disconnected', message: 'gone' });
    expect(health.report().parts['bus']).toEqual({ state: 'degraded', reason: 'disconnected' });
    await clock.advance(BUS_DOWN_AFTER_MS);
    expect(health.report().parts['bus']?.state).toBe('down');
    expect(clock.pendingCount).toBe(1);
    state.connected = true;
    await clock.advance(BUS_DOWN_AFTER_MS);
    expect(health.report().parts['bus']).toEqual({ state: 'ok' });
    expect(clock.pendingCount).toBe(0);
    metrics.close();
  });

  it('say nothing of a connection that has not been made yet', () => {
    const { reports, health, state, metrics } = reporting();
    state.connected = undefined;
    reports.look();
    expect(health.report().parts).toEqual({});
    metrics.close();
  });
});
