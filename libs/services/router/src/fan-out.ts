/**
 * Events of the bus to everybody here who listens. One subscription serves all; a listener that
 * fails or is slow is its own affair.
 *
 * A gap in a session's numbers, a new epoch, a reconnect or a subscription that ended by itself means
 * that events may be missing: sessions that somebody hears are read again from their stores, and
 * listeners get what was missed before what came next. Of a session that nobody hears only the place
 * is kept. A session that no event was heard of since the start has no place to read from.
 */
import { Event } from '@sessions/contracts';
import type { Bus, Subjects, Subscription } from '@sessions/bus';
import type { Clock, Logger, Timer } from '@sessions/host';
import { CatchUp } from './catch-up';
import { EventPlaces } from './event-places';
import type { Place } from './event-places';
import type { StoreCalls } from './store/store-calls';

/** Wait before listening again after a subscription that ended by itself. */
const AGAIN_AFTER_MS = 250;
/** Sessions that are read again after a reconnect, those heard last first. */
export const READ_AGAIN_MAX = 1000;

export type EventListener = (event: Event) => void;

export interface FanOut {
  /**
   * @param hears whether the listener wants what was missed of a session; absent: it does not
   * @returns a function that ends it
   */
  add(listener: EventListener, hears?: (key: string) => boolean): () => void;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface FanOutDeps {
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stores: StoreCalls;
  readonly instance: string;
}

export function createFanOut({ bus, subjects, clock, logger, stores, instance }: FanOutDeps): FanOut {
  const listeners = new Map<EventListener, (key: string) => boolean>();
  const places = new EventPlaces();
  let subscription: Subscription | undefined;
  let again: Timer | undefined;
  let stopped = true;

  const deliver = (event: Event): void => {
    for (const listener of [...listeners.keys()]) {
      try {
        listener(event);
      } catch (err) {
        logger.error('an event could not be passed on', { err });
      }
    }
  };
  const isHeard = ({ key }: Place): boolean => [...listeners.values()].some((hears) => hears(key));
  const catchUp = new CatchUp({ bus, clock, logger, stores, places, instance, deliver, isHeard });

  const onEvent = (event: Event): void => {
    const gapAfter = places.note(event);
    if (gapAfter !== undefined && isHeard(gapAfter)) {
      logger.debug('events of a session were missed: reading it again', { agentId: gapAfter.agentId, epoch: event.epoch, seq: event.seq });
      catchUp.begin(gapAfter);
    }
    if (!catchUp.holds(event)) deliver(event);
  };

  const readAgain = (): void => {
    const heard = places.recent().filter(isHeard);
    logger.warn('events may be missing: reading sessions again', { count: heard.length });
    if (heard.length > READ_AGAIN_MAX) logger.error('more sessions are heard than are read again', { count: heard.length - READ_AGAIN_MAX });
    for (const place of heard.slice(0, READ_AGAIN_MAX)) catchUp.begin(place);
  };

  const listen = async (): Promise<void> => {
    if (stopped) return;
    const begun = await bus.events.subscribe(subjects.events(), Event, onEvent, { onGap: readAgain });
    if (stopped) return begun.stop();
    subscription = begun;
    void begun.ended.then((why) => {
      if (stopped || why === undefined) return;
      logger.warn('events were lost: listening again', { err: why });
      listenLater();
    });
  };

  const listenLater = (): void => {
    again = clock.setTimer(AGAIN_AFTER_MS, () => {
      listen().then(readAgain, (err: unknown) => {
        logger.error('events cannot be heard', { err });
        if (!stopped) listenLater();
      });
    });
  };

  return {
    add(listener, hears = () => false) {
      listeners.set(listener, hears);
      return () => void listeners.delete(listener);
    },
    start() {
      stopped = false;
      return listen();
    },
    async stop() {
      stopped = true;
      again?.cancel();
      catchUp.stop();
      await subscription?.stop();
    },
  };
}
