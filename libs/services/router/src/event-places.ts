/**
 * How far the events of each session have been heard. Pure: says when some may be missing, and from
 * where on to read again. Bounded: of more than `PLACES_MAX` sessions the one unheard longest is
 * forgotten, and a gap in its events is then not seen.
 */
import type { Event } from '@sessions/contracts';

export const PLACES_MAX = 10_000;

export interface Place {
  readonly agentId: string;
  readonly key: string;
  readonly epoch: number;
  readonly seq: number;
  readonly sessionId: string | undefined;
  /** Last message heard or read of that transcript; undefined: none yet, so nothing says from where to read. */
  readonly messageSeq: number | undefined;
}

export class EventPlaces {
  readonly #places = new Map<string, Place>();
  readonly #max: number;

  constructor(max = PLACES_MAX) {
    this.#max = max;
  }

  /** @returns the place before, when events between it and this one may be missing */
  note(event: Event): Place | undefined {
    const { sessionKey: key, agentId, epoch, seq, body } = event;
    // Events of a run count per run, those of a store concern no session.
    if (key === undefined || body === undefined || body.$case === 'run' || body.$case === 'tool') return undefined;
    const before = this.#places.get(key);
    // What an older owner still had to say does not set us back.
    if (before !== undefined && (epoch < before.epoch || (epoch === before.epoch && seq <= before.seq))) return undefined;
    const isGap = before !== undefined && (epoch !== before.epoch || seq !== before.seq + 1);
    const sessionId = event.sessionId ?? before?.sessionId;
    const isSame = before?.sessionId === sessionId;
    // One that goes on with another after a compaction says how much of it was told.
    const told = body.$case === 'message' || body.$case === 'changed' ? body.value.messageSeq : undefined;
    // A transcript that was seen to begin has no message before the first one that is told.
    const known = before === undefined ? undefined : isSame ? before.messageSeq : 0;
    this.#set({ agentId, key, epoch, seq, sessionId, messageSeq: told ?? known });
    return isGap ? before : undefined;
  }

  /** Where reading again came to. */
  noteRead(key: string, sessionId: string | undefined, messageSeq: number): void {
    const place = this.#places.get(key);
    if (place === undefined) return;
    const isNewer = place.sessionId !== sessionId || messageSeq > (place.messageSeq ?? 0);
    if (isNewer) this.#places.set(key, { ...place, sessionId, messageSeq });
  }

  /** The one heard last comes first. */
  recent(): Place[] {
    return [...this.#places.values()].reverse();
  }

  #set(place: Place): void {
    this.#places.delete(place.key);
    this.#places.set(place.key, place);
    const oldest = this.#places.size > this.#max ? this.#places.keys().next().value : undefined;
    if (oldest !== undefined) this.#places.delete(oldest);
  }
}
