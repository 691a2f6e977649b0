/**
 * Hours of a day on the wall clock of a time zone, correct where the clock is put forward or back.
 *
 * An hour that a day does not have begins with the first instant after the gap; an hour that a day
 * has twice begins the first time. Both follow from one rule: hour `h` of day `d` begins at the first
 * instant at which the wall clock shows `d h:00` or more.
 */
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Offsets are whole seconds, and so are the instants at which they change. */
const OFFSET_STEP_MS = 1_000;
const OFFSET = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/;

/** The wall clock of one zone. Holds a formatter, which is dear to make: keep it. */
export class ZoneClock {
  readonly #format: Intl.DateTimeFormat;
  /** The change of offset that was looked up last: all messages of a day ask for the same one. */
  #knownChangeMs = Number.NaN;
  /** By hour, the boundary that was looked up last and the earliest instant that it is known to follow: the messages of a day ask for the same one. */
  readonly #knownNext = new Map<number, { fromMs: number; readonly boundaryMs: number }>();

  /** @param timeZone IANA name; a `RangeError` for an unknown one, which configurations never hold. */
  constructor(timeZone: string) {
    this.#format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
  }

  /** How far the wall clock is ahead of UTC at an instant, in milliseconds. */
  offsetMsAt(atMs: number): number {
    const match = OFFSET.exec(this.#format.format(atMs));
    if (match === null) return 0;
    const [, sign, hours = '0', minutes = '0', seconds = '0'] = match;
    const size = (Number(hours) * 60 + Number(minutes)) * 60_000 + Number(seconds) * 1_000;
    return sign === '-' ? -size : size;
  }

  /** The latest instant, at or before `nowMs`, at which hour `atHour` (0 to 23) of some day began. */
  lastBoundary(nowMs: number, atHour: number): number {
    const today = this.#dayAt(nowMs);
    // The next day may have begun already when the clock has been put back over midnight.
    for (let day = today + DAY_MS; day > today - 3 * DAY_MS; day -= DAY_MS) {
      const boundaryMs = this.#firstReach(day + atHour * HOUR_MS);
      if (boundaryMs <= nowMs) return boundaryMs;
    }
    return this.#firstReach(today - 3 * DAY_MS + atHour * HOUR_MS);
  }

  /** The first instant after `afterMs` at which hour `atHour` of some day begins. */
  nextBoundary(afterMs: number, atHour: number): number {
    const known = this.#knownNext.get(atHour);
    if (known !== undefined && known.fromMs <= afterMs && afterMs < known.boundaryMs) return known.boundaryMs;
    const boundaryMs = this.#findNextBoundary(afterMs, atHour);
    if (known?.boundaryMs === boundaryMs) known.fromMs = Math.min(known.fromMs, afterMs);
    else this.#knownNext.set(atHour, { fromMs: afterMs, boundaryMs });
    return boundaryMs;
  }

  #findNextBoundary(afterMs: number, atHour: number): number {
    const today = this.#dayAt(afterMs);
    for (let day = today - DAY_MS; day < today + 3 * DAY_MS; day += DAY_MS) {
      const boundaryMs = this.#firstReach(day + atHour * HOUR_MS);
      if (boundaryMs > afterMs) return boundaryMs;
    }
    return this.#firstReach(today + 3 * DAY_MS + atHour * HOUR_MS);
  }

  /** Midnight of the day that the wall clock shows, written as if it were UTC. */
  #dayAt(atMs: number): number {
    return Math.floor((atMs + this.offsetMsAt(atMs)) / DAY_MS) * DAY_MS;
  }

  /** First instant at which the wall clock shows `wallMs` (written as if it were UTC) or more. */
  #firstReach(wallMs: number): number {
    const before = this.offsetMsAt(wallMs - DAY_MS);
    const after = this.offsetMsAt(wallMs + DAY_MS);
    const plain = wallMs - before;
    if (before === after) return plain;
    const changeMs = this.#changeBetween(wallMs - DAY_MS, wallMs + DAY_MS, before);
    return plain < changeMs ? plain : Math.max(changeMs, wallMs - after);
  }

  /** First instant whose offset differs from the one at `fromMs`; there is one change between the two. */
  #changeBetween(fromMs: number, toMs: number, offsetMs: number): number {
    if (this.#knownChangeMs > fromMs && this.#knownChangeMs <= toMs) return this.#knownChangeMs;
    let low = Math.floor(fromMs / OFFSET_STEP_MS);
    let high = Math.ceil(toMs / OFFSET_STEP_MS);
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.offsetMsAt(middle * OFFSET_STEP_MS) === offsetMs) low = middle;
      else high = middle;
    }
    this.#knownChangeMs = high * OFFSET_STEP_MS;
    return this.#knownChangeMs;
  }
}

/** The clocks of the zones that policies name, made when they are asked for. */
export class ZoneClocks {
  readonly #hostTimeZone: () => string;
  /** Asked for once: it stays what it is while a process runs, and looking it up costs more than all else about a message's reset. */
  #hostName: string | undefined;
  /** As many as the configuration names zones. */
  readonly #clocks = new Map<string, ZoneClock>();

  /** @param hostTimeZone IANA name of the gateway host's zone, asked for where a policy names none. */
  constructor(hostTimeZone: () => string) {
    this.#hostTimeZone = hostTimeZone;
  }

  of(timeZone: string | undefined): ZoneClock {
    const name = timeZone ?? (this.#hostName ??= this.#hostTimeZone());
    const known = this.#clocks.get(name);
    if (known !== undefined) return known;
    const clock = new ZoneClock(name);
    this.#clocks.set(name, clock);
    return clock;
  }
}
