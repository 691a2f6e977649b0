import { sleep, systemClock, within } from './clock';
import { createManualClock } from './manual-clock';

describe('systemClock', () => {
  it('runs a timer once, never before its time', async () => {
    const beganAtMs = systemClock.monotonicMs();
    await sleep(systemClock, 5);
    expect(systemClock.monotonicMs() - beganAtMs).toBeGreaterThanOrEqual(4);
  });

  it('does not run a timer that was cancelled', async () => {
    let ran = false;
    systemClock.setTimer(1, () => (ran = true)).cancel();
    await sleep(systemClock, 10);
    expect(ran).toBe(false);
  });

  it('does not fire at once for a delay beyond what timers take', async () => {
    let ran = false;
    const timer = systemClock.setTimer(2 ** 40, () => (ran = true));
    await sleep(systemClock, 5);
    timer.cancel();
    expect(ran).toBe(false);
  });
});

describe('within', () => {
  it('answers done for work that ends first, late for work that does not, and throws its error', async () => {
    const clock = createManualClock();
    expect(await within(clock, 10, Promise.resolve())).toBe('done');
    await expect(within(clock, 10, Promise.reject(new Error('x')))).rejects.toThrow('x');
    const late = within(clock, 10, new Promise(() => undefined));
    await clock.advance(10);
    expect(await late).toBe('late');
    expect(clock.pendingCount).toBe(0);
  });
});

describe('createManualClock', () => {
  it('runs due timers in order of their instants, those set meanwhile included', async () => {
    const clock = createManualClock(1000);
    const ran: string[] = [];
    clock.setTimer(20, () => ran.push(`b ${clock.nowMs()}`));
    clock.setTimer(10, () => {
      ran.push(`a ${clock.nowMs()}`);
      clock.setTimer(5, () => ran.push(`c ${clock.nowMs()}`));
    });
    clock.setTimer(31, () => ran.push('too late'));
    await clock.advance(30);
    expect(ran).toEqual(['a 1010', 'c 1015', 'b 1020']);
    expect(clock.nowMs()).toBe(1030);
  });
});
