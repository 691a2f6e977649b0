import type { Host } from './host';
import { createManualClock } from './manual-clock';
import { REPEATED_SIGNAL_MS, runUntilSignal } from './run-until-signal';
import { EventEmitter } from 'node:events';

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function life(host: Partial<Host>): { signals: EventEmitter; clock: ReturnType<typeof createManualClock>; started: () => number; code: Promise<number> } {
  const signals = new EventEmitter();
  const clock = createManualClock();
  let startedCount = 0;
  const full: Host = { start: () => Promise.resolve(), shutdown: () => Promise.resolve(true), ...host };
  const code = runUntilSignal({ host: full, signals, clock, onStarted: () => void (startedCount += 1) });
  return { signals, clock, started: () => startedCount, code };
}

describe('runUntilSignal', () => {
  it.each(['SIGINT', 'SIGTERM'])('drains and ends with 0 on %s', async (signal) => {
    const { signals, code, started } = life({});
    await settle();
    expect(started()).toBe(1);
    signals.emit(signal);
    expect(await code).toBe(0);
    expect(signals.listenerCount(signal)).toBe(0);
  });

  it('ends with 1 when something did not finish', async () => {
    const { signals, code } = life({ shutdown: () => Promise.resolve(false) });
    await settle();
    signals.emit('SIGTERM');
    expect(await code).toBe(1);
  });

  it('takes a repeat within moments for the same signal, and a later one for impatience', async () => {
    let ended = false;
    const { signals, clock, code } = life({ shutdown: () => new Promise(() => undefined) });
    void code.then(() => (ended = true));
    await settle();
    signals.emit('SIGINT');
    signals.emit('SIGINT');
    await settle();
    expect(ended).toBe(false);
    await clock.advance(REPEATED_SIGNAL_MS);
    signals.emit('SIGINT');
    expect(await code).toBe(130);
  });

  it('ends without saying that it started when the signal comes first', async () => {
    const { signals, code, started } = life({ start: () => new Promise(() => undefined) });
    signals.emit('SIGTERM');
    expect(await code).toBe(0);
    expect(started()).toBe(0);
  });

  it('throws what keeps a service from starting', async () => {
    await expect(life({ start: () => Promise.reject(new Error('port in use')) }).code).rejects.toThrow('port in use');
  });
});
