/** One question to a group of which some members may be deaf. */
import type { BusClock } from '@sessions/bus';

/**
 * Asks, and asks again beside it each time that `patienceMs` have passed without an answer: the group
 * hands each question to another member. At most `askedMax` questions are under way.
 * @throws what the last question failed with once none is open
 */
export function firstAnswer<T>(clock: BusClock, ask: () => Promise<T>, patienceMs: number, askedMax: number): Promise<T> {
  return new Promise((resolve, reject) => {
    let asked = 0;
    let open = 0;
    let cancel = (): void => undefined;
    let isOver = false;
    const end = (settle: () => void): void => {
      if (isOver) return;
      isOver = true;
      cancel();
      settle();
    };
    const askOne = (): void => {
      asked += 1;
      open += 1;
      ask().then(
        (answer) => end(() => resolve(answer)),
        (error: unknown) => {
          open -= 1;
          if (open === 0) end(() => reject(error instanceof Error ? error : new Error(String(error))));
        },
      );
      if (asked < askedMax) {
        cancel = clock.startTimer(patienceMs, () => {
          if (!isOver) askOne();
        });
      }
    };
    askOne();
  });
}
