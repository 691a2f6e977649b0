/**
 * What connections hear that hear the same: the same sessions, with the same scopes. An event is put
 * down once for all of them, and each keeps its place in the list, so that an event costs as much for
 * a thousand as for one. What several have still to be sent, from the same place, is one piece of
 * bytes for all of them.
 */
import { SCOPE, holdsScope, isRestricted, seesAgent } from '../auth/scopes';
import { partsOf } from './shared-frame';
import type { NumberedFrame } from './shared-frame';

/** What one visit to a connection sends at the most, bytes, give or take some numbers; a longer frame goes by itself. */
export const PIECE_BYTES_MAX = 128 * 1024;
/** Pieces that are kept for the next who needs them, until the round is over. */
const PIECES_MAX = 64;
/** Events of which all members were sent are let go of when there are so many. */
const TRIMMED_AT = 64;
/** About what the number of a frame and its header take. */
const NUMBER_BYTES = 16;
/** Whoever follows more sessions than this by key has a channel of its own. */
export const SHARED_KEYS_MAX = 16;

/** What decides which events are heard. */
export interface Hearing {
  readonly scopes: readonly string[];
  readonly followsAll: boolean;
  readonly followedKeys: ReadonlySet<string>;
}

/** Somebody who is sent a channel's events. */
export interface Member {
  /** Index of the next event to be sent. */
  readonly place: number;
  /** Sends what waits. Must not throw. */
  flush(): void;
}

interface Entry {
  readonly frame: Buffer | NumberedFrame;
  readonly isStep: boolean;
  /** Bytes of everything before it. */
  readonly startBytes: number;
}

/** Events from a place on, as bytes. */
export interface Piece {
  readonly parts: readonly Buffer[];
  readonly bytes: number;
  /** Where the rest begins. */
  readonly place: number;
  /** The last number given. */
  readonly seq: number;
}

export class Channel {
  readonly members = new Set<Member>();
  readonly #hearing: Hearing;
  readonly #onEvent: (channel: Channel) => void;
  #entries: Entry[] = [];
  /** Index of the first entry that is kept. */
  #firstPlace = 0;
  #endBytes = 0;
  readonly #pieces = new Map<string, Piece>();

  /** @param onEvent told of every event that waits for the members */
  constructor(hearing: Hearing, onEvent: (channel: Channel) => void) {
    this.#hearing = hearing;
    this.#onEvent = onEvent;
  }

  /** Index that the next event will have. */
  get endPlace(): number {
    return this.#firstPlace + this.#entries.length;
  }

  get followsAll(): boolean {
    return this.#hearing.followsAll;
  }

  follows(key: string): boolean {
    return this.#hearing.followsAll || this.#hearing.followedKeys.has(key);
  }

