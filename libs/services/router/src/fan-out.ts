/**
 * Events of the bus to everybody here who listens. One subscription serves all; a listener that
 * fails or is slow is its own affair. Nothing is kept: who was not listening reads the transcript.
 */
import { Event } from '@sessions/contracts';
import type { Bus, Subjects, Subscription } from '@sessions/bus';
import type { Clock, Logger, Timer } from '@sessions/host';

/** Wait before listening again after a subscription that ended by itself. */
const AGAIN_AFTER_MS = 250;

export type EventListener = (event: Event) => void;

export interface FanOut {
  /** @returns a function that ends it */
  add(listener: EventListener): () => void;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface FanOutDeps {
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly clock: Clock;
  readonly logger: Logger;
}

export function createFanOut({ bus, subjects, clock, logger }: FanOutDeps): FanOut {
  const listeners = new Set<EventListener>();
  let subscription: Subscription | undefined;
  let again: Timer | undefined;
  let stopped = true;

  const onEvent = (event: Event): void => {
    for (const listener of [...listeners]) {
      try {
        listener(event);
      } catch (err) {
        logger.error('an event could not be passed on', { err });
      }
    }
  };

  const listen = async (): Promise<void> => {
    if (stopped) return;
    const begun = await bus.events.subscribe(subjects.events(), Event, onEvent);
    if (stopped) return begun.stop();
    subscription = begun;
    void begun.ended.then((why) => {
      if (stopped || why === undefined) return;
      logger.warn('events were lost: listening again', { err: why });
      again = clock.setTimer(AGAIN_AFTER_MS, () => void listen().catch((err: unknown) => logger.error('events cannot be heard', { err })));
    });
  };

  return {
    add(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    start() {
      stopped = false;
      return listen();
    },
    async stop() {
      stopped = true;
      again?.cancel();
      await subscription?.stop();
    },
  };
}
