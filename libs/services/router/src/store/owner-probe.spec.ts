import { ManualClock } from '@sessions/bus/testing';
import { SessionError } from '@sessions/domain';
import { createOwnerProbe, whileServed } from './owner-probe';

const silent = (): Promise<string> => new Promise(() => undefined);

describe('a call that nobody answers', () => {
  it('ends when its owner is gone, and its handler is told', async () => {
    const clock = new ManualClock();
    let signal: AbortSignal | undefined;
    let served = true;
    const outcome = whileServed({ clock, everyMs: 1_000, isServed: () => Promise.resolve(served) }, (given) => ((signal = given), silent())).catch((error: unknown) => error);
    await clock.advance(3_500);
    expect(signal?.aborted).toBe(false);
    served = false;
    await clock.advance(1_000);
    expect(await outcome).toMatchObject({ reason: 'NO_OWNER' });
    expect(signal?.aborted).toBe(true);
    expect(clock.waiting).toBe(0);
  });

  it('goes on while its owner is slow, and leaves no timer when it is answered', async () => {
    const clock = new ManualClock();
    let answer: (text: string) => void = () => undefined;
    const outcome = whileServed({ clock, everyMs: 1_000, isServed: () => Promise.resolve(true) }, () => new Promise<string>((resolve) => (answer = resolve)));
    await clock.advance(5_500);
    answer('late');
    expect(await outcome).toBe('late');
    await clock.advance(0);
    expect(clock.waiting).toBe(0);
  });
});

describe('the question whether a store is served', () => {
  it('is asked once for all who wait, and a slow owner counts as there', async () => {
    let asked = 0;
    const isOwnerless = (error: unknown): boolean => error instanceof SessionError && error.reason === 'NO_OWNER';
    const isServed = createOwnerProbe({ ask: () => ((asked += 1), Promise.reject(new SessionError('DEADLINE', 'slow'))), isOwnerless });
    expect(await Promise.all([isServed('main'), isServed('main')])).toEqual([true, true]);
    expect(asked).toBe(1);
    expect(await createOwnerProbe({ ask: () => Promise.reject(new SessionError('NO_OWNER', 'nobody')), isOwnerless })('main')).toBe(false);
  });
});
