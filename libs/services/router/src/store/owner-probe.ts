/**
 * Finds out about owners that died with calls in their hands. A killed process answers nothing and
 * its calls would wait for their whole deadline; but nobody serves its subjects any more, and that
 * the bus says at once. Where another owner is there by now, the call was lost with the one before.
 * An owner that was stopped is another matter: it still has its subjects, as long as the bus takes it
 * for alive, and answers nothing. When it stays silent the store is claimed, which a writer may grant
 * once its lease is over.
 * One question an agent is under way at a time, however many calls wait.
 */
import { SessionError } from '@sessions/domain';
import type { BusClock } from '@sessions/bus';

export interface OwnerProbeDeps {
  /** A cheap read that only the owner answers; its epoch. */
  readonly ask: (agentId: string) => Promise<number>;
  /** True for refusals that say that there is no owner. */
  readonly isOwnerless: (error: unknown) => boolean;
  /** Has a writer claim the store, or say who owns it; the owner's epoch. */
  readonly claim: (agentId: string) => Promise<number>;
}

/** Questions in a row without an answer after which a writer is asked to claim the store. */
const SLOW_MAX = 2;

/** Agents whose owner's epoch is remembered; the oldest leaves first, and its next change is not noticed. */
const EPOCHS_MAX = 10_000;

/**
 * Whether a call that was sent some time ago can still be answered: begins a watch over one call.
 * @returns false when nobody serves the agent's store, or an owner of another epoch than at its
 *   beginning; a slow owner counts as there while nobody else is.
 */
export function createOwnerProbe({ ask, isOwnerless, claim }: OwnerProbeDeps): (agentId: string) => () => Promise<boolean> {
  const running = new Map<string, Promise<number | 'nobody' | 'slow'>>();
  const epochs = new Map<string, number>();
  /** Questions in a row that nobody answered, of agents that calls wait for. */
  const slow = new Map<string, number>();
  const epochNow = (agentId: string): Promise<number | 'nobody' | 'slow'> => {
    const present = running.get(agentId);
    if (present !== undefined) return present;
    const asked = ask(agentId)
      .then(
        (epoch) => {
          slow.delete(agentId);
          epochs.delete(agentId);
          epochs.set(agentId, epoch);
          const [oldest] = epochs.size > EPOCHS_MAX ? epochs.keys() : [];
          if (oldest !== undefined) epochs.delete(oldest);
          return epoch;
        },
        (error: unknown) => {
          if (isOwnerless(error)) slow.delete(agentId);
          else slow.set(agentId, (slow.get(agentId) ?? 0) + 1);
          return isOwnerless(error) ? ('nobody' as const) : ('slow' as const);
        },
      )
      .finally(() => running.delete(agentId));
    running.set(agentId, asked);
    return asked;
  };
  return (agentId) => {
    let known = epochs.get(agentId);
    return async () => {
      const now = await epochNow(agentId);
      if (now === 'nobody') return false;
      if (now === 'slow') {
        if ((slow.get(agentId) ?? 0) < SLOW_MAX) return true;
        const claimed = await claim(agentId).catch(() => undefined);
        return claimed === undefined || claimed === known;
      }
      known ??= now;
      return known === now;
    };
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
