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

describe('the question whether a call can still be answered', () => {
  const isOwnerless = (error: unknown): boolean => error instanceof SessionError && error.reason === 'NO_OWNER';

  const slow = new SessionError('DEADLINE', 'slow');
  const never = (): Promise<number> => Promise.reject(new Error('no claim was needed'));

  it('is asked once for all who wait, and a slow owner counts as there', async () => {
    let asked = 0;
    const watch = createOwnerProbe({ ask: () => ((asked += 1), Promise.reject(slow)), isOwnerless, claim: never });
    expect(await Promise.all([watch('main')(), watch('main')()])).toEqual([true, true]);
    expect(asked).toBe(1);
    expect(await createOwnerProbe({ ask: () => Promise.reject(new SessionError('NO_OWNER', 'nobody')), isOwnerless, claim: never })('main')()).toBe(false);
  });

  it('has the store claimed when its owner stays silent, and is answered with no once another has it', async () => {
    let answer: () => Promise<number> = () => Promise.resolve(3);
    let owner = 3;
    let claims = 0;
    const watch = createOwnerProbe({ ask: () => answer(), isOwnerless, claim: () => ((claims += 1), Promise.resolve(owner)) });
    const call = watch('main');
    expect(await call()).toBe(true);
    answer = () => Promise.reject(slow);
    expect([await call(), claims]).toEqual([true, 0]);
    expect([await call(), claims]).toEqual([true, 1]);
    owner = 4;
    expect([await call(), claims]).toEqual([false, 2]);
  });

  it('is answered with no when the owner has changed since the call began', async () => {
    let epoch = 3;
    const watch = createOwnerProbe({ ask: () => Promise.resolve(epoch), isOwnerless, claim: never });
    const early = watch('main');
    expect(await early()).toBe(true);
    epoch = 4;
    expect(await early()).toBe(false);
    expect(await watch('main')()).toBe(true);
  });
});
