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
  /** Of that message, where it has one of its own: a cut gives messages other numbers. */
  readonly recordId: string | undefined;
  /** When the last event came about, by its owner's clock. */
  readonly atMs: number;
}

/** Lines without ids are called by their number, which a cut changes. */
export function hasOwnId(messageId: string | undefined): messageId is string {
  return messageId !== undefined && messageId !== '' && !/^L\d+$/u.test(messageId);
}

export class EventPlaces {
  readonly #places = new Map<string, Place>();
  readonly #max: number;

  constructor(max = PLACES_MAX) {
    this.#max = max;
  }

  /** @returns the place before, when events between it and this one may be missing */
  note(event: Event): Place | undefined {
    const { sessionKey: key, agentId, epoch, seq, atMs, body } = event;
    // Events of a run count per run, those of a store concern no session.
    if (key === undefined || body === undefined || body.$case === 'run' || body.$case === 'tool') return undefined;
    const before = this.#places.get(key);
    // What an older owner still had to say does not set us back.
    if (before !== undefined && (epoch < before.epoch || (epoch === before.epoch && seq <= before.seq))) return undefined;
    const isGap = before !== undefined && (epoch !== before.epoch || seq !== before.seq + 1);
    const sessionId = event.sessionId ?? before?.sessionId;
    const isSame = before?.sessionId === sessionId;
    // One that goes on after a compaction, or was brought back, says how much of it stands there already.
    const told = body.$case === 'message' || body.$case === 'changed' ? body.value.messageSeq : undefined;
    // A transcript that was seen to begin has no message before the first one that is told.
    const known = before === undefined ? undefined : isSame ? before.messageSeq : 0;
    const recordId = body.$case === 'message' ? body.value.messageId : isSame && told === undefined ? before?.recordId : undefined;
    this.#set({ agentId, key, epoch, seq, sessionId, messageSeq: told ?? known, recordId: hasOwnId(recordId) ? recordId : undefined, atMs });
    return isGap ? before : undefined;
  }

  /**
   * Where reading again came to. Events that were heard meanwhile may have led further.
   * @param from where it began
   * @param wentThrough whether the reading has led from that transcript on
   */
  noteRead(from: Place, read: Place, wentThrough: (sessionId: string | undefined) => boolean): void {
    const place = this.#places.get(read.key);
    if (place === undefined) return;
    const isUnmoved = place.sessionId === from.sessionId && place.messageSeq === from.messageSeq && place.recordId === from.recordId;
    const isSame = place.sessionId === read.sessionId;
    const isBehind = isSame ? (read.messageSeq ?? 0) > (place.messageSeq ?? 0) : wentThrough(place.sessionId);
    const { sessionId, messageSeq, recordId } = read;
    if (isUnmoved || isBehind) this.#places.set(read.key, { ...place, sessionId, messageSeq, recordId: hasOwnId(recordId) ? recordId : undefined });
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
