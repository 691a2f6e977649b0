/**
 * Sessions whose events may be missing, each read again from its store before its further events
 * are passed on, so that listeners get every message once and in order. At most `READS_MAX` are read
 * at a time; events held back for one session are bounded, and read again when there are more. A store
 * that cannot be read is asked again as long as somebody listens: until then nothing of that session is
 * passed on, since what came later would hide what is missing.
 */
import { randomUUID } from 'node:crypto';
import type { Event } from '@sessions/contracts';
import type { Bus, CallContext } from '@sessions/bus';
import { READ_DEADLINE_MS, retryDelayMs } from '@sessions/bus';
import type { Clock, Logger } from '@sessions/host';
import { sleep } from '@sessions/host';
import type { EventPlaces, Place } from './event-places';
import { Told, readMissed } from './read-missed';
import type { StoreCalls } from './store/store-calls';

/** Sessions that are read at a time. */
const READS_MAX = 8;
/** Events that wait for one session's reading; more are left to another reading. */
const HELD_MAX = 256;
/** A store may be changing hands: how often its reading is tried before others have their turn. */
const TRIES_MAX = 4;
/** Then it is read again after this long. */
const READ_LATER_MS = 5_000;

export interface CatchUpDeps {
  readonly bus: Pick<Bus, 'clock'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stores: StoreCalls;
  readonly places: EventPlaces;
  readonly instance: string;
  readonly deliver: (event: Event) => void;
  /** Whether anybody listens to a session. */
  readonly isHeard: (place: Place) => boolean;
}

interface Reading {
  readonly place: Place;
  readonly told: Told;
  readonly held: Event[];
  /** More came than could be held, or some of it was lost. */
  overrun: boolean;
}

export class CatchUp {
  readonly #deps: CatchUpDeps;
  readonly #readings = new Map<string, Reading>();
  readonly #queue: Reading[] = [];
  readonly #stopping = new AbortController();
  #active = 0;

  constructor(deps: CatchUpDeps) {
    this.#deps = deps;
  }

  /** True when the event is passed on later, after what is being read. */
  holds(event: Event): boolean {
    const reading = event.sessionKey === undefined ? undefined : this.#readings.get(event.sessionKey);
    if (reading === undefined) return false;
    if (reading.held.length < HELD_MAX) reading.held.push(event);
    else reading.overrun = true;
    return true;
  }

  /** Reads what came after `place`; what is read already is read once more from where that leads to, as it may be past what was lost now. */
  begin(place: Place): void {
    if (this.#stopping.signal.aborted) return;
    const under = this.#readings.get(place.key);
    if (under !== undefined) {
      under.overrun = true;
      return;
    }
    const reading: Reading = { place, told: new Told(), held: [], overrun: false };
    this.#readings.set(place.key, reading);
    this.#queue.push(reading);
    this.#next();
  }

  stop(): void {
    this.#stopping.abort(new Error('the router stops'));
    this.#queue.length = 0;
  }

  #next(): void {
    while (this.#active < READS_MAX) {
      const reading = this.#queue.shift();
      if (reading === undefined) return;
      this.#active += 1;
      void this.#read(reading).finally(() => {
        this.#active -= 1;
        this.#next();
      });
    }
  }

  /** Never rejects. */
  async #read(reading: Reading): Promise<void> {
    const { places, logger, deliver } = this.#deps;
    const { place, told } = reading;
    const { key } = place;
    let from = place;
    try {
      do {
        reading.overrun = false;
        from = await this.#tell(from, told);
        places.noteRead(place, from, (sessionId) => told.wentThrough(sessionId));
      } while (reading.overrun && !this.#stopping.signal.aborted);
    } catch (err) {
      if (this.#stopping.signal.aborted) return;
      logger.error('events were lost and cannot be read from the store yet', { agentId: place.agentId, err });
      this.#readLater(reading);
      return;
    }
    this.#readings.delete(key);
    // Behind a change that the reading did not see, the same change comes again.
    let isPast = false;
    for (const event of reading.held) {
      const isChange = event.body?.$case === 'changed' && event.body.value.previousSessionId !== undefined;
      if (told.has(event) && !(isChange && isPast)) continue;
      isPast ||= isChange;
      deliver(event);
    }
  }

  #readLater(reading: Reading): void {
    // It is among what will be read.
    reading.held.length = 0;
    this.#deps.clock.setTimer(
      READ_LATER_MS,
      () => {
        if (this.#stopping.signal.aborted) return;
        if (this.#deps.isHeard(reading.place)) {
          this.#queue.push(reading);
          this.#next();
        } else this.#readings.delete(reading.place.key);
      },
      { keepsAlive: false },
    );
  }

  /** Tells what came after `place`. @returns how far that led */
  async #tell(place: Place, told: Told): Promise<Place> {
    const { clock, stores, deliver } = this.#deps;
    let from = place;
    for (let tried = 1; ; tried += 1) {
      try {
        for await (const { events, place: reached } of readMissed(stores, from, told, this.#context(), clock.nowMs())) {
          for (const event of events) {
            told.note(event);
            deliver(event);
          }
          from = reached;
        }
        return from;
      } catch (error) {
        if (tried >= TRIES_MAX || this.#stopping.signal.aborted) throw error;
        await sleep(clock, retryDelayMs(tried, 0.5));
      }
    }
  }

  #context(): CallContext {
    const { bus, instance } = this.#deps;
    return {
      caller: `service:router/${instance}`,
      scopes: [],
      requestId: randomUUID(),
      idempotencyKey: undefined,
      traceparent: undefined,
      tracestate: undefined,
      hops: 0,
      signal: this.#stopping.signal,
      deadlineAtMs: bus.clock.nowMs() + READ_DEADLINE_MS,
    };
  }
}