  seesAgent(agentId: string): boolean {
    return seesAgent(this.#hearing.scopes, agentId);
  }

  get scopes(): readonly string[] {
    return this.#hearing.scopes;
  }

  /** True for users who see some agents only. */
  get isRestricted(): boolean {
    return isRestricted(this.#hearing.scopes);
  }

  /** Whether scope-gated broadcasts about an agent are heard. */
  hearsBroadcasts(agentId: string): boolean {
    return holdsScope(this.#hearing.scopes, SCOPE.read) && this.seesAgent(agentId);
  }

  /** Whether it is heard what waits for an operator's word. */
  hearsApprovals(agentId: string): boolean {
    return holdsScope(this.#hearing.scopes, SCOPE.approvals) && this.seesAgent(agentId);
  }

  /** @param isStep left out for a member that is behind */
  push(frame: Buffer | NumberedFrame, isStep = false): void {
    this.#entries.push({ frame, isStep, startBytes: this.#endBytes });
    this.#endBytes += bytesOf(frame);
    this.#onEvent(this);
  }

  /** Bytes from a place to the end. */
  bytesFrom(place: number): number {
    const entry = this.#entries[place - this.#firstPlace];
    return entry === undefined ? 0 : this.#endBytes - entry.startBytes;
  }

  /**
   * What comes at a place, at least one event and at most `PIECE_BYTES_MAX`, for who was given
   * numbers up to `seq`. Shared with those who ask for the same.
   * @param withSteps steps are left out otherwise, and their numbers not given again
   */
  piece(place: number, seq: number, withSteps = true): Piece {
    const { end, isNumbered } = this.#pieceAt(place);
    if (!withSteps) return this.#make(place, end, seq, false);
    const name = `${place}-${end}${isNumbered ? `-${seq}` : ''}`;
    const known = this.#pieces.get(name);
    if (known !== undefined) return isNumbered ? known : { ...known, seq };
    const made = this.#make(place, end, seq, true);
    if (this.#pieces.size >= PIECES_MAX || made.bytes > PIECE_BYTES_MAX || made.parts.length === 1) return made;
    const piece = { ...made, parts: [Buffer.concat(made.parts, made.bytes)] };
    this.#pieces.set(name, piece);
    return piece;
  }

  /** A round is over: lets go of the bytes that were shared in it, and of events that everybody was sent. */
  rested(): void {
    this.#pieces.clear();
    if (this.#entries.length < TRIMMED_AT) return;
    let place = this.endPlace;
    for (const member of this.members) place = Math.min(place, member.place);
    this.#entries.splice(0, place - this.#firstPlace);
    this.#firstPlace = place;
  }

  /** Where the piece that begins at a place ends, and whether numbers are in it. */
  #pieceAt(place: number): { readonly end: number; readonly isNumbered: boolean } {
    let end = place;
    let bytes = 0;
    let isNumbered = false;
    for (let at = place - this.#firstPlace; at < this.#entries.length; at += 1, end += 1) {
      const { frame } = this.#entries[at] as Entry;
      bytes += bytesOf(frame);
      if (end > place && bytes > PIECE_BYTES_MAX) break;
      isNumbered ||= !Buffer.isBuffer(frame);
    }
    return { end, isNumbered };
  }

  #make(from: number, to: number, seqBefore: number, withSteps: boolean): Piece {
    const parts: Buffer[] = [];
    let bytes = 0;
    let seq = seqBefore;
    for (let place = from; place < to; place += 1) {
      const { frame, isStep } = this.#entries[place - this.#firstPlace] as Entry;
      if (!Buffer.isBuffer(frame)) seq += 1;
      if (isStep && !withSteps) continue;
      for (const part of Buffer.isBuffer(frame) ? [frame] : partsOf(frame, seq)) {
        parts.push(part);
        bytes += part.length;
      }
    }
    return { parts, bytes, place: to, seq };
  }
}

/** Of a frame without its number, about. */
const bytesOf = (frame: Buffer | NumberedFrame): number => (Buffer.isBuffer(frame) ? frame.length : frame.head.length + NUMBER_BYTES);

/** The channels of a gateway, by what they hear. */
export class Channels {
  readonly #byName = new Map<string, Channel>();
  readonly #names = new Map<Channel, string>();
  readonly #onEvent: (channel: Channel) => void;

  constructor(onEvent: (channel: Channel) => void) {
    this.#onEvent = onEvent;
  }

  [Symbol.iterator](): Iterator<Channel> {
    return this.#byName.values();
  }

  /**
   * The channel of all who hear the same, made when there is none.
   * @param hearing of many sessions by key: looked at anew with each event
   * @param owner names the channel of a member that shares none
   */
  of(hearing: Hearing, owner: string): Channel {
    const { scopes, followsAll, followedKeys } = hearing;
    const isShared = followedKeys.size <= SHARED_KEYS_MAX;
    const name = isShared ? JSON.stringify([followsAll, scopes.toSorted(), [...followedKeys].toSorted()]) : owner;
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const made = new Channel(isShared ? { scopes, followsAll, followedKeys: new Set(followedKeys) } : hearing, this.#onEvent);
    this.#byName.set(name, made);
    this.#names.set(made, name);
    return made;
  }

  /** Lets go of a channel that nobody is in any more. */
  release(channel: Channel): void {
    const name = this.#names.get(channel);
    if (name === undefined || channel.members.size > 0) return;
    this.#names.delete(channel);
    this.#byName.delete(name);
  }
}
