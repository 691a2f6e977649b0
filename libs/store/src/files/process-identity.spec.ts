import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { isProcessAlive, startTicksOf } from './process-identity';

describe('process identity', () => {
  it('knows this process by its start time', () => {
    const ticks = startTicksOf(process.pid);
    expect(ticks).toBeGreaterThan(0);
    expect(isProcessAlive(process.pid, ticks)).toBe(true);
    expect(isProcessAlive(process.pid)).toBe(true);
    expect(isProcessAlive(process.pid, null)).toBe(true);
  });

  it('takes another start time for a recycled pid', () => {
    expect(isProcessAlive(process.pid, (startTicksOf(process.pid) ?? 0) + 1)).toBe(false);
  });

  it('knows a child until it ends, whatever its name', async () => {
    const child = spawn(process.execPath, ['-e', 'process.title = "a) S 1 (b"; process.stdin.resume(); console.log("up")']);
    await once(child.stdout, 'data');
    const pid = child.pid ?? 0;
    const ticks = startTicksOf(pid);
    expect(ticks).toBeGreaterThanOrEqual(startTicksOf(process.pid) ?? Infinity);
    expect(isProcessAlive(pid, ticks)).toBe(true);
    child.stdin.end();
    await once(child, 'exit');
    expect(isProcessAlive(pid, ticks)).toBe(false);
    expect(startTicksOf(pid)).toBeUndefined();
  });

  it.each([0, -1, 1.5, Number.NaN, 2 ** 53])('takes %d for no process', (pid) => {
    expect(isProcessAlive(pid)).toBe(false);
    expect(startTicksOf(pid)).toBeUndefined();
  });

  it('knows a process of another user', () => {
    expect(isProcessAlive(1)).toBe(true);
  });
});
