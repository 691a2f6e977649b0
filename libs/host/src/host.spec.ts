import { createHost } from './host';
import { createManualClock } from './manual-clock';
import { createRecordingLogger } from './recording-logger';
import type { Service } from './service';

const NEVER = new Promise<void>(() => undefined);

function recorded(names: readonly string[], overrides: Record<string, Partial<Service>> = {}): { log: string[]; services: Service[] } {
  const log: string[] = [];
  const step = (name: string, what: string) => async (): Promise<void> => void log.push(`${what} ${name}`);
  const services = names.map((name): Service => ({
    name, start: step(name, 'start'), drain: step(name, 'drain'), stop: step(name, 'stop'), ...overrides[name],
  }));
  return { log, services };
}

describe('createHost', () => {
  it('starts in order, then drains all and stops all in reverse order', async () => {
    const { log, services } = recorded(['store', 'router']);
    const host = createHost({ services, clock: createManualClock(), logger: createRecordingLogger() });
    await host.start();
    expect(await host.shutdown()).toBe(true);
    expect(log).toEqual(['start store', 'start router', 'drain router', 'drain store', 'stop router', 'stop store']);
  });

  it('stops what had started when a later service cannot start, and throws its error', async () => {
    const { log, services } = recorded(['store', 'router'], { router: { start: () => Promise.reject(new Error('port in use')) } });
    const host = createHost({ services, clock: createManualClock(), logger: createRecordingLogger() });
    await expect(host.start()).rejects.toThrow('port in use');
    expect(log).toEqual(['start store', 'drain store', 'stop store']);
  });

  it('shares one shutdown between all who ask', async () => {
    const { log, services } = recorded(['store']);
    const host = createHost({ services, clock: createManualClock(), logger: createRecordingLogger() });
    await host.start();
    await Promise.all([host.shutdown(), host.shutdown()]);
    expect(log.filter((line) => line === 'stop store')).toHaveLength(1);
  });

  it('cuts the drain of all services together off at its limit, and still stops each', async () => {
    const clock = createManualClock();
    const logger = createRecordingLogger();
    const { log, services } = recorded(['store', 'router'], { router: { drain: () => NEVER }, store: { drain: () => NEVER } });
    const host = createHost({ services, clock, logger, drainTimeoutMs: 100 });
    await host.start();
    const ended = host.shutdown();
    await clock.advance(100);
    expect(await ended).toBe(false);
    expect(clock.monotonicMs()).toBe(100);
    expect(log).toEqual(['start store', 'start router', 'stop router', 'stop store']);
    expect(logger.lines.map(({ msg, service }) => [service, msg])).toEqual([
      ['router', 'service did not drain in time'],
      ['store', 'service did not drain in time'],
    ]);
  });

  it('goes on when one service fails to stop, and reports it', async () => {
    const logger = createRecordingLogger();
    const { log, services } = recorded(['store', 'router'], { router: { stop: () => Promise.reject(new Error('no')) } });
    const host = createHost({ services, clock: createManualClock(), logger });
    await host.start();
    expect(await host.shutdown()).toBe(false);
    expect(log).toContain('stop store');
    expect(logger.lines).toMatchObject([{ level: 'error', service: 'router', msg: 'service failed to stop' }]);
  });

  it('stops a service that was still starting when the shutdown came', async () => {
    let started = (): void => undefined;
    const { log, services } = recorded(['store', 'router', 'edge'], {
      router: { start: () => new Promise<void>((resolve) => (started = resolve)) },
    });
    const host = createHost({ services, clock: createManualClock(), logger: createRecordingLogger() });
    const starting = host.start();
    await Promise.resolve();
    await host.shutdown();
    started();
    await starting;
    expect(log).toEqual(['start store', 'drain store', 'stop store', 'stop router']);
  });
});
