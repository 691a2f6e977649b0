/**
 * Finds out about owners that died with calls in their hands. A killed process answers nothing and
 * its calls would wait for their whole deadline; but nobody serves its subjects any more, and that
 * the bus says at once. One question an agent is under way at a time, however many calls wait.
 */
import { SessionError } from '@sessions/domain';
import type { BusClock } from '@sessions/bus';

export interface OwnerProbeDeps {
  /** A cheap read that only the owner answers. */
  readonly ask: (agentId: string) => Promise<unknown>;
  /** True for refusals that say that there is no owner. */
  readonly isOwnerless: (error: unknown) => boolean;
}

/** @returns false only when nobody serves the agent's store; a slow owner counts as there. */
export function createOwnerProbe({ ask, isOwnerless }: OwnerProbeDeps): (agentId: string) => Promise<boolean> {
  const running = new Map<string, Promise<boolean>>();
  return (agentId) => {
    const present = running.get(agentId);
    if (present !== undefined) return present;
    const asked = ask(agentId)
      .then(
        () => true,
        (error: unknown) => !isOwnerless(error),
      )
      .finally(() => running.delete(agentId));
    running.set(agentId, asked);
    return asked;
  };
}

export interface Watch {
  readonly clock: BusClock;
  readonly everyMs: number;
  readonly isServed: () => Promise<boolean>;
}

/**
 * Makes a call and looks every `everyMs` whether anybody is there to answer it.
 * @throws NO_OWNER when nobody is; the call is cancelled then, what it did is told by its repeat
 */
export function whileServed<T>({ clock, everyMs, isServed }: Watch, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const gone = new AbortController();
  return new Promise<T>((resolve, reject) => {
    let isOver = false;
    let cancel = (): void => undefined;
    const end = (settle: () => void): void => {
      if (isOver) return;
      isOver = true;
      cancel();
      settle();
    };
    const look = (): void => {
      void isServed().then((served) => {
        if (isOver) return;
        if (served) watch();
        else {
          const error = new SessionError('NO_OWNER', 'the owner of the store is gone');
          end(() => reject(error));
          gone.abort(error);
        }
      });
    };
    const watch = (): void => {
      cancel = clock.startTimer(everyMs, look);
    };
    watch();
    call(gone.signal).then(
      (answer) => end(() => resolve(answer)),
      (error: unknown) => end(() => reject(error instanceof Error ? error : new Error(String(error)))),
    );
  });
}
