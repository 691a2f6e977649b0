import { ManualClock } from '@sessions/bus/testing';
import { firstAnswer } from './first-answer';

describe('a question to a group', () => {
  const deaf = (): Promise<string> => new Promise(() => undefined);

  it('goes to another member when the first says nothing, and leaves no timer', async () => {
    const clock = new ManualClock();
    const members = [deaf, deaf, () => Promise.resolve('mine')];
    const answer = firstAnswer(clock, () => (members.shift() ?? deaf)(), 3_000, 6);
    await clock.advance(5_999);
    expect(members).toHaveLength(1);
    await clock.advance(1);
    expect(await answer).toBe('mine');
    expect(clock.waiting).toBe(0);
  });

  it('is asked a bounded number of times', async () => {
    const clock = new ManualClock();
    let asked = 0;
    void firstAnswer(clock, () => ((asked += 1), deaf()), 10, 4);
    await clock.advance(1_000);
    expect(asked).toBe(4);
  });

  it('fails at once with the only refusal, and waits for an answer that is still due', async () => {
    const clock = new ManualClock();
    await expect(firstAnswer(clock, () => Promise.reject(new Error('nobody')), 10, 4)).rejects.toThrow('nobody');
    let tell: (text: string) => void = () => undefined;
    const members = [() => new Promise<string>((resolve) => (tell = resolve)), () => Promise.reject(new Error('busy'))];
    const answer = firstAnswer(clock, () => (members.shift() ?? deaf)(), 10, 2);
    await clock.advance(20);
    tell('late');
    expect(await answer).toBe('late');
  });
});
